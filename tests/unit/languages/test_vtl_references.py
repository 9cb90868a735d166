"""Reading, printing and assigning to references, apart from templates."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.languages.vtl_api_gateway import Variables
from gatepost.languages.vtl_references import (
    MISSING,
    ByName,
    compile_assignment,
    compile_printer,
    compile_reader,
    restore,
)
from gatepost.languages.vtl_tree import Constant, Index, Method, Position, Property, Reference, TemplateError
from gatepost.languages.vtl_values import Host, Limits, Rendering

AT = Position(1, 1)
NONE: frozenset[str] = frozenset()


def a_rendering(**variables: Any) -> Rendering:
    return Rendering(variables, lambda _text: None, Limits())


def constant(node: Any) -> Any:
    return lambda _rendering: node.value


def read(steps: tuple[Any, ...], value: Any) -> Any:
    return compile_reader(Reference("a", steps, "$a…", AT), constant, NONE)(a_rendering(a=value))


def a_thing() -> Host:
    """Something a service hands in: a real one, because compiled classes have no interpreted heirs."""
    return Variables({"shown": lambda _subject: 1}, None)


def test_properties_come_from_maps_and_hosts() -> None:
    assert read((Property("b"),), {"b": 1}) == 1
    assert read((Property("b"), Property("c")), {"b": {"c": 2}}) == 2
    assert read((Property("shown"),), a_thing()) == 1
    for name in ("_table", "METHODS", "get", "__class__"):
        assert read((Property(name),), a_thing()) is None
        assert read((Property(name),), "text") is None
        assert read((Property(name),), 5) is None
        assert read((Property(name),), None) is None


def test_methods_come_from_tables() -> None:
    assert read((Method("get", (Constant("shown"),), AT),), a_thing()) == 1
    assert read((Method("get", (), AT),), a_thing()) is None
    assert read((Method("put", (Constant("shown"), Constant(2)), AT),), a_thing()) is None
    assert read((Method("length", (), AT),), "abc") == 3
    assert read((Method("length", (), AT),), object()) is None


def test_an_index_outside_a_list_fails_where_it_stands() -> None:
    assert read((Index(Constant(-1), AT),), ["x", "y"]) == "y"
    with pytest.raises(TemplateError, match="line 3, column 4: index 2 is outside a list of 2 items"):
        read((Index(Constant(2), Position(3, 4)),), ["x", "y"])


@pytest.mark.parametrize(
    ("slashes", "value", "text"),
    [
        (0, None, "$a"),
        (0, 5, "5"),
        (1, None, "\\$a"),
        (1, 5, "$a"),
        (2, None, "\\\\$a"),
        (2, 5, "\\5"),
        (3, None, "\\\\$a"),
        (3, 5, "\\$a"),
        (4, 5, "\\\\5"),
    ],
)
def test_backslashes_escape(slashes: int, value: Any, text: str) -> None:
    reference = Reference("a", (), "$a", AT, slashes=slashes)
    show = compile_printer(reference, compile_reader(reference, constant, NONE), NONE, is_quiet=False)
    assert show(a_rendering(a=value)) == text


def test_a_parameter_is_read_with_its_callers_variables() -> None:
    rendering = a_rendering(a="outer")
    argument = ByName(lambda inner: inner.variables.get("a"), "$a", {"a": "outer"})
    rendering.variables["a"] = argument
    assert compile_reader(Reference("a", (), "$a", AT), constant, frozenset({"a"}))(rendering) == "outer"
    assert rendering.variables["a"] is argument


def test_restoring_unsets_what_was_not_set() -> None:
    variables = {"a": 1, "b": 2}
    restore(variables, {"a": 5, "b": MISSING, "c": MISSING})
    assert variables == {"a": 5}


def test_assignments() -> None:
    rendering = a_rendering(a={}, l=[1])
    for target, value in (
        (Reference("x", (), "", AT), "new"),
        (Reference("a", (Property("k"),), "", AT), "property"),
        (Reference("a", (Index(Constant("i"), AT),), "", AT), "index"),
        (Reference("l", (Index(Constant(0), AT),), "", AT), "item"),
        (Reference("nothing", (Property("k"),), "", AT), "nowhere"),
        (Reference("x", (), "", AT), None),
    ):
        compile_assignment(target, lambda _rendering, value=value: value, constant, NONE)(rendering)
    assert rendering.variables == {"a": {"k": "property", "i": "index"}, "l": ["item"], "x": "new"}


def test_a_host_decides_what_can_be_set() -> None:
    target = Reference("a", (Property("shown"),), "", Position(2, 3))
    with pytest.raises(TemplateError, match="line 2, column 3: shown cannot be set"):
        compile_assignment(target, lambda _rendering: 1, constant, NONE)(a_rendering(a=a_thing()))
