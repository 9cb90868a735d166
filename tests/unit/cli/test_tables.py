"""What `gatepost tables` says of names that no table has."""

from __future__ import annotations

import json

import click
import pytest

from gatepost.cli.tables import described_table
from tests.unit.cli.test_endpoint import asked

MISSING = (400, b'{"code": "ResourceNotFoundException", "message": "Requested resource not found"}')


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["shop-Orders-1", "shop-Carts-1"], "there is no table orders: did you mean shop-Orders-1?"),
        (["a-orders", "b-orders"], "there is no table orders: did you mean a-orders or b-orders?"),
        (["shop-Carts-1"], "there is no table orders: `gatepost tables list` shows those that there are"),
    ],
)
def test_whoever_names_no_table_is_told_which_may_be_meant(names, hint) -> None:
    listed = (200, json.dumps({"TableNames": names}).encode())
    with pytest.raises(click.ClickException) as refused:
        asked(MISSING, listed, ask=lambda endpoint: described_table(endpoint, "orders"))
    assert refused.value.message == hint


def test_other_refusals_of_tables_are_told_as_they_are() -> None:
    with pytest.raises(click.ClickException, match="AccessDeniedException: no"):
        asked(
            (400, b'{"code": "AccessDeniedException", "message": "no"}'),
            ask=lambda endpoint: described_table(endpoint, "orders"),
        )
