"""Chunks of events, merged by time in both directions."""

from __future__ import annotations

import random

from gatepost.services.logs.events import CHUNK_SPAN_MS, END, START, Chunk, Place, backward, forward, pack


def chunks_of(*batches: list[tuple[int, str]]) -> list[Chunk]:
    found = []
    for batch in batches:
        for first_ms, last_ms, content in pack(batch):
            found.append(Chunk(len(found) + 1, "s", first_ms, last_ms, 0, content))
    return found


def test_a_batch_is_cut_where_it_spans_too_long() -> None:
    events = [(0, "a"), (CHUNK_SPAN_MS, "b"), (CHUNK_SPAN_MS + 1, "c"), (5, "a2")]
    assert [(first, last) for first, last, _ in pack(events)] == [(0, CHUNK_SPAN_MS), (CHUNK_SPAN_MS + 1,) * 2]


def test_events_of_the_same_time_stay_in_their_order() -> None:
    chunks = chunks_of([(1, "a"), (1, "b")], [(1, "c")])
    assert [event.message for event in forward(iter(chunks), START)] == ["a", "b", "c"]
    assert [event.message for event in backward(iter(chunks[::-1]), END)] == ["c", "b", "a"]


def test_any_place_divides_what_was_read_from_what_was_not() -> None:
    dice = random.Random(7)
    batches = [[(dice.randrange(50_000), f"{n}.{m}") for m in range(dice.randrange(1, 9))] for n in range(40)]
    chunks = chunks_of(*batches)
    by_first = sorted(chunks, key=lambda chunk: chunk.first_ms)
    by_last = [
        Chunk(one.id, one.stream, one.first_ms, one.first_ms + CHUNK_SPAN_MS, 0, one.content) for one in by_first[::-1]
    ]
    everything = list(forward(iter(by_first), START))
    places = [event.place for event in everything]
    assert places == sorted(places)
    assert len(places) == sum(len(batch) for batch in batches)
    assert [event.place for event in backward(iter(by_last), END)] == places[::-1]
    for cut in range(0, len(places), 7):
        assert [event.place for event in forward(iter(by_first), places[cut])] == places[cut + 1 :]
        assert [event.place for event in backward(iter(by_last), places[cut])] == places[:cut][::-1]


def test_places_order_by_time_first() -> None:
    assert START < Place(0, 9, 9) < Place(1, 0, 0) < END
