import pytest

from gatepost.languages.item_expressions_paths import Projection, Scope, find, render_path, tree_of
from gatepost.languages.item_expressions_tree import ExpressionError, Path, ValueRef

ITEM = {"a": {"M": {"b": {"L": [{"S": "zero"}, {"M": {"c": {"N": "1"}}}]}}}, "s": {"S": "text"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("s",), {"S": "text"}),
        (("a", "b", 0), {"S": "zero"}),
        (("a", "b", 1, "c"), {"N": "1"}),
        (("a", "b", 2), None),
        (("a", 0), None),
        (("a", "z", "y"), None),
        (("s", "x"), None),
        (("s", 0), None),
        (("z",), None),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(path, value) -> None:
    assert find(ITEM, path) == value


def test_a_scope_binds_names_and_remembers_what_was_used() -> None:
    scope = Scope({"#n": "real.name", "#unused": "x"}, {":v": "S"})
    assert scope.bind(Path(("a", "#n", 3))) == ("a", "real.name", 3)
    assert scope.type_of(ValueRef(":v")) == "S"
    assert (scope.used_names, scope.used_values, scope.paths) == ({"#n"}, {":v"}, {("a", "real.name", 3)})
    with pytest.raises(ExpressionError, match="attribute name: #z"):
        scope.bind(Path(("#z",)))
    with pytest.raises(ExpressionError, match="attribute value: :z"):
        scope.type_of(ValueRef(":z"))


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([("a",), ("a",)], "overlap"),
        ([("a",), ("a", "b")], r"overlap.*path one: \[a\], path two: \[a, b\]"),
        ([("a", "b"), ("a",)], r"overlap.*path one: \[a, b\], path two: \[a\]"),
        ([("a", "b", 0), ("a", "b", 0, "c")], "overlap"),
        ([("a", "b"), ("a", 0)], r"conflict.*path one: \[a, b\], path two: \[a, \[0\]\]"),
        ([("a", 0, "x"), ("a", "b")], r"conflict.*path one: \[a, \[0\], x\], path two: \[a, b\]"),
    ],
)
def test_paths_that_meet_are_refused(paths, words) -> None:
    with pytest.raises(ExpressionError, match=words):
        tree_of(paths)


def test_paths_that_only_begin_alike_become_one_tree() -> None:
    assert tree_of([("a", "b"), ("a", "c", 0), ("a", "c", 1), ("d",)]) == {"a": {"b": {}, "c": {0: {}, 1: {}}}, "d": {}}


def test_a_projection_keeps_the_shape_and_closes_the_gaps_in_lists() -> None:
    projection = Projection(tree_of([("a", "b", 1, "c"), ("a", "b", 7), ("s", "x"), ("z",)]))
    assert projection.names == ("a", "s", "z")
    assert projection.pick(ITEM) == {"a": {"M": {"b": {"L": [{"M": {"c": {"N": "1"}}}]}}}}


def test_a_path_is_rendered_as_in_awss_errors() -> None:
    assert render_path(("a", 0, "b")) == "[a, [0], b]"
