"""What compiled blocks do when they run: print, loop, call macros, and end early.

The functions here run inside a rendering; `vtl_compile` builds them from the tree. They see to the bounds: each
printed piece takes room, each time around a loop and each macro call takes steps, calls nest only so deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gatepost.languages.vtl_references import MISSING, ByName, Print, Read, Run, placed, restore
from gatepost.languages.vtl_tree import Constant, Foreach, MacroCall, TemplateError
from gatepost.languages.vtl_values import Rendering, Scope


class Stopped(Exception):
    """#stop."""


class Broken(Exception):
    """#break, of the innermost scope or of `scope`."""

    def __init__(self, scope: Scope | None) -> None:
        super().__init__()
        self.scope = scope


class Returned(Exception):
    """#return."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def stop(_rendering: Rendering) -> None:
    """Run #stop."""
    raise Stopped


def run_all(runs: tuple[Run, ...], rendering: Rendering) -> None:
    """Run the parts of a block."""
    for run in runs:
        run(rendering)


def print_run(pairs: Sequence[tuple[str, Print | None]]) -> Run:
    """Print texts, each with the reference after it."""
    if len(pairs) == 1 and pairs[0][1] is None:
        only, length = pairs[0][0], len(pairs[0][0])

        def run_text(rendering: Rendering) -> None:
            rendering.room -= length
            if rendering.room < 0:
                raise rendering.overflow()
            rendering.write(only)

        return run_text
    last = pairs[-1][0] if pairs[-1][1] is None else ""
    shown = tuple((text, show) for text, show in pairs if show is not None)
    fixed = sum(len(text) for text, _ in pairs)

    def run(rendering: Rendering) -> None:
        write = rendering.write
        used = fixed
        for text, show in shown:
            if text:
                write(text)
            piece = show(rendering)
            used += len(piece)
            if used > rendering.room:
                raise rendering.overflow()
            write(piece)
        if last:
            write(last)
        rendering.room -= used
        if rendering.room < 0:
            raise rendering.overflow()

    return run


def text_of_pairs(pairs: tuple[tuple[str, Print | None], ...], rendering: Rendering) -> str:
    """Make a string of texts and references. Raises: TemplateError when it is too long."""
    parts: list[str] = []
    length = 0
    for text, show in pairs:
        parts.append(text)
        if show is not None:
            piece = show(rendering)
            length += len(piece)
            if length > rendering.limits.output_chars_max:
                raise rendering.overflow()
            parts.append(piece)
    rendering.check_text(length)
    return "".join(parts)


def text_of_block(block: Run, rendering: Rendering) -> str:
    """Make a string of what a block prints. Raises: TemplateError when it is too long."""
    saved, parts = rendering.write, list[str]()
    rendering.write = parts.append
    try:
        block(rendering)
    finally:
        rendering.write = saved
    text = "".join(parts)
    rendering.check_text(len(text))
    return text


def run_nested(rendering: Rendering, run: Run) -> None:
    """Run what #evaluate made, one level deeper; its output counts only if it ends."""
    enter(rendering)
    try:
        text = text_of_block(run, rendering)
    finally:
        rendering.depth -= 1
    rendering.write(text)


def enter(rendering: Rendering) -> None:
    """Go one call deeper; whoever calls it goes back. Raises: TemplateError when that is too deep."""
    if rendering.depth >= rendering.limits.macro_depth_max:
        raise TemplateError(f"macros and #evaluate nested deeper than {rendering.limits.macro_depth_max}: no recursion")
    rendering.depth += 1


class Loop:
    """A compiled #foreach."""

    __slots__ = ("_body", "_has_counter", "_has_scope", "_node", "_weight")

    def __init__(self, node: Foreach, body: Run, weight: int, *, has_scope: bool, has_counter: bool) -> None:
        self._node = node
        self._body = body
        self._weight = weight
        self._has_scope = has_scope
        self._has_counter = has_counter

    def run(self, rendering: Rendering, value: Any) -> None:
        """Loop over a list or a map's values; anything else is looped over zero times. Raises: TemplateError."""
        items = list(value) if isinstance(value, list) else list(value.values()) if type(value) is dict else []
        if not items:
            return
        limit = rendering.limits.foreach_iterations_max
        if len(items) > limit:
            raise TemplateError(f"#foreach over {len(items)} items: at most {limit} are allowed", self._node.at)
        variables = rendering.variables
        names = [self._node.name, *self._loop_names()]
        saved = {name: variables.get(name, MISSING) for name in names}
        outer = saved.get("foreach")
        scope = Scope(len(items) - 1, outer if type(outer) is Scope else None)
        if self._has_scope:
            variables["foreach"] = scope
        try:
            self._run_items(rendering, items, scope)
        except Broken as broken:
            if broken.scope is not None and broken.scope is not scope:
                raise
        finally:
            restore(variables, saved)

    def _loop_names(self) -> list[str]:
        names = ["foreach"] if self._has_scope else []
        return [*names, "velocityCount", "velocityHasNext"] if self._has_counter else names

    def _run_items(self, rendering: Rendering, items: list[Any], scope: Scope) -> None:
        variables, name, body, weight = rendering.variables, self._node.name, self._body, self._weight
        for index, item in enumerate(items):
            scope.index = index
            if self._has_counter:
                variables["velocityCount"] = index + 1
                variables["velocityHasNext"] = index < scope.last
            variables[name] = item
            rendering.steps -= weight
            try:
                if rendering.steps < 0:
                    rendering.charge(0)
                body(rendering)
            except TemplateError as error:
                raise placed(error, self._node.at) from error


_Argument = tuple[str, Constant | None, Read, str]


class MacroRun:
    """A compiled macro call. Arguments are by name; a variable set in the macro under a parameter's name is local."""

    __slots__ = ("_arguments", "_bodies", "_content", "_node", "_weights")

    def __init__(
        self,
        node: MacroCall,
        arguments: tuple[_Argument, ...],
        content: tuple[Run, int] | None,
        bodies: Mapping[str, Run],
        weights: Mapping[str, int],
    ) -> None:
        self._node = node
        self._arguments = arguments
        self._content = content
        self._bodies = bodies
        self._weights = weights

    def run(self, rendering: Rendering) -> None:
        """Call the macro. Raises: TemplateError when calls nest too deeply."""
        try:
            enter(rendering)
            rendering.charge(self._weights[self._node.name])
        except TemplateError as error:
            raise TemplateError(error.message, self._node.at) from error
        variables = rendering.variables
        names = [name for name, _, _, _ in self._arguments]
        if self._content is not None:
            names.append("bodyContent")
        saved = {name: variables.get(name, MISSING) for name in names}
        for name, constant, read, literal in self._arguments:
            variables[name] = constant.value if constant is not None else ByName(read, literal, saved)
        if self._content is not None:
            outer = {"bodyContent": saved["bodyContent"]}  # the body sees the macro's parameters, not its own content
            variables["bodyContent"] = ByName(partial(_text_of_content, self._content), "$bodyContent", outer)
        try:
            self._bodies[self._node.name](rendering)
        except Broken as broken:
            if broken.scope is not None:
                raise
        finally:
            restore(variables, saved)
            rendering.depth -= 1


def _text_of_content(content: tuple[Run, int], rendering: Rendering) -> str:
    run, weight = content
    rendering.charge(weight)
    return text_of_block(run, rendering)
