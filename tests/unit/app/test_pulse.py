"""A role that hangs is told from one that a busy machine gives no turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from gatepost.app.pulse import LOOKS, PATIENCE, Look, Pulse, look_at

LOOK_S = 7.5


def looks_until_gone(*looks: Look | None, spoken_before: tuple[int, ...] = ()) -> int:
    """Give at which look a role is given up; the last of `looks` stays. 0: not within a hundred."""
    seen = iter(looks)
    now: list[Look | None] = [None]
    pulse = Pulse(LOOK_S, look=lambda _pid: now[0])
    for count in range(1, 101):
        now[0] = next(seen, now[0])
        if count in spoken_before:
            pulse.heard()
        if pulse.is_gone(1):
            return count
    return 0


# The first look only notes that the role has spoken until then.
@pytest.mark.parametrize(
    ("look", "looks"),
    [
        (Look("S", 1.0), LOOKS + 1),  # it waits for what does not come
        (Look("T", 1.0), LOOKS + 1),
        (Look("Z", 1.0), LOOKS + 1),
        (None, LOOKS + 1),
        (Look("R", 1.0), LOOKS * PATIENCE + 1),  # no processor
        (Look("D", 1.0), LOOKS * PATIENCE + 1),  # no disk
    ],
)
def test_silence_is_borne_longer_where_the_machine_is_busy(look: Look | None, looks: int) -> None:
    assert looks_until_gone(look) == looks


def test_one_that_runs_without_a_word_hangs() -> None:
    running = [Look("R", LOOK_S * count) for count in range(LOOKS + 1)]
    assert looks_until_gone(*running) == LOOKS + 1
    slowly = [Look("R", LOOK_S * count / 4) for count in range(LOOKS * PATIENCE + 1)]
    assert looks_until_gone(*slowly) == LOOKS * PATIENCE + 1


def test_a_word_begins_the_count_anew() -> None:
    assert looks_until_gone(Look("S", 1.0), spoken_before=(LOOKS,)) == 2 * LOOKS
    assert looks_until_gone(Look("S", 1.0), spoken_before=tuple(range(0, 101, LOOKS))) == 0


def test_the_kernel_tells_of_processes() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while ((found := look_at(child.pid)) is None or found.state != "S") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert found is not None
        assert found.state == "S"
        mine = look_at(os.getpid())
        assert mine is not None
        assert (mine.state, mine.cpu_s > 0) == ("R", True)
    finally:
        child.communicate(b"\n")
    assert look_at(child.pid) is None
