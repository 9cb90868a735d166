"""What a worker says, cut into events and bounded."""

from __future__ import annotations

from gatepost.kernel.clock import FixedClock
from gatepost.services.lambda_.runner.transcript import EVENT_BYTES_MAX, SLACK_BYTES, TAIL_BYTES, Transcript
from tests.support.functions import KeptLogs


def a_transcript(*, events_max: int = 100, bytes_max: int = 1_000_000, wants_tail: bool = False):
    logs = KeptLogs()
    transcript = Transcript(logs, FixedClock(), "g", "s", events_max=events_max)
    transcript.begin(bytes_max=bytes_max, wants_tail=wants_tail)
    return transcript, logs


def said(transcript: Transcript, logs: KeptLogs) -> list[str]:
    transcript.flush()
    return [event.message for event in logs.streams.get(("g", "s"), [])]


def test_lines_are_events_wherever_output_is_cut() -> None:
    transcript, logs = a_transcript()
    for part in (b"on", b"e\ntw", b"o\n\nthr"):
        transcript.lines(part)
    transcript.finish_line()
    assert said(transcript, logs) == ["one\n", "two\n", "\n", "thr"]


def test_an_event_keeps_its_line_ends() -> None:
    transcript, logs = a_transcript()
    transcript.event(b"a\nb\n")
    assert said(transcript, logs) == ["a\nb\n"]


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    transcript, logs = a_transcript()
    for _ in range(10):
        transcript.lines(b"x" * (EVENT_BYTES_MAX // 4))
    assert {len(one) for one in said(transcript, logs)[:2]} == {EVENT_BYTES_MAX}


def test_what_is_no_text_is_kept_readable() -> None:
    transcript, logs = a_transcript()
    transcript.lines(b"\xff\xfe\n")
    assert said(transcript, logs) == ["\ufffd\ufffd\n"]


def test_bytes_over_the_bound_are_dropped_until_the_next_invocation() -> None:
    transcript, logs = a_transcript(bytes_max=10)
    transcript.lines(b"x" * (9 + SLACK_BYTES) + b"\n")
    transcript.lines(b"over\n")
    transcript.lines(b"y" * EVENT_BYTES_MAX + b"\n")
    transcript.begin(bytes_max=10, wants_tail=False)
    transcript.lines(b"next\n")
    assert said(transcript, logs)[1:] == ["[gatepost] more output dropped\n", "next\n"]


def test_the_oldest_events_go_first_when_nobody_flushes() -> None:
    transcript, logs = a_transcript(events_max=2)
    transcript.lines(b"1\n2\n3\n")
    assert said(transcript, logs) == ["2\n", "3\n"]


def test_the_tail_is_the_last_4_kb() -> None:
    transcript, _ = a_transcript(wants_tail=True)
    for number in range(3_000):
        transcript.lines(b"%04d\n" % number)
    tail = transcript.take_tail()
    assert len(tail) == TAIL_BYTES
    assert tail.endswith(b"2998\n2999\n")
    assert transcript.take_tail() == b""
