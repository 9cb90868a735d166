"""Formats of what a function says."""

from __future__ import annotations

import json
import logging
import sys

from gatepost.services.lambda_.runner.worker.output import CurrentRequest, JsonFormatter


def a_record(**fields) -> logging.LogRecord:
    record = logging.makeLogRecord({"msg": "taken %s", "args": (3,), "levelname": "INFO", "name": "shop", **fields})
    current = CurrentRequest()
    current.request_id = "3c"
    assert current.filter(record)
    return record


def test_json_has_the_message_the_request_and_what_was_added() -> None:
    line = JsonFormatter().format(a_record(sku=7, created=0.0))
    assert line.endswith("\n")
    assert json.loads(line) == {
        "timestamp": "1970-01-01T00:00:00Z", "level": "INFO", "message": "taken 3", "logger": "shop", "requestId": "3c",
        "sku": 7,
    }  # fmt: skip


def test_json_tells_an_exception() -> None:
    try:
        raise KeyError("lost")
    except KeyError:
        fields = json.loads(JsonFormatter().format(a_record(exc_info=sys.exc_info())))
    assert (fields["errorType"], fields["errorMessage"]) == ("KeyError", "'lost'")
    assert "raise KeyError" in fields["stackTrace"][0]


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert json.loads(JsonFormatter().format(a_record(thing={1})))["thing"] == "{1}"
