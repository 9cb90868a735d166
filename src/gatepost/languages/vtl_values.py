"""Velocity's meaning of values: how they print, compare, calculate and count as true; and what a rendering may spend.

A value is None (null), bool, int (Integer, Long and BigInteger in one), float (Double), str, list (an array that
came from JSON), JavaList (a list that a template made), dict (a Map that keeps its order), or one of the objects
below. Nothing else exists for a template: an object of another
type has no properties, no methods and does not print, so Python cannot be reached.

Printing, comparison and arithmetic are those of Velocity 1.7 on Java (checked against that release):
https://velocity.apache.org/engine/1.7/user-guide.html; maps print `{a=1}`, lists `[a, 1]`. Arrays that come from
JSON print as JSON, because Jayway JsonPath keeps them in json-smart's JSONArray (that AWS does so is unverified).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gatepost.kernel.limits import (
    API_GATEWAY_BODY_BYTES_MAX,
    API_GATEWAY_FOREACH_ITERATIONS_MAX,
    API_GATEWAY_TEMPLATE_BYTES_MAX,
)
from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_tree import TemplateError

DEPTH_MAX: Final = 100
INTEGER_BITS_MAX: Final = 4_096
NUMBERS: Final = frozenset({int, float})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a template and one rendering of it may spend.

    The first three are AWS's for API Gateway (`kernel.limits`). That AWS fails, and does not stop silently, past the
    1,000th iteration is unverified. Depth is Velocity's (velocimacro.max.depth), steps and items are bounds of ours:
    a step is about half a microsecond.
    """

    template_bytes_max: int = API_GATEWAY_TEMPLATE_BYTES_MAX
    foreach_iterations_max: int = API_GATEWAY_FOREACH_ITERATIONS_MAX
    output_chars_max: int = API_GATEWAY_BODY_BYTES_MAX
    steps_max: int = 500_000
    macro_depth_max: int = 20
    items_max: int = 100_000  # of one list or map that a template makes


DEFAULT_LIMITS: Final = Limits()


class Rendering:
    """One rendering in progress: its variables, where it writes and what it may still spend."""

    __slots__ = ("depth", "limits", "room", "steps", "variables", "write")

    def __init__(self, variables: dict[str, Any], write: Callable[[str], object], limits: Limits) -> None:
        self.variables = variables
        self.write = write
        self.limits = limits
        self.room = limits.output_chars_max
        self.steps = limits.steps_max
        self.depth = 0

    def charge(self, steps: int) -> None:
        """Pay for work. Raises: TemplateError."""
        self.steps -= steps
        if self.steps < 0:
            raise TemplateError(f"the template takes more than {self.limits.steps_max} steps: loop over less")

    def overflow(self) -> TemplateError:
        """Give the error for too much output."""
        return TemplateError(f"the template makes more than {self.limits.output_chars_max} characters")

    def check_text(self, length: int) -> None:
        """Check the length of a string before it is made. Raises: TemplateError."""
        if length > self.limits.output_chars_max:
            raise TemplateError(f"a string of more than {self.limits.output_chars_max} characters")
        self.charge(length >> 8)

    def check_items(self, count: int) -> None:
        """Check the size of a list or map before it grows. Raises: TemplateError."""
        if count > self.limits.items_max:
            raise TemplateError(f"a list or map of more than {self.limits.items_max} items")
        self.charge(count >> 6)


@dataclass(frozen=True, slots=True)
class Entry:
    """A map's entry, as entrySet() gives it; it prints `key=value`."""

    key: Any
    value: Any


class Scope:
    """`$foreach`: where a loop stands. It prints `{}`."""

    __slots__ = ("index", "last", "parent")

    def __init__(self, last: int, parent: Scope | None) -> None:
        self.index = 0
        self.last = last
        self.parent = parent

    @property
    def topmost(self) -> Scope:
        """Give the outermost loop around this one."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope


class Deferred:
    """A `#define`d block, or a macro's body: it is rendered each time it is printed."""

    __slots__ = ("_depth", "_render")

    def __init__(self, render: Callable[[Rendering], None]) -> None:
        self._render = render
        self._depth = 0

    def text(self, rendering: Rendering) -> str:
        """Render the block; inside itself it is empty, as Velocity cuts recursion (directive.define.max.depth)."""
        if self._depth:
            return ""
        self._depth += 1
        saved, parts = rendering.write, list[str]()
        rendering.write = parts.append
        try:
            self._render(rendering)
        finally:
            rendering.write = saved
            self._depth -= 1
        return "".join(parts)


