"""docs/coverage.md names tests that exist, at least one for each part."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs" / "coverage.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| part")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_part_names_tests_that_exist(row):
    assert len(row) == 4, "part, done, tested by, open"
    named = re.findall(r"`(tests/[^`]+)`", row[2])
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []
