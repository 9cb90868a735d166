"""Rounds: every server in turn, each round beginning with another one, so that no one is always first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.figures import Case
from benchmarks.processes import PeerFailed


def interleave(servers: Sequence[str], rounds: int, measure: Callable[[str, bool], None], case: Case) -> None:
    """Call `measure(server, is_counted)`: once to warm up, then each round. Who fails is out; the case says why."""
    alive = list(servers)
    for turn in range(-1, rounds):
        shift = turn % max(1, len(servers))
        for name in [*servers[shift:], *servers[:shift]]:
            if name not in alive:
                continue
            try:
                measure(name, turn >= 0)
            except PeerFailed as error:
                if turn < 0:
                    continue  # too short for the slowest; the rounds will tell
                alive.remove(name)
                case.missing[name] = str(error)
                print(f"    {name}: {error}", flush=True)
        if turn >= 0:
            told = {name: {m: round(v[-1], 4) for m, v in case.samples.get(name, {}).items()} for name in alive}
            print(f"    {case.title}, round {turn + 1}: {told}", flush=True)