Implementation = Callable[..., Any]
MethodTable = Mapping[tuple[str, int], Implementation]


class Host:
    """An object that a service hands to templates (`$input`, `$util`).

    `METHODS` holds all that a template may call, by name and number of arguments; each gets the rendering, the
    object and the arguments.
    """

    __slots__ = ()
    METHODS: ClassVar[MethodTable] = {}

    def get(self, name: str) -> Any:  # noqa: ARG002
        """Give a property, or None."""
        return None

    def put(self, name: str, value: Any) -> None:  # noqa: ARG002
        """Set a property. Raises: TemplateError when it cannot be set."""
        raise TemplateError(f"{name} cannot be set")

    def text(self) -> str:
        """Print the object itself."""
        return ""


class NoSuchMethod(Exception):
    """A method is called with arguments of other types than it takes: for Java it is another method, that is null."""


# Printing


def java_double(value: float) -> str:
    """Print a double as Java's Double.toString does (shortest digits): `2.5`, `1.0E10`."""
    if math.isnan(value):
        return "NaN"
    if value in {math.inf, -math.inf}:
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1.0, value) < 0 else "0.0"
    if 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return text if "e" not in text else f"{value:.17f}".rstrip("0")
    digits, _, exponent = f"{value!r}".partition("e")
    sign = "-" if digits[0] == "-" else ""
    digits = digits.lstrip("-")
    whole, _, fraction = digits.partition(".")
    if exponent:
        power = int(exponent)
    elif whole == "0":
        stripped = fraction.lstrip("0")
        power = -(len(fraction) - len(stripped)) - 1
        whole, fraction = stripped[0], stripped[1:]
    else:
        power = len(whole) - 1
        whole, fraction = whole[0], whole[1:] + fraction
    fraction = fraction.rstrip("0") or "0"
    return f"{sign}{whole}.{fraction}E{power}"


def text_of(rendering: Rendering, value: Any) -> str:
    """Print a value as Java's toString does; null prints `null`. Raises: TemplateError when it is too much."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return java_double(value)
    if kind is Deferred:
        text: str = value.text(rendering)
        return text
    printer = _Printer(rendering, _PRINTED_ESCAPES)
    printer.print(value, 0)
    return "".join(printer.parts)


class _Printer:
    """Prints nested values within the rendering's bounds."""

    __slots__ = ("_escapes", "_rendering", "_room", "parts")

    def __init__(self, rendering: Rendering, escapes: Mapping[int, str]) -> None:
        self._rendering = rendering
        self._escapes = escapes
        self._room = rendering.limits.output_chars_max
        self.parts: list[str] = []

    def _add(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise self._rendering.overflow()
        self.parts.append(text)

    def print(self, value: Any, depth: int) -> None:
        """Print a value inside others."""
        if depth > DEPTH_MAX:
            raise TemplateError(f"a value nested deeper than {DEPTH_MAX} levels cannot be printed")
        kind = type(value)
        if value is None:
            self._add("null")
        elif kind is JavaList:
            self._list(value, depth)
        elif kind is dict:
            self._dict(value, depth)
        elif kind is list:
            self.print_json(value, depth)
        elif kind is Entry:
            self.print(value.key, depth + 1)
            self._add("=")
            self.print(value.value, depth + 1)
        elif kind is Scope:
            self._add("{}")
        elif isinstance(value, Host):
            self._add(value.text())
        elif kind in {str, int, float, bool, Deferred}:
            self._add(text_of(self._rendering, value))
        else:
            raise TemplateError(f"a value of the type {kind.__name__} cannot be printed")
        self._rendering.charge(4)

    def _quoted(self, text: str) -> str:
        self._rendering.charge(len(text) >> 3)
        return f'"{text.translate(self._escapes)}"'

    def _list(self, value: list[Any], depth: int) -> None:
        self._add("[")
        for number, item in enumerate(value):
            if number:
                self._add(", ")
            self.print("(this Collection)" if item is value else item, depth + 1)
        self._add("]")

    def _dict(self, value: dict[Any, Any], depth: int) -> None:
        self._add("{")
        for number, (key, item) in enumerate(value.items()):
            if number:
                self._add(", ")
            self.print(key, depth + 1)
            self._add("=")
            self.print("(this Map)" if item is value else item, depth + 1)
        self._add("}")

    def print_json(self, value: Any, depth: int) -> None:
        """Print a value as compact JSON, as json-smart does."""
        if depth > DEPTH_MAX:
            raise TemplateError(f"a value nested deeper than {DEPTH_MAX} levels cannot be printed")
        kind = type(value)
        if kind is dict:
            self._add("{")
            for number, (key, item) in enumerate(value.items()):
                self._add("," if number else "")
                self._add(f"{self._quoted(text_of(self._rendering, key))}:")
                self.print_json(item, depth + 1)
            self._add("}")
        elif kind in {list, JavaList}:
            self._add("[")
            for number, item in enumerate(value):
                self._add("," if number else "")
                self.print_json(item, depth + 1)
            self._add("]")
        elif kind is str:
            self._add(self._quoted(value))
        elif kind is float and not math.isfinite(value):
            self._add("null")
        elif kind in {int, float, bool} or value is None:
            self._add("null" if value is None else text_of(self._rendering, value))
        else:
            self._add(self._quoted(text_of(self._rendering, value)))
        self._rendering.charge(4)


def json_of(rendering: Rendering, value: Any) -> str:
    """Print a value as compact JSON, as json-smart 2 does (`/` as it is). Raises: TemplateError."""
    printer = _Printer(rendering, _JSON_ESCAPES)
    printer.print_json(value, 0)
    return "".join(printer.parts)


_JSON_ESCAPES: Final = {
    **{code: f"\\u{code:04X}" for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2000, 0x2100))},
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\b"): "\\b",
    ord("\f"): "\\f",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}
