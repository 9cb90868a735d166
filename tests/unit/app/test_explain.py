"""The route behind `gatepost explain`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest

from gatepost.app.explain import ACTION, PREFIX, ExplainRoute
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Call, Principal
from gatepost.link.explanations import Explanations
from gatepost.wire.messages import Request

CALL = Call("gatepost", "Explain", "1", "us-east-1", Principal("root", "1", "arn", "1"), "r", 0)


@pytest.mark.parametrize(("request_id", "status"), [("denied", 200), ("unknown", 503), ("", 400), ("x" * 65, 400)])
def test_what_is_known_is_told(tmp_path, request_id, status):
    explain = ExplainRoute(Explanations(lambda _head: False), tmp_path)
    explain.denials.note(replace(CALL, request_id="denied"), AccessDeniedException("no"))
    response = asyncio.run(explain.handle(Request("GET", PREFIX + request_id, []), CALL))
    assert response.status == status
    if status == 200:
        assert orjson.loads(response.body)["message"] == "no"


def test_a_denial_is_known_after_a_restart(tmp_path):
    before = ExplainRoute(Explanations(lambda _head: False), tmp_path)
    before.denials.note(replace(CALL, request_id="denied"), AccessDeniedException("no"))
    before.close()
    after = ExplainRoute(Explanations(lambda _head: False), tmp_path)
    response = asyncio.run(after.handle(Request("GET", f"{PREFIX}denied", []), CALL))
    assert (response.status, orjson.loads(response.body)["message"]) == (200, "no")


def test_who_asks_needs_permission(tmp_path):
    route = ExplainRoute(Explanations(lambda _head: False), tmp_path).route
    assert (route.action, route.path) == (ACTION, "/_gatepost/explain/")
