"""How much memory a worker and what it started use, from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
PROCESSES_MAX: Final = 2048  # of one worker that are looked at


def resident_bytes(pid: int) -> int:
    """Give the resident memory of one process, shared pages included; 0 when it is gone."""
    try:
        with Path(f"/proc/{pid}/statm").open("rb") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Give a process's memory with shared pages divided among those who share them (PSS).

    Its resident memory when the kernel does not tell: workers that share a user with others are closed to us, too.
    """
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        return resident_bytes(pid)
    return resident_bytes(pid)


def children(pid: int) -> list[int]:
    """Give the direct children of a process."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names of a virtual directory
            with Path(f"/proc/{pid}/task/{thread}/children").open("rb") as file:
                found.extend(int(child) for child in file.read().split())
    except (OSError, ValueError):
        return found
    return found


def family(pid: int) -> list[int]:
    """Give `pid` and everything below it."""
    found = [pid]
    for member in found:
        if len(found) >= PROCESSES_MAX:
            break
        found.extend(children(member))
    return found


def used_bytes(pid: int, limit_bytes: int) -> int:
    """Give what a worker and its children use.

    Resident sizes count pages that forked processes share several times over; so only when their sum is over
    `limit_bytes` and there are several, the exact and slower sum is taken.
    """
    members = family(pid)
    total = sum(resident_bytes(member) for member in members)
    if total > limit_bytes and len(members) > 1:
        total = sum(proportional_bytes(member) for member in members)
    return total
