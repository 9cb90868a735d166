"""Counts of names that come and go, such as a key's requests of a day: an addition for each request."""

from __future__ import annotations


class Tally:
    """What was counted of one name since it was last collected. Several of one name add up."""

    __slots__ = ("name", "noted", "pending")

    def __init__(self, name: str, noted: list[Tally]) -> None:
        """Take the name, and the list in which a tally stands once there is something to collect."""
        self.name = name
        self.noted = noted
        self.pending = 0

    def add(self, count: int) -> None:
        """Count so many; fewer than none takes back."""
        if self.pending == 0:
            self.noted.append(self)
        self.pending += count


def collect(noted: list[Tally], into: dict[str, int]) -> dict[str, int]:
    """Add what was counted to sums by name and begin at none; give what changed."""
    changed: dict[str, int] = {}
    for tally in noted:  # one that came back to none stands here twice: nothing is pending the second time
        if tally.pending:
            into[tally.name] = into.get(tally.name, 0) + tally.pending
            changed[tally.name] = changed.get(tally.name, 0) + tally.pending
            tally.pending = 0
    noted.clear()
    return changed
