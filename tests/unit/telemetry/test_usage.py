from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import orjson
import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import SettingsError
from gatepost.telemetry.usage import HOURS_KEPT, RESEND_AFTER_MS, UsageJournal, UsageTotals

HOUR = 3_600_000


class Receiver:
    """The other end: takes batches over when the link is up, and counts what has arrived."""

    def __init__(self):
        self.totals = UsageTotals()
        self.is_up = True
        self.sent: list[int] = []

    def send(self, number, batch):
        if not self.is_up:
            return False
        self.sent.append(number)
        self.totals = UsageTotals(orjson.loads(orjson.dumps(self.totals.to_json())))  # as a record would keep it
        self.totals.take(number, orjson.loads(orjson.dumps(batch)))
        return True

    def count(self, key="api/prod"):
        return sum(counts.get(key, 0) for counts in self.totals.hours.values())


def a_journal(path, receiver, clock=None):
    journal = UsageJournal(path, clock=clock or FixedClock(), send=receiver.send)
    journal.open()
    return journal


def lines(path: Path):
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_counts_are_on_the_disk_before_they_are_sent(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        journal.counter("api/prod").pending += 3
        journal.counter("api/test").add_one()
        journal.send_waiting()
        assert receiver.sent == []
        await journal.flush()
        assert lines(path)[-1]["counts"] == {"api/prod": 3, "api/test": 1}
        journal.send_waiting()
        assert receiver.sent == [1]
        journal.acknowledge(1)
        await journal.close()

    asyncio.run(scenario())
    assert receiver.count() == 3
    assert lines(path)[-1] == {"acknowledged": 1}


def test_what_was_not_acknowledged_is_sent_again_after_a_restart_and_counts_once(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def first():
        journal = a_journal(path, receiver)
        for number in (1, 2, 3):
            journal.counter("api/prod").pending += 10
            await journal.flush()
            journal.send_waiting()
            if number == 1:
                journal.acknowledge(1)
        await journal.close()

    async def second():
        journal = a_journal(path, receiver)
        assert journal.waiting == 2
        journal.connected()
        assert receiver.sent == [1, 2, 3, 2, 3]
        journal.acknowledge(3)
        journal.counter("api/prod").pending += 1
        await journal.flush()
        journal.send_waiting()
        assert receiver.sent[-1] == 4
        await journal.close()

    asyncio.run(first())
    asyncio.run(second())
    assert receiver.count() == 31


def test_while_nobody_fetches_one_batch_takes_all_counts_of_an_hour(tmp_path):
    path, receiver, clock = tmp_path / "usage.journal", Receiver(), FixedClock()
    receiver.is_up = False

    async def scenario():
        journal = a_journal(path, receiver, clock)
        for _ in range(50):
            journal.counter("api/prod").add_one()
            await journal.flush()
            journal.send_waiting()
        assert journal.waiting == 1
        clock.advance(ms=HOUR)
        journal.counter("api/prod").add_one()
        await journal.flush()
        assert journal.waiting == 2
        await journal.close()

    asyncio.run(scenario())

    async def later():
        receiver.is_up = True
        journal = a_journal(path, receiver, clock)
        journal.connected()
        await journal.close()

    asyncio.run(later())
    assert receiver.count() == 51
    assert len(receiver.totals.hours) == 2


def test_a_batch_that_was_handed_out_never_changes(tmp_path):
    receiver = Receiver()

    async def scenario():
        journal = a_journal(tmp_path / "usage.journal", receiver)
        for _ in range(3):
            journal.counter("api/prod").add_one()
            await journal.flush()
            journal.send_waiting()
        await journal.close()

    asyncio.run(scenario())
    assert receiver.sent == [1, 2, 3]
    assert receiver.count() == 3


def test_a_batch_without_an_acknowledgement_is_sent_again_after_a_while(tmp_path):
    receiver, clock = Receiver(), FixedClock()

    async def scenario():
        journal = a_journal(tmp_path / "usage.journal", receiver, clock)
        journal.counter("api/prod").add_one()
        await journal.flush()
        journal.send_waiting()
        clock.advance(ms=RESEND_AFTER_MS - 1)
        journal.send_waiting()
        assert receiver.sent == [1]
        clock.advance(ms=1)
        journal.send_waiting()
        assert receiver.sent == [1, 1]
        await journal.close()

    asyncio.run(scenario())
    assert receiver.count() == 1


def test_closing_journals_what_was_counted(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        journal.start()
        journal.counter("api/prod").add_one()
        await journal.close()

    asyncio.run(scenario())
    assert lines(path)[-1]["counts"] == {"api/prod": 1}


def test_a_journal_that_begins_again_is_not_taken_for_a_repetition(tmp_path):
    receiver = Receiver()

    async def scenario(name):
        journal = a_journal(tmp_path / name, receiver)
        journal.counter("api/prod").add_one()
        await journal.flush()
        journal.send_waiting()
        await journal.close()

    asyncio.run(scenario("one.journal"))
    asyncio.run(scenario("two.journal"))
    assert receiver.sent == [1, 1]
    assert receiver.count() == 2


def test_a_torn_last_line_is_cut_off(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        journal.counter("api/prod").add_one()
        await journal.flush()
        await journal.close()
        with path.open("ab") as file:
            file.write(b'{"number": 2, "hour_ms": 0, "cou')
        journal = a_journal(path, receiver)
        assert journal.waiting == 1
        await journal.close()

    asyncio.run(scenario())


def test_a_file_that_is_not_a_journal_is_never_guessed_at(tmp_path):
    path = tmp_path / "usage.journal"
    path.write_bytes(b"nonsense\n")
    with pytest.raises(SettingsError, match="line 1 is not a usage journal's"):
        a_journal(path, Receiver())
    assert path.read_bytes() == b"nonsense\n"


def test_a_disk_that_refuses_keeps_the_counts_in_memory(tmp_path, caplog):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        whole, journal._file = journal._file, os.open("/dev/full", os.O_WRONLY)
        for _ in range(3):
            journal.counter("api/prod").add_one()
            await journal.flush()
            journal.send_waiting()
        assert receiver.sent == []
        os.close(journal._file)
        journal._file = whole
        await journal.flush()
        journal.send_waiting()
        await journal.close()

    asyncio.run(scenario())
    assert receiver.count() == 3
    assert [record.message for record in caplog.records] == ["usage counts stay in memory"]


def test_the_journal_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("gatepost.telemetry.usage.JOURNAL_BYTES_MAX", 2_000)
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        for number in range(1, 200):
            journal.counter("api/prod").add_one()
            await journal.flush()
            journal.send_waiting()
            journal.acknowledge(number)
        await journal.close()

    asyncio.run(scenario())
    assert receiver.count() == 199
    assert path.stat().st_size < 3_000


def test_batches_count_once_in_whatever_order_they_arrive():
    chance = random.Random(7)
    for _ in range(50):
        totals = UsageTotals()
        arrivals = [*range(1, 20), *chance.sample(range(1, 20), 10)]
        chance.shuffle(arrivals)
        for number in arrivals:
            totals.take(number, {"journal": "j", "hour_ms": 0, "counts": {"k": number}})
            totals = UsageTotals(orjson.loads(orjson.dumps(totals.to_json())))
        assert totals.hours == {"0": {"k": sum(range(1, 20))}}
        assert totals.to_json()["taken"] == {"j": [19]}


def test_totals_keep_so_many_hours():
    totals = UsageTotals()
    for number in range(1, HOURS_KEPT + 10):
        totals.take(number, {"journal": "j", "hour_ms": number * HOUR, "counts": {"k": 1}})
    assert len(totals.hours) == HOURS_KEPT


MONTH = "quota:a/r/gold/k1/MONTH/2025-10-01"


def test_what_is_kept_is_never_sent_and_outlives_acknowledgements_and_restarts(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def life(uses, *, flushes):
        journal = a_journal(path, receiver)
        before = journal.standing(MONTH)
        for _ in range(flushes):
            for _ in range(uses):
                journal.kept(MONTH).add(1)
                journal.counted("key:a/r/gold/k1/2025-10-09").add(1)
            await journal.flush()
            journal.send_waiting()
            journal.acknowledge(receiver.sent[-1])
        await journal.close()
        return before

    assert [asyncio.run(life(3, flushes=2)) for _ in range(4)] == [0, 6, 12, 18]
    assert receiver.count("key:a/r/gold/k1/2025-10-09") == 24
    assert receiver.count(MONTH) == 0


def test_what_is_kept_counts_once_whenever_the_file_is_written_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("gatepost.telemetry.usage.JOURNAL_BYTES_MAX", 300)
    path, receiver = tmp_path / "usage.journal", Receiver()
    chance = random.Random(7)

    async def life():
        journal = a_journal(path, receiver)
        kept = 0
        for _ in range(40):
            for _ in range(chance.randrange(4)):
                journal.kept(MONTH).add(1)
                kept += 1
            if chance.random() < 0.2:
                journal.kept(MONTH).add(-1)
                kept -= 1
            receiver.is_up = chance.random() < 0.5
            await journal.flush()
            journal.send_waiting()
            if receiver.sent and chance.random() < 0.5:
                journal.acknowledge(receiver.sent[-1])
        await journal.close()
        return kept

    total = 0
    for _ in range(8):
        total += asyncio.run(life())
        journal = a_journal(path, receiver)
        assert journal.standing(MONTH) == total
        asyncio.run(journal.close())


def test_a_write_that_failed_keeps_what_was_kept(tmp_path, monkeypatch):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        journal.kept(MONTH).add(1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _file: (_ for _ in ()).throw(OSError("full")))
            await journal.flush()
        journal.kept(MONTH).add(1)
        await journal.flush()
        await journal.close()

    asyncio.run(scenario())
    journal = a_journal(path, receiver)
    assert journal.standing(MONTH) == 2
    asyncio.run(journal.close())


def test_only_the_last_periods_of_a_quota_stay(tmp_path):
    path, receiver = tmp_path / "usage.journal", Receiver()

    async def scenario():
        journal = a_journal(path, receiver)
        for day in range(10, 20):
            journal.kept(f"quota:a/r/gold/k1/DAY/2025-10-{day}").add(1)
        journal.kept("quota:a/r/gold/k2/DAY/2025-10-10").add(1)
        await journal.close()

    asyncio.run(scenario())
    journal = a_journal(path, receiver)
    kept = [day for day in range(10, 20) if journal.standing(f"quota:a/r/gold/k1/DAY/2025-10-{day}")]
    assert kept == [17, 18, 19]
    assert journal.standing("quota:a/r/gold/k2/DAY/2025-10-10") == 1
    asyncio.run(journal.close())


def test_what_another_processes_journal_keeps_is_read_without_touching_it(tmp_path):
    path = tmp_path / "usage.journal"

    async def scenario():
        journal = a_journal(path, Receiver())
        journal.kept("quota:p/k/DAY/2026-11-24").add(3)
        await journal.flush()
        journal.kept("quota:p/k/DAY/2026-11-24").add(2)
        await journal.flush()
        before = path.read_bytes()
        assert UsageJournal.standing_in(path, clock=FixedClock()) == {"quota:p/k/DAY/2026-11-24": 5}
        assert path.read_bytes() == before
        await journal.close()

    asyncio.run(scenario())
