"""Times cross the edge in each protocol's form, and nonsense is refused."""

from __future__ import annotations

import pytest

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.timestamps import from_number, from_text, render, to_seconds

AT_MS = 1_760_000_000_123


@pytest.mark.parametrize(
    ("form", "rendered"),
    [
        ("iso8601", "2025-10-09T08:53:20.123Z"),
        ("rfc822", "Thu, 09 Oct 2025 08:53:20 GMT"),
        ("unixTimestamp", 1_760_000_000.123),
    ],
)
def test_each_form_is_rendered(form: str, rendered: object) -> None:
    assert render(AT_MS, form) == rendered


def test_whole_seconds_have_no_fraction() -> None:
    assert render(1_760_000_000_000, "iso8601") == "2025-10-09T08:53:20Z"
    assert repr(to_seconds(1_760_000_000_000)) == "1760000000"


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-09T08:53:20.123Z",
        "2025-10-09T10:53:20.123+02:00",
        "2025-10-09T08:53:20.123",
        "1760000000.123",
    ],
)
def test_every_form_of_the_same_moment_is_read(text: str) -> None:
    assert from_text(text) == AT_MS


def test_rfc_822_and_dates_alone_are_read() -> None:
    assert from_text("Thu, 09 Oct 2025 08:53:20 GMT") == 1_760_000_000_000
    assert from_text("2025-10-09") == 1_759_968_000_000
    assert from_text("0") == 0


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2025-13-01", "1e999", "99999999999999999999", "2025-10-09T25:00:00Z", "Thu, 99 Oct 2025"]
)
def test_texts_that_are_no_time_are_refused(text: str) -> None:
    with pytest.raises(SerializationException):
        from_text(text)


@pytest.mark.parametrize("number", [True, float("nan"), float("inf"), 1e300, -1e300, "1", None])
def test_values_that_are_no_time_are_refused(number: object) -> None:
    with pytest.raises(SerializationException):
        from_number(number)


@pytest.mark.parametrize("seconds", [0, -1, 0.001, 253_402_300_799.999, -62_135_596_800])
def test_times_survive_a_round_trip(seconds: float) -> None:
    assert to_seconds(from_number(seconds)) == seconds
