"""Gatepost's own paths: who may call them, and what they say to what they cannot take."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gatepost.app.own_routes import own_routes
from gatepost.app.platform_state import PlatformState
from gatepost.awsapi.own_routes import OwnRoutes
from gatepost.kernel.errors import ValidationException
from gatepost.storage.asset_patches import Piece, write_patch
from gatepost.storage.assets import FileAssets
from gatepost.wire.messages import Request, Response
from tests.support.aws_endpoints import answer_of
from tests.support.rest_apis import a_call

CONTENT = b"code"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Platform:
    """The routes over a folder, as the endpoint calls them once a request is let in."""

    def __init__(self, folder: Path, *, can_reset: bool = False, is_loopback: bool = True) -> None:
        self.resets = 0
        self.state = PlatformState(lambda: 1, templates={"/shop.yaml": "waiting"})
        self.routes = OwnRoutes(
            own_routes(
                self.state,
                FileAssets(folder),
                describe=self._describe,
                reset=self._reset if can_reset else None,
                is_loopback=is_loopback,
            )
        )

    async def _describe(self) -> dict[str, Any]:
        return {"stacks": []}

    async def _reset(self) -> None:
        self.resets += 1

    def send(self, method: str, path: str, body: bytes = b"") -> Response:
        route = self.routes.find(method, path)
        assert route is not None
        return answer_of(lambda request: route.handler(request, a_call("")), Request(method, path, [], body))


def test_health_needs_no_signature_and_turns_ready_when_every_template_is_deployed(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    route = platform.routes.find("GET", "/_gatepost/health")
    assert route is not None
    assert route.action is None
    assert platform.send("GET", "/_gatepost/health").status == 503
    platform.send("POST", "/_gatepost/templates", b'{"path": "/shop.yaml", "status": "deployed"}')
    answer = platform.send("GET", "/_gatepost/health")
    assert (answer.status, json.loads(answer.body)["templates"]) == (200, {"/shop.yaml": "deployed"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON object with path and status"),
        (b"[]", "JSON object with path and status"),
        (b'{"path": "/shop.yaml"}', "JSON object with path and status"),
        (b'{"path": "/shop.yaml", "status": "ready"}', "'ready': use one of waiting, deploying, deployed, failed"),
        (b'{"path": "/other.yaml", "status": "deployed"}', "/other.yaml is no template"),
    ],
)
def test_what_says_nothing_of_a_template_changes_nothing(tmp_path: Path, body: bytes, said: str) -> None:
    platform = Platform(tmp_path)
    with pytest.raises(ValidationException, match=said):
        platform.send("POST", "/_gatepost/templates", body)
    assert platform.state.templates == {"/shop.yaml": "waiting"}


def test_only_an_ephemeral_platform_resets(tmp_path: Path) -> None:
    with pytest.raises(ValidationException, match="only one started with --ephemeral"):
        Platform(tmp_path).send("POST", "/_gatepost/reset")
    platform = Platform(tmp_path, can_reset=True)
    assert platform.send("POST", "/_gatepost/reset").status == 200
    assert platform.resets == 1


@pytest.mark.parametrize(("is_loopback", "action"), [(True, None), (False, "gatepost:Reset")])
def test_a_reset_needs_a_signature_where_others_reach_it(tmp_path: Path, is_loopback: bool, action: str | None) -> None:
    route = Platform(tmp_path, is_loopback=is_loopback).routes.find("POST", "/_gatepost/reset")
    assert route is not None
    assert route.action == action


def test_an_upload_is_there_under_its_sha256(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    assert platform.send("HEAD", f"/_gatepost/assets/{SHA256}").status == 404
    assert platform.send("PUT", f"/_gatepost/assets/{SHA256}", CONTENT).status == 200
    assert platform.send("HEAD", f"/_gatepost/assets/{SHA256}").status == 200


@pytest.mark.parametrize("name", ["0" * 64, SHA256.upper(), "../seal.key", ""])
def test_an_upload_under_another_name_is_refused_and_not_kept(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationException, match="SHA-256 is not"):
        Platform(tmp_path).send("PUT", f"/_gatepost/assets/{name}", CONTENT)
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_the_disk_refuses_is_not_acknowledged(tmp_path: Path) -> None:
    answer = Platform(tmp_path / "missing").send("PUT", f"/_gatepost/assets/{SHA256}", CONTENT)
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "ServiceUnavailable")


def test_status_is_what_the_platform_tells(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    route = platform.routes.find("GET", "/_gatepost/status")
    assert route is not None
    assert route.action == "gatepost:GetStatus"
    assert json.loads(platform.send("GET", "/_gatepost/status").body) == {"stacks": []}


def test_an_asset_can_be_made_of_one_that_is_there(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    changed = hashlib.sha256(CONTENT + b"!").hexdigest()
    patch = write_patch(SHA256, [Piece(0, len(CONTENT)), Piece(0, 1, b"!")])
    assert platform.send("PATCH", f"/_gatepost/assets/{changed}", patch).status == 404
    platform.send("PUT", f"/_gatepost/assets/{SHA256}", CONTENT)
    assert platform.send("PATCH", f"/_gatepost/assets/{changed}", patch).status == 200
    assert platform.send("HEAD", f"/_gatepost/assets/{changed}").status == 200
    assert (tmp_path / changed).read_bytes() == CONTENT + b"!"


@pytest.mark.parametrize("patch", [b"", bytes.fromhex(SHA256) + b"\0", write_patch(SHA256, [Piece(0, 1, b"?")])])
def test_a_patch_that_does_not_make_what_it_is_for_is_refused(tmp_path: Path, patch: bytes) -> None:
    platform = Platform(tmp_path)
    platform.send("PUT", f"/_gatepost/assets/{SHA256}", CONTENT)
    with pytest.raises(ValidationException):
        platform.send("PATCH", f"/_gatepost/assets/{'0' * 64}", patch)
    assert [path.name for path in tmp_path.iterdir()] == [SHA256]
