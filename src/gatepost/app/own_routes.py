"""Gatepost's own paths on the AWS endpoint: health, status, assets, reset."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from gatepost.app.platform_state import TEMPLATE_STATUSES, PlatformState
from gatepost.awsapi.own_routes import OwnRoute
from gatepost.kernel.errors import StoreUnavailable, ValidationException
from gatepost.kernel.operations import Call
from gatepost.storage.asset_patches import BadPatch
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
    platform = _PlatformRoutes(state, describe, reset)
    kept = _AssetRoutes(assets)
    return [
        OwnRoute("GET", "/_gatepost/health", platform.health, None),
        OwnRoute("GET", "/_gatepost/status", platform.status, "gatepost:GetStatus"),
        OwnRoute("POST", "/_gatepost/templates", platform.set_template, "gatepost:SetTemplateStatus"),
        OwnRoute("POST", "/_gatepost/reset", platform.reset, None if is_loopback else "gatepost:Reset"),
        OwnRoute("GET", ASSETS_PREFIX, kept.find, "gatepost:GetAsset"),
        OwnRoute("PUT", ASSETS_PREFIX, kept.put, "gatepost:PutAsset", body_bytes_max=ASSET_BYTES_MAX),
        OwnRoute("PATCH", ASSETS_PREFIX, kept.patch, "gatepost:PutAsset", body_bytes_max=ASSET_BYTES_MAX),
    ]


class _PlatformRoutes:
    """How the platform is, and the way back to an empty one."""

    def __init__(
        self,
        state: PlatformState,
        describe: Callable[[], Awaitable[dict[str, Any]]],
        reset: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._state = state
        self._describe = describe
        self._reset = reset

    def health(self, request: Request, call: Call) -> Response:
        """Tell whether everything listens and is deployed."""
        del request, call
        status, body = self._state.health()
        return _json(status, body)

    async def status(self, request: Request, call: Call) -> Response:
        """Tell what runs."""
        del request, call
        return _json(200, await self._describe())

    def set_template(self, request: Request, call: Call) -> Response:
        """Take note of how far a template of `up` has come."""
        del call
        try:
            told = orjson.loads(request.body)
            path, status = str(told["path"]), told["status"]
        except (ValueError, KeyError, TypeError):
            raise ValidationException("The body is a JSON object with path and status") from None
        if status not in TEMPLATE_STATUSES:
            raise ValidationException(f"status is {status!r}: use one of {', '.join(TEMPLATE_STATUSES)}")
        if path not in self._state.templates:
            raise ValidationException(f"{path[:200]} is no template that this platform was started with")
        self._state.set_template(path, status)
        return _json(200, {})

    async def reset(self, request: Request, call: Call) -> Response:
        """Empty an ephemeral platform."""
        del request, call
        if self._reset is None:
            raise ValidationException("This platform keeps what it has: only one started with --ephemeral resets")
        await self._reset()
        return _json(200, {})


class _AssetRoutes:
    """Uploads by their SHA-256."""

    def __init__(self, assets: FileAssets) -> None:
        self._assets = assets

    def find(self, request: Request, call: Call) -> Response:
        """Tell whether an asset is there."""
        del call
        return Response(200 if self._assets.ask(request.path.removeprefix(ASSETS_PREFIX)) else 404)

    async def put(self, request: Request, call: Call) -> Response:
        """Keep an asset; its name must be the SHA-256 of its content."""
        del call
        sha256 = request.path.removeprefix(ASSETS_PREFIX)
        if await asyncio.get_running_loop().run_in_executor(None, _sha256, request.body) != sha256:
            raise ValidationException(f"The content's SHA-256 is not {sha256[:64]}")
        try:
            await self._assets.put(request.body)
        except StoreUnavailable as error:
            return _json(503, {"code": "ServiceUnavailable", "message": str(error)})
        return _json(200, {"sha256": sha256})

    async def patch(self, request: Request, call: Call) -> Response:
        """Keep an asset that is made of another one (see `storage.asset_patches`); 404 when that is not there."""
        del call
        sha256 = request.path.removeprefix(ASSETS_PREFIX)
        try:
            is_made = await self._assets.patch(sha256, request.body)
        except BadPatch as error:
            raise ValidationException(str(error)) from None
        except StoreUnavailable as error:
            return _json(503, {"code": "ServiceUnavailable", "message": str(error)})
        return _json(200, {"sha256": sha256}) if is_made else Response(404)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(status: int, body: dict[str, Any]) -> Response:
    return Response(status, [JSON], orjson.dumps(body))
