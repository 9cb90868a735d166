import click
import pytest

from gatepost.cli.options import pairs


def test_pairs_split_at_the_first_equals_sign():
    assert pairs(("A=1", "B=c=d", "E="), "--parameter") == (("A", "1"), ("B", "c=d"), ("E", ""))


@pytest.mark.parametrize("text", ["A", "=x", ""])
def test_what_is_no_pair_is_refused_by_its_flag(text):
    with pytest.raises(click.BadParameter, match="is not KEY=VALUE"):
        pairs((text,), "--parameter")
