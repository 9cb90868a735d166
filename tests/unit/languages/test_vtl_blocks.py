"""Printing, loops and calls, apart from templates: what they write and what they take of the bounds."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.languages.vtl_blocks import (
    Broken,
    Loop,
    Stopped,
    enter,
    print_run,
    run_nested,
    stop,
    text_of_block,
    text_of_pairs,
)
from gatepost.languages.vtl_tree import Constant, Foreach, Position, TemplateError
from gatepost.languages.vtl_values import Limits, Rendering


def a_rendering(written: list[str], **limits: int) -> Rendering:
    return Rendering({}, written.append, Limits(**limits))


def a_loop(body: Any, *, weight: int = 1) -> Loop:
    node = Foreach("x", Constant(0), (), Position(1, 1))
    return Loop(node, body, weight, has_scope=True, has_counter=True)


def test_printing_takes_room() -> None:
    written: list[str] = []
    rendering = a_rendering(written, output_chars_max=10)
    run = print_run([("ab", lambda _rendering: "cd"), ("e", None)])
    run(rendering)
    assert ("".join(written), rendering.room) == ("abcde", 5)
    run(rendering)
    with pytest.raises(TemplateError, match="more than 10"):
        run(rendering)


def test_a_string_is_made_aside() -> None:
    written: list[str] = []
    rendering = a_rendering(written)
    assert text_of_pairs((("a", lambda _rendering: "b"), ("c", None)), rendering) == "abc"
    assert text_of_block(print_run([("x", None)]), rendering) == "x"
    assert written == []
    rendering.write("y")
    assert written == ["y"]


def test_what_stops_prints_nothing_of_an_evaluated_text() -> None:
    written: list[str] = []
    rendering = a_rendering(written)

    def run(inner: Rendering) -> None:
        inner.write("lost")
        stop(inner)

    with pytest.raises(Stopped):
        run_nested(rendering, run)
    rendering.write("kept")
    assert (written, rendering.depth) == (["kept"], 0)


def test_calls_nest_so_deep() -> None:
    rendering = a_rendering([], macro_depth_max=2)
    enter(rendering)
    enter(rendering)
    with pytest.raises(TemplateError, match="deeper than 2"):
        enter(rendering)


def test_a_loop_sets_its_variables_and_puts_the_old_ones_back() -> None:
    seen: list[Any] = []

    def body(rendering: Rendering) -> None:
        values = rendering.variables
        seen.append((values["x"], values["foreach"].index, values["velocityCount"], values["velocityHasNext"]))

    rendering = a_rendering([])
    rendering.variables["x"] = "old"
    a_loop(body).run(rendering, ["a", None])
    assert seen == [("a", 0, 1, True), (None, 1, 2, False)]
    assert rendering.variables == {"x": "old"}


def test_a_loop_pays_for_each_time_around() -> None:
    rendering = a_rendering([], steps_max=10)
    a_loop(lambda _rendering: None, weight=5).run(rendering, [1, 2])
    assert rendering.steps == 0
    with pytest.raises(TemplateError, match="line 1, column 1: the template takes more than 10 steps"):
        a_loop(lambda _rendering: None, weight=5).run(rendering, [1])


def test_a_loop_ends_at_its_own_break_only() -> None:
    rendering = a_rendering([])

    def broken(inner: Rendering) -> None:
        raise Broken(inner.variables["foreach"])

    a_loop(broken).run(rendering, [1, 2])

    def broken_outside(inner: Rendering) -> None:
        raise Broken(inner.variables["foreach"].parent)

    outer: list[int] = []

    def body(inner: Rendering) -> None:
        outer.append(1)
        a_loop(broken_outside).run(inner, [1, 2])

    a_loop(body).run(rendering, [1, 2])
    assert outer == [1]
    assert rendering.variables == {}


@pytest.mark.parametrize("value", [None, "text", 5, True, [], {}])
def test_nothing_to_loop_over(value: Any) -> None:
    a_loop(stop).run(a_rendering([]), value)
