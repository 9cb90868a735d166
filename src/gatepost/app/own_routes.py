"""Gatepost's own paths on the AWS endpoint: health, status, assets, reset."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from gatepost.app.platform_state import TEMPLATE_STATUSES, PlatformState
from gatepost.awsapi.own_routes import OwnRoute
from gatepost.kernel.errors import StoreUnavailable, ValidationException
from gatepost.kernel.operations import Call
from gatepost.storage.assets import ASSET_BYTES_MAX, FileAssets
from gatepost.wire.messages import Request, Response

ASSETS_PREFIX: Final = "/_gatepost/assets/"
JSON: Final = (b"content-type", b"application/json")


def own_routes(
    state: PlatformState,
    assets: FileAssets,
    *,
    describe: Callable[[], Awaitable[dict[str, Any]]],
    reset: Callable[[], Awaitable[None]] | None,
    is_loopback: bool,
) -> list[OwnRoute]:
    """Make the routes. `describe` gives what `status` shows; `reset` None: this platform keeps what it has.

    On a loopback address a reset needs no signature, so that test suites in any language can ask for one.
    """

    def health(request: Request, call: Call) -> Response:
        del request, call
        status, body = state.health()
        return _json(status, body)

    async def status(request: Request, call: Call) -> Response:
        del request, call
        return _json(200, await describe())

    def has_asset(request: Request, call: Call) -> Response:
        del call
        sha256 = request.path.removeprefix(ASSETS_PREFIX)
        return Response(200 if assets.path(sha256) is not None else 404, [])

    async def put_asset(request: Request, call: Call) -> Response:
        del call
        sha256 = request.path.removeprefix(ASSETS_PREFIX)
        if hashlib.sha256(request.body).hexdigest() != sha256:
            raise ValidationException(f"The content's SHA-256 is not {sha256[:64]}")
        try:
            await assets.put(request.body)
        except StoreUnavailable as error:
            return _json(503, {"code": "ServiceUnavailable", "message": str(error)})
        return _json(200, {"sha256": sha256})

    def set_template(request: Request, call: Call) -> Response:
        del call
        try:
            told = orjson.loads(request.body)
            path, status = str(told["path"]), told["status"]
        except (ValueError, KeyError, TypeError):
            raise ValidationException("The body is a JSON object with path and status") from None
        if status not in TEMPLATE_STATUSES:
            raise ValidationException(f"status is {status!r}: use one of {', '.join(TEMPLATE_STATUSES)}")
        if path not in state.templates:
            raise ValidationException(f"{path[:200]} is no template that this platform was started with")
        state.set_template(path, status)
        return _json(200, {})

    async def empty(request: Request, call: Call) -> Response:
        del request, call
        if reset is None:
            raise ValidationException("This platform keeps what it has: only one started with --ephemeral resets")
        await reset()
        return _json(200, {})

    return [
        OwnRoute("POST", "/_gatepost/reset", empty, None if is_loopback else "gatepost:Reset"),
        OwnRoute("GET", "/_gatepost/health", health, None),
        OwnRoute("GET", "/_gatepost/status", status, "gatepost:GetStatus"),
        OwnRoute("GET", ASSETS_PREFIX, has_asset, "gatepost:GetAsset"),
        OwnRoute("PUT", ASSETS_PREFIX, put_asset, "gatepost:PutAsset", body_bytes_max=ASSET_BYTES_MAX),
        OwnRoute("POST", "/_gatepost/templates", set_template, "gatepost:SetTemplateStatus"),
    ]


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(status, [JSON], orjson.dumps(body))
