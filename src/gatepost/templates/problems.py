"""What is wrong with a template, said so that its author can put it right: file, line, path, what would work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gatepost.kernel.errors import SettingsError

Path: TypeAlias = tuple[str | int, ...]

PROBLEMS_MAX: Final = 100  # more than a person reads at once


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `line` and `column` count from 1; 0 means that the place is not known."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""  # Resources/Orders/Properties/TableName
    logical_id: str = ""
    resource_type: str = ""
    property_path: str = ""  # within Properties: GlobalSecondaryIndexes/Projection
    aws: str = ""  # AWS's own sentence for this fault, where it has one

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        head = ": ".join(part for part in (place, self.path) if part)
        return f"{head}: {self.message}" if head else self.message


class TemplateRefused(SettingsError):
    """A template cannot be deployed as it is. `problems` has every reason, in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: (problem.file, problem.line))
        self.problems: tuple[Problem, ...] = tuple(ordered)
        # What SAM makes of one line can be wrong at several places: said once.
        texts = list(dict.fromkeys(str(problem) for problem in ordered))
        shown = texts[:PROBLEMS_MAX]
        if len(texts) > PROBLEMS_MAX:
            shown.append(f"… and {len(texts) - PROBLEMS_MAX} more")
        super().__init__("\n".join(shown))

    @property
    def aws_words(self) -> str:
        """What AWS answers to the first of these faults that it knows; empty when it knows none."""
        return next((problem.aws for problem in self.problems if problem.aws), "")


def refused(
    message: str, *, file: str = "", line: int = 0, column: int = 0, path: str = "", aws: str = ""
) -> TemplateRefused:
    """Make the refusal of one problem."""
    return TemplateRefused([Problem(message, file, line, column, path, aws=aws)])


def path_text(path: Path) -> str:
    """Render a path for people: `Resources/Orders/Properties/Tags/0/Key`."""
    return "/".join(str(step) for step in path)
