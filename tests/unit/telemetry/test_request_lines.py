"""Requests found again in files of JSON lines."""

from __future__ import annotations

from gatepost.telemetry.request_lines import find_line


def test_the_last_line_of_a_request_is_found_in_either_file(tmp_path):
    path = tmp_path / "a.log"
    assert find_line(path, "one") is None
    path.write_bytes(b'{"requestId":"one","n":1}\n{"requestId":"two"}\n{"requestId":"one","n":2}\n')
    path.with_name("a.log.1").write_bytes(b'{"requestId":"old"}\n')
    assert find_line(path, "one") == {"requestId": "one", "n": 2}
    assert find_line(path, "old") == {"requestId": "old"}
    assert find_line(path, "on") is None


def test_what_is_no_id_or_half_a_line_is_not_found(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b'{"requestId":"one","n"')
    assert find_line(path, "one") is None
    assert find_line(path, "") is None
    assert find_line(path, 'x"' * 40) is None
