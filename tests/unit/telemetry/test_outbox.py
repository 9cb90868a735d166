from gatepost.kernel.ports import LogEvent
from gatepost.telemetry.outbox import LogOutbox


def some(*messages, at=1):
    return [LogEvent(at, message) for message in messages]


def test_runs_of_one_stream_stay_together():
    outbox = LogOutbox()
    outbox.put("g", "a", some("1", "2"))
    outbox.put("g", "a", some("3"))
    outbox.put("g", "b", some("4"))
    taken = [(run["stream"], [message for _, message in run["events"]]) for run in outbox.take()]
    assert taken == [("a", ["1", "2", "3"]), ("b", ["4"])]
    assert outbox.take() == []


def test_the_oldest_go_first_when_nobody_fetches():
    outbox = LogOutbox(bytes_max=10 * (26 + 4))
    for number in range(25):
        outbox.put("g", "s", some(f"{number:04}"))
    kept = [message for run in outbox.take() for _, message in run["events"]]
    assert kept == [f"{number:04}" for number in range(15, 25)]
    assert outbox.dropped == 15


def test_what_could_not_be_sent_comes_back_in_order():
    outbox = LogOutbox()
    outbox.put("g", "s", some("1", "2"))
    outbox.give_back(outbox.take())
    outbox.put("g", "s", some("3"))
    assert [message for run in outbox.take() for _, message in run["events"]] == ["1", "2", "3"]


def test_a_large_backlog_is_taken_in_pieces():
    outbox = LogOutbox()
    outbox.put("g", "s", some(*("x" * 100_000 for _ in range(25))))
    sizes = []
    while batch := outbox.take():
        sizes.append(sum(len(run["events"]) for run in batch))
    assert sum(sizes) == 25
    assert max(sizes) <= 11
