"""Events that clients put: checked, written out as EventBridge's envelope, and given to the rules that match.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.operations import Call
from gatepost.services.events.buses import bus_name
from gatepost.services.events.model import EventsValidationException, InvalidEventPatternException
from gatepost.services.events.patterns import BadPattern, EventPattern

REQUEST_BYTES_MAX: Final = 1024 * 1024  # of all entries: 1 MB since January 2026
_REQUIRED: Final = ("Source", "DetailType", "Detail")
_EVENT_MEMBERS: Final = ("id", "account", "source", "time", "region", "resources", "detail-type")

Params = Mapping[str, Any]
Answer = dict[str, Any]


class BadEntry(Exception):
    """An entry is not taken: AWS's code, and its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_size(params: Params) -> None:
    """Refuse more than a request may bring. Raises: ValidationException."""
    total = 0
    for entry in params["Entries"]:
        total += 14 if entry.get("Time") else 0
        texts = [entry.get(name) or "" for name in _REQUIRED] + list(entry.get("Resources") or ())
        total += sum(len(text.encode()) for text in texts)
    if total > REQUEST_BYTES_MAX:
        raise EventsValidationException("Total size of the entries in the request is over the limit.")


def event_of(call: Call, entry: Params, event_id: str, clock: Clock) -> dict[str, Any]:
    """Write an entry out as an event. Raises: BadEntry."""
    if entry.get("TraceHeader"):
        raise BadEntry("InvalidArgument", "TraceHeader is not supported by Gatepost: there are no traces")
    for name in _REQUIRED:
        if not entry.get(name):
            raise BadEntry("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if entry["Source"].startswith("aws."):
        raise BadEntry("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = orjson.loads(entry["Detail"])
    except ValueError:
        raise BadEntry("MalformedDetail", "Detail is malformed.") from None
    if not isinstance(detail, dict):
        raise BadEntry("MalformedDetail", "Detail is malformed.")
    at_ms = entry.get("Time")
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": call.account_id,
        "time": f"{iso_8601(int(at_ms) if at_ms is not None else clock.now_ms())[:19]}Z",
        "region": call.region,
        "resources": list(entry.get("Resources") or ()),
        "detail": detail,
    }


def bus_arn(call: Call, entry: Params) -> str:
    """Give the ARN of the bus that an entry goes to."""
    given = entry.get("EventBusName")
    return str(given) if given and given.startswith("arn:") else call.arn(f"event-bus/{bus_name(given)}")


def compiled(text: str) -> EventPattern:
    """Compile a pattern. Raises: InvalidEventPatternException."""
    try:
        return EventPattern(text)
    except BadPattern as error:
        raise InvalidEventPatternException(f"Event pattern is not valid. Reason: {error}") from error


def test_pattern(params: Params) -> Answer:
    """Say whether an event matches a pattern. Raises: InvalidEventPatternException, ValidationException."""
    pattern = compiled(params["EventPattern"])
    try:
        event = json.loads(params["Event"])
    except (ValueError, RecursionError) as error:
        raise EventsValidationException(f"Parameter Event is not valid. Reason: {error}") from error
    missing = [name for name in _EVENT_MEMBERS if not isinstance(event, dict) or name not in event]
    if missing:
        raise EventsValidationException(f"Parameter Event is not valid. Reason: {missing[0]} is a required argument.")
    return {"Result": pattern.matches(event)}


class Matcher:
    """Remembers compiled patterns by their text."""

    def __init__(self, patterns_max: int = 10_000) -> None:
        self._patterns: dict[str, EventPattern] = {}
        self._patterns_max = patterns_max

    def matches(self, text: str, event: Mapping[str, Any]) -> bool:
        """Say whether an event matches a pattern that was checked when it was put."""
        pattern = self._patterns.get(text)
        if pattern is None:
            if len(self._patterns) >= self._patterns_max:
                self._patterns.clear()
            pattern = self._patterns[text] = compiled(text)
        return pattern.matches(event)
