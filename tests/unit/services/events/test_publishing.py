"""Entries as events, and their size."""

from __future__ import annotations

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.operations import Call
from gatepost.services.events.buses import bus_name
from gatepost.services.events.model import EventsValidationException
from gatepost.services.events.publishing import REQUEST_BYTES_MAX, BadEntry, Matcher, bus_arn, check_size, event_of
from tests.support.toys import ACCOUNT, ADMINISTRATOR

CALL = Call("events", "PutEvents", ACCOUNT, "us-east-1", ADMINISTRATOR, "r", 0)
ENTRY = {"Source": "shop", "DetailType": "t", "Detail": "{}"}


def test_a_request_is_at_most_a_mebibyte() -> None:
    entry = {**ENTRY, "Detail": "x" * (REQUEST_BYTES_MAX - 5)}
    check_size({"Entries": [entry]})
    with pytest.raises(EventsValidationException, match="over the limit"):
        check_size({"Entries": [entry, ENTRY]})


def test_an_event_is_of_now_unless_it_says_when() -> None:
    assert event_of(CALL, ENTRY, "id", FixedClock(1_000))["time"] == "1970-01-01T00:00:01Z"


@pytest.mark.parametrize("name", ["Source", "DetailType", "Detail"])
def test_an_entry_needs_its_members(name: str) -> None:
    with pytest.raises(BadEntry, match=f"Parameter {name} is not valid. Reason: {name} is a required argument."):
        event_of(CALL, {**ENTRY, name: ""}, "id", FixedClock())


def test_a_bus_is_named_by_name_or_arn() -> None:
    arn = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/orders"
    assert bus_arn(CALL, {"EventBusName": "orders"}) == bus_arn(CALL, {"EventBusName": arn}) == arn
    assert (bus_name(None), bus_name(arn)) == ("default", "orders")


def test_compiled_patterns_are_bounded() -> None:
    matcher = Matcher(patterns_max=2)
    for number in range(5):
        assert matcher.matches(f'{{"a":[{number}]}}', {"a": number})
