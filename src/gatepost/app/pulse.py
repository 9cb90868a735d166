"""Whether a role that says nothing hangs, or only waits for its turn on a busy machine.

Silence is counted in looks and not by the clock: a supervisor that has itself been held up (a suspended laptop, a
machine with ten times the work that it can do) finds everyone's last word long ago, and what was said since in a pipe
that it has not read yet. It is one look later then, not thirty seconds.

A process that waits for a processor or for a disk and has hardly run has had no chance to speak, and to start it again
would only make the machine busier. It is given longer. One that sleeps, is stopped, or has run all the time without
its loop turning hangs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

LOOKS: Final = 4  # without a word, until a role is looked at closely
PATIENCE: Final = 4  # times as many, for one that has had no chance
BUSY_SHARE: Final = 0.5  # of the time: one that has run so long could have spoken
WAITING: Final = ("R", "D")  # for a processor, for a disk
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Look(NamedTuple):
    """What the kernel says of a process: its state (`R`, `S`, `D`, `T`, …) and the CPU time it has had."""

    state: str
    cpu_s: float


def look_at(pid: int) -> Look | None:
    """Look at a process; None where the kernel does not tell, or it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return Look(fields[0], (int(fields[11]) + int(fields[12])) / _TICKS)
    except (OSError, ValueError, IndexError):
        return None


class Pulse:
    """Listens to one role. `look_s` is the time between two looks."""

    def __init__(self, look_s: float, *, look: Callable[[int], Look | None] = look_at) -> None:
        self._look_s = look_s
        self._look = look
        self._has_spoken = True
        self._silent = 0
        self._cpu_s = 0.0

    def heard(self) -> None:
        """Note a word of the role's."""
        self._has_spoken = True

    def is_gone(self, pid: int) -> bool:
        """Look once more, and say whether the role hangs."""
        found = self._look(pid)
        if self._has_spoken:
            self._has_spoken = False
            self._silent = 0
            self._cpu_s = 0.0 if found is None else found.cpu_s
            return False
        self._silent += 1
        if self._silent < LOOKS:
            return False
        if found is None or self._silent >= LOOKS * PATIENCE:
            return True
        has_run = found.cpu_s - self._cpu_s >= self._silent * self._look_s * BUSY_SHARE
        return has_run or found.state not in WAITING
