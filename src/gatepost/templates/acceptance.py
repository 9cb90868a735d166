"""The three ways on when something cannot be enforced: named services, the `gatepost.accept` file, leniency.

`gatepost.accept` lies beside the template, is checked in with it, and has one entry a line:

    # what            property                     until        why
    OrdersTable       StreamSpecification          2027-03-01   the stream's readers are not tested locally
    AWS::SNS::Topic   *                            2027-03-01   alerts go nowhere on laptops

`what` is a logical id or a type; `*` stands for the whole resource. An expired entry fails the deployment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from gatepost.templates.problems import Problem, TemplateRefused

ENTRIES_MAX: Final = 500
_LINE: Final = re.compile(r"(\S+)\s+(\S+)\s+(\d{4}-\d{2}-\d{2})\s+(\S.*)")


@dataclass(frozen=True, slots=True)
class AcceptedGap:
    """One line of a `gatepost.accept` file."""

    what: str
    property_path: str
    until: date
    reason: str
    line: int

    def covers(self, *, logical_id: str, type_name: str, property_path: str) -> bool:
        """Say whether the entry speaks of this property; one of a property speaks of what is below it too."""
        if self.what not in (logical_id, type_name):
            return False
        return self.property_path in ("*", property_path) or property_path.startswith(f"{self.property_path}/")

    def __str__(self) -> str:
        return f"gatepost.accept:{self.line}: {self.what} {self.property_path} until {self.until}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What may pass although it is not enforced."""

    is_lenient: bool = False
    forwarded: frozenset[str] = frozenset()  # services named by --service NAME=URL, lower case
    gaps: tuple[AcceptedGap, ...] = ()
    settings: frozenset[str] = frozenset()  # of the platform, where the ledger says something else (`Entry.under`)

    def gap(self, *, logical_id: str, type_name: str, property_path: str) -> AcceptedGap | None:
        """Give the entry that accepts this, or None."""
        for entry in self.gaps:
            if entry.covers(logical_id=logical_id, type_name=type_name, property_path=property_path):
                return entry
        return None

    def with_gaps(self, gaps: Iterable[AcceptedGap], *, is_lenient: bool = False) -> Acceptance:
        """Give this with a template's own entries."""
        return replace(self, is_lenient=self.is_lenient or is_lenient, gaps=(*self.gaps, *gaps))


def parse_accept_file(text: str, *, file: str, today: date) -> tuple[AcceptedGap, ...]:
    """Read a `gatepost.accept` file. Raises: TemplateRefused for broken and expired lines."""
    gaps: list[AcceptedGap] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        found = _LINE.fullmatch(words)
        if not found:
            message = "an entry is: logical id or type, property or *, date (2027-03-01), reason"
            problems.append(Problem(message, file, number, 1))
            continue
        try:
            until = date.fromisoformat(found.group(3))
        except ValueError:
            problems.append(Problem(f"{found.group(3)} is no date: write 2027-03-01", file, number, 1))
            continue
        if until < today:
            message = f"the entry for {found.group(1)} {found.group(2)} expired on {until}: fix the gap or renew it"
            problems.append(Problem(message, file, number, 1))
            continue
        gaps.append(AcceptedGap(found.group(1), found.group(2), until, found.group(4).strip(), number))
    if len(gaps) > ENTRIES_MAX:
        problems.append(Problem(f"{len(gaps)} entries: use at most {ENTRIES_MAX}", file, 0, 0))
    if problems:
        raise TemplateRefused(problems)
    return tuple(gaps)
