"""Patterns of space-delimited events."""

from __future__ import annotations

import time

import pytest

from gatepost.services.logs.space_pattern import SpacePattern, fields_of

LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("ip, id, user, timestamp, request, status_code, size", True),
        ("ip, id, user, timestamp, request, status_code", False),
        ("ip, ..., size", True),
        ("...", True),
        ("ip, id, user, timestamp, request, status_code = 4*, size", True),
        ("..., status_code = 500, size", False),
        ("..., size > 1000", True),
        ("..., size > 1000 && size < 1500", False),
        ("..., (status_code = 404 || status_code = 410), size", True),
        ("ip, id, user = frank, ...", True),
        ("ip, id, user != frank, ...", False),
        ('ip, id, user, timestamp, request = "*html*", ...', True),
        ("ip=%127\\.0\\.0\\.[1-9]%, ...", True),
        ("w1 = ERROR || w1 = 127*, ...", True),
        ("a, b, c, d, e, f, g, h", False),
    ],
)
def test_a_line_matches(pattern: str, is_match: bool) -> None:
    assert SpacePattern(pattern).matches(LINE) is is_match


def test_quotation_marks_and_brackets_hold_a_field_together() -> None:
    assert fields_of(LINE)[3:5] == ["10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0"]


def test_fields_are_found_by_name_and_those_under_dots_by_number() -> None:
    assert SpacePattern("ip, ..., size").extract("1.1.1.1 a b 9") == {
        "$ip": "1.1.1.1",
        "$2": "a",
        "$3": "b",
        "$size": "9",
    }


def test_brackets_that_are_never_closed_take_one_walk() -> None:
    started = time.perf_counter()
    assert len(fields_of("[ " * 200_000 + '"')) == 200_001
    assert time.perf_counter() - started < 1