_PRINTED_ESCAPES: Final = {**_JSON_ESCAPES, ord("/"): "\\/"}  # JSONArray.toString() escapes it, too


# Truth, comparison, arithmetic


def equal(rendering: Rendering, left: Any, right: Any) -> bool:
    """Compare with `==`: numbers by value, values of one type by content, others by how they print."""
    if left is None or right is None:
        return left is right
    left_kind, right_kind = type(left), type(right)
    if left_kind in NUMBERS and right_kind in NUMBERS:
        return bool(left == right)
    if left_kind is right_kind or (isinstance(left, list) and isinstance(right, list)):
        return same(rendering, left, right)
    return text_of(rendering, left) == text_of(rendering, right)


def same(rendering: Rendering, left: Any, right: Any, depth: int = 0) -> bool:
    """Compare as Java's equals() does: by type and content. Raises: TemplateError when it takes too long."""
    rendering.charge(3)
    if left is right:
        return True
    if depth > DEPTH_MAX:
        raise TemplateError(f"values nested deeper than {DEPTH_MAX} levels cannot be compared")
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(rendering, one, other, depth + 1) for one, other in zip(left, right, strict=True)
        )
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return len(left) == len(right) and all(
            key in right and same(rendering, item, right[key], depth + 1) for key, item in left.items()
        )
    if type(left) is Entry:
        return same(rendering, left.key, right.key, depth + 1) and same(rendering, left.value, right.value, depth + 1)
    if type(left) is str:
        rendering.charge(len(left) >> 8)
    return type(left) in {str, int, float, bool} and bool(left == right)


def is_filled(value: Any) -> bool:
    """Say whether an alternate value is not needed: Velocity 2's truth, in which "", 0, [] and {} are false."""
    if isinstance(value, (str, list, dict, int, float)):
        return bool(value)
    return value is not None


def calculate(rendering: Rendering, operator: str, left: Any, right: Any) -> Any:
    """Calculate with `+ - * / %`; null when one side is no number or is divided by zero. Raises: TemplateError."""
    if operator == "+" and (type(left) is str or type(right) is str):
        joined = text_of(rendering, left) + text_of(rendering, right)
        rendering.check_text(len(joined))
        return joined
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        return None
    if operator in {"/", "%"} and right == 0:
        return None
    if type(left) is int and type(right) is int:
        return _bounded(_INTEGERS[operator](left, right))
    try:
        return _DOUBLES[operator](float(left), float(right))
    except OverflowError as error:
        raise TemplateError("a number too large for a double") from error


def _bounded(value: int) -> int:
    if value.bit_length() > INTEGER_BITS_MAX:
        raise TemplateError(f"a number of more than {INTEGER_BITS_MAX} bits")
    return value


def _quotient(left: int, right: int) -> int:
    """Divide as Java does: towards zero."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _double_remainder(left: float, right: float) -> float:
    return math.fmod(left, right) if math.isfinite(left) else math.nan


_INTEGERS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _quotient,
    "%": lambda left, right: left - right * _quotient(left, right),
}
_DOUBLES: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": _double_remainder,
}


def key_of(value: Any) -> Any:
    """Check a map's key. Raises: TemplateError for lists and maps, which change."""
    if value is None or type(value) in {str, int, float, bool}:
        return value
    raise TemplateError("a map's key must be a string, a number or a boolean")
