"""The runtime inside a worker, as far as it runs without one."""

from __future__ import annotations

import json
from collections import OrderedDict
from decimal import Decimal

import pytest

from gatepost.services.lambda_.runner.worker.bootstrap import ResponseEncoder, load_handler
from gatepost.services.lambda_.runner.worker.faults import Fault, fault_result, own_frames


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        ({"a": [1, True, 1.5]}, b'{"a": [1, true, 1.5]}'),
        (Decimal("10.10"), b"10.10"),
        ({"a": Decimal("1E+3")}, b'{"a": 1E+3}'),
        ("\u00fc", b'"\\u00fc"'),
        (OrderedDict(a=(1, 2)), b'{"a": [1, 2]}'),
        (b"raw\x00", b"raw\x00"),
        (float("inf"), b"Infinity"),
    ],
)
def test_responses_are_encoded_as_by_lambda(value: object, text: bytes) -> None:
    assert ResponseEncoder("AWS_Lambda_python3.11").encode(value) == text


def test_newer_runtimes_write_plain_text() -> None:
    assert ResponseEncoder("AWS_Lambda_python3.12").encode("\u00fc") == '"\u00fc"'.encode()


def test_a_string_that_looks_like_a_number_stays_a_string() -> None:
    encoded = ResponseEncoder("").encode({"a": "12.5", "b": Decimal("12.5")})
    assert json.loads(encoded) == {"a": "12.5", "b": 12.5}


@pytest.mark.parametrize("value", [{1}, object(), {"a": {1}}, {(1, 2): 1}, "\ud800".join("ab"), b"\xff".hex])
def test_what_cannot_be_encoded_is_a_fault(value: object) -> None:
    with pytest.raises(Fault) as fault:
        ResponseEncoder("AWS_Lambda_python3.12").encode(value)
    assert fault.value.kind == "Runtime.MarshalError"


def test_a_handler_is_found_by_module_and_name() -> None:
    assert load_handler("json.dumps") is json.dumps
    assert load_handler("json/decoder.JSONDecoder") is json.decoder.JSONDecoder


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("handler", "Runtime.MalformedHandlerName"),
        ("sys.exit", "Runtime.BuiltInModuleConflict"),
        ("nowhere_at_all.handler", "Runtime.ImportModuleError"),
        ("json.nothing", "Runtime.HandlerNotFound"),
    ],
)
def test_a_handler_that_is_not_there_is_a_fault(handler: str, kind: str) -> None:
    with pytest.raises(Fault) as fault:
        load_handler(handler)
    assert fault.value.kind == kind


def test_a_traceback_begins_with_the_functions_own_code() -> None:
    try:
        raise ValueError("here")
    except ValueError as error:
        [frame] = own_frames(error.__traceback__)
    assert "raise ValueError" in frame
    assert fault_result("ValueError", "here", [frame], "id") == {
        "errorMessage": "here", "errorType": "ValueError", "requestId": "id", "stackTrace": [frame],
    }  # fmt: skip
