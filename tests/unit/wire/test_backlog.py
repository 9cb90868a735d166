"""How much clients may leave unread, all together."""

from gatepost.wire.backlog import Backlog


class AReader:
    def __init__(self) -> None:
        self.aborts = 0

    def abort(self) -> None:
        self.aborts += 1


def test_the_connection_that_holds_most_is_cut_off_and_of_several_the_oldest() -> None:
    backlog = Backlog(100)
    small, old, young = AReader(), AReader(), AReader()
    assert [backlog.hold(small, 10), backlog.hold(old, 40), backlog.hold(young, 40)] == [0, 0, 0]
    assert backlog.hold(small, 25) == 1
    assert (small.aborts, old.aborts, young.aborts) == (0, 1, 0)
    assert backlog.bytes == 65
    assert backlog.hold(old, 0) == 0  # it is told of its end, too
    assert backlog.bytes == 65


def test_what_is_read_is_free_again_and_one_alone_can_be_too_much() -> None:
    backlog = Backlog(100)
    reader, greedy = AReader(), AReader()
    for size in (90, 50, 0, 100):
        assert backlog.hold(reader, size) == 0
    assert backlog.hold(reader, 0) == 0
    assert backlog.hold(greedy, 101) == 1
    assert (backlog.bytes, greedy.aborts) == (0, 1)
