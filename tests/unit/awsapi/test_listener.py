"""Requests that never reach the endpoint are told why, in a form that the client reads."""

from __future__ import annotations

import json

import pytest

from gatepost.awsapi.listener import refuse
from gatepost.wire.limits import STATUS_OF_REASON, Reason, WireRefusal
from gatepost.wire.messages import Request


@pytest.mark.parametrize("reason", list(STATUS_OF_REASON))
def test_every_refusal_has_a_code_and_a_message(reason: Reason) -> None:
    response = refuse(WireRefusal(reason, "secret detail"))
    told = json.loads(response.body)
    assert response.status == STATUS_OF_REASON[reason]
    assert told["__type"]
    assert told["message"]
    assert b"secret" not in response.body


def test_a_form_is_answered_in_xml() -> None:
    request = Request("POST", "/", [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")])
    response = refuse(WireRefusal("body_too_large", "", request))
    assert response.status == 413
    assert b"<Code>RequestEntityTooLargeException</Code>" in response.body
