"""Records of asynchronous invocations."""

from __future__ import annotations

import base64

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import InvocationResult
from gatepost.services.lambda_.destinations import is_lost, record_of
from gatepost.services.lambda_.events import Ending, FunctionEvent
from gatepost.services.lambda_.model import InvalidParameterValueException

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def an_event(arn: str = ARN) -> FunctionEvent:
    return FunctionEvent("id", arn, base64.b64encode(b"1").decode(), 0)


def test_an_event_that_never_ran_has_no_response() -> None:
    record = record_of(an_event(f"{ARN}:live"), Ending("EventAgeExceeded", 0), now_ms=0)
    assert record["requestContext"]["functionArn"] == f"{ARN}:live"
    assert "responseContext" not in record
    assert "responsePayload" not in record


def test_what_is_no_json_is_told_as_text() -> None:
    ending = Ending("Success", 1, InvocationResult(200, b"\xff not json"))
    assert record_of(an_event(), ending, now_ms=0)["responsePayload"] == "\ufffd not json"


def test_only_what_may_pass_is_tried_again() -> None:
    assert is_lost(InvalidParameterValueException("gone"))
    assert not is_lost(ServiceUnavailable("not now"))
