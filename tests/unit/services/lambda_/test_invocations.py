"""Payloads of invocations."""

from __future__ import annotations

import pytest

from gatepost.services.lambda_.invocations import EVENT_PAYLOAD_BYTES_MAX, check_payload
from gatepost.services.lambda_.model import InvalidRequestContentException, RequestTooLargeException


def test_an_events_payload_has_at_most_a_mebibyte() -> None:
    check_payload(b'"' + b"x" * (EVENT_PAYLOAD_BYTES_MAX - 2) + b'"', EVENT_PAYLOAD_BYTES_MAX)
    with pytest.raises(RequestTooLargeException, match="smaller than 1048576 bytes"):
        check_payload(b'"' + b"x" * (EVENT_PAYLOAD_BYTES_MAX - 1) + b'"', EVENT_PAYLOAD_BYTES_MAX)


@pytest.mark.parametrize("payload", [b"", b"{", b"nope", b"\xff"])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidRequestContentException, match="Could not parse request body into json"):
        check_payload(payload, 100)
