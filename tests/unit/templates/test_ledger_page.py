"""The page of the ledger."""

from pathlib import Path

from gatepost.templates.ledger_page import render
from gatepost.templates.registry import all_entries

PAGE = Path(__file__).parents[3] / "docs" / "ledger.md"


def test_the_page_is_what_the_ledger_says():
    assert PAGE.read_text() == render(), "run `python -m gatepost.templates.ledger_page`"


def test_every_type_has_its_section():
    text = render()
    assert [entry.type for entry in all_entries() if f"\n## {entry.type}\n" not in text] == []
