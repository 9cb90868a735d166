"""`docs/failures.md`: each row names a test, and the test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_row_of_the_failure_table_names_a_test_that_exists():
    page = (ROOT / "docs" / "failures.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")][2:]
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert rows
    assert all(named), "each row names its test"
    defined = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        defined |= set(re.findall(r"def (test_\w+)", path.read_text()))
    assert {name for row in named for name in row} - defined == set()
