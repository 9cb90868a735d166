"""Fragments of the changelog: one sentence for users each, with a kind."""

from pathlib import Path

import pytest

FRAGMENTS = sorted((Path(__file__).parents[2] / "changes").glob("*"))


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_one_sentence_of_a_known_kind(path):
    name, kind, suffix = path.name.rsplit(".", 2)
    assert name
    assert kind in {"added", "changed", "fixed", "removed", "security"}
    assert suffix == "md"
    text = path.read_text()
    assert text.endswith(".\n")
    assert len(text.splitlines()) == 1
