"""Trees are written with the parentheses that they need."""

from gatepost.languages.item_expressions_tree import And, Comparison, Or, Path, ValueRef
from gatepost.languages.partiql_tree import render


def test_what_binds_less_gets_parentheses() -> None:
    one = Comparison("=", Path(("#0",)), ValueRef(":0"))
    assert render(And((one, Or((one, one))))) == "#0 = :0 AND (#0 = :0 OR #0 = :0)"
    assert render(Or((And((one, one)), one))) == "#0 = :0 AND #0 = :0 OR #0 = :0"
