"""What the model demands of parameters, compiled: types, required members, lengths, ranges, enums, patterns.

A checker takes a value and gives None (nothing wrong, the fast path: no path is built, nothing is copied) or the list
of what is wrong; each level of the tree puts its own part in front of the paths that come from below. All that is
wrong is told at once, in AWS's sentences: "2 validation errors detected: Value 'x' at 'tableName' failed to satisfy
constraint: Member must have length greater than or equal to 3; Value null at …".

Three kinds of values are checked: `WIRE` (what `wire_json` operations get: JSON's own values, where nulls are taken
away and unknown members are ignored, as AWS does), `PARSED` (what a protocol has read: unknown members are gone
already) and `NATIVE` (what callers within the process hand in: an unknown member is refused, as botocore would).

Source: the sentences are those that AWS's services answer; the order of several errors is unverified.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.patterns import compile_pattern
from gatepost.awsapi.protocols.documents import INTEGER_END, wrong_type
from gatepost.awsapi.shapes import Shape
from gatepost.kernel.errors import ServiceError, ValidationException

Kind = Literal["wire", "parsed", "native"]
VALUE_CHARACTERS_MAX: Final = 1_024
_IAM_NAME: Final = r" pattern: [\w+=,.@-]+"  # only IAM's names have it, and IAM has its own sentence for it; unverified
TOLD_MAX: Final = 100  # problems in one answer
_NUMBERS: Final = frozenset({"integer", "long", "short", "byte", "float", "double", "bigdecimal"})
_WHOLE_NUMBERS: Final = frozenset({"integer", "long", "short", "byte"})
_NOUNS: Final = {"integer": "Integer", "long": "Long", "float": "Float", "double": "Double", "boolean": "Boolean"}


@dataclass(slots=True)
class Problem:
    """One thing that is wrong. `path` is built from the inside out."""

    path: list[str]
    value: str  # as told: "Value 'x'", "Value null"
    constraint: str

    def __str__(self) -> str:
        place = ".".join(reversed(self.path))
        return f"{self.value} at '{place}' failed to satisfy constraint: {self.constraint}"


Checker = Callable[[Any], list[Problem] | None]
Constraint = tuple[Callable[[Any], bool], str]  # does it hold, and AWS's words for it


def raise_problems(problems: list[Problem], error: type[ServiceError] = ValidationException) -> None:
    """Raise what was found as one error; services that have a name of their own for it say which."""
    if len(problems) == 1 and problems[0].constraint.endswith(_IAM_NAME):
        place = problems[0].path[0]
        told = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
        raise ValidationException(f"The specified value for {place} is invalid. {told}")
    plural = "s" if len(problems) > 1 else ""
    told = "; ".join(str(problem) for problem in problems[:TOLD_MAX])
    raise error(f"{len(problems)} validation error{plural} detected: {told}")


def told_value(value: Any, shape: Shape) -> str:
    """Render a value as AWS repeats it: quoted, shortened, and not at all when the model calls it sensitive."""
    if value is None:
        return "Value null"
    if shape.is_sensitive:
        return "Value"
    return f"Value '{_java_text(value)[:VALUE_CHARACTERS_MAX]}'"


def _java_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_java_text(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "java.nio.HeapByteBuffer" if isinstance(value, bytes) else str(value)


def member_path(name: str) -> str:
    """Give a member's name as AWS's paths have it: the first letter in lower case."""
    return name[:1].lower() + name[1:]


def _number_itself(value: float) -> float:
    return value


def _length_of(value: Any) -> int:
    if value.__class__ is str and not value.isascii():
        return len(value.encode("utf-16-le", "surrogatepass")) // 2  # AWS counts as Java does
    return len(value)


def _base64_length(value: str) -> int:
    return len(value) * 3 // 4 - value[-2:].count("=")


def constraints_of(shape: Shape, *, is_base64: bool = False) -> list[Constraint]:
    """Give what the model demands of a value of `shape` by itself, without what is inside it."""
    found: list[Constraint] = []
    measure: Callable[[Any], float] = _base64_length if is_base64 else _length_of
    noun = "length"
    if shape.type in _NUMBERS:
        noun, measure = "value", _number_itself
    low: Any = shape.min  # an integer stays one, compiled too
    high: Any = shape.max
    if high is not None:
        found.append((lambda value: measure(value) <= high, f"Member must have {noun} less than or equal to {high}"))
    if low is not None:
        found.append((lambda value: measure(value) >= low, f"Member must have {noun} greater than or equal to {low}"))
    if shape.pattern and (matches := compile_pattern(shape.pattern)) is not None:
        found.append((matches, f"Member must satisfy regular expression pattern: {shape.pattern}"))
    if shape.enum:
        values = frozenset(shape.enum)
        told = ", ".join(shape.enum)
        found.append((lambda value: value in values, f"Member must satisfy enum value set: [{told}]"))
    return found


def _sure_lengths(shape: Shape) -> tuple[int, int]:
    """Give which lengths of a string in Python surely satisfy all that the model demands of it; (1, 0): none.

    AWS counts UTF-16 units, of which a character has one or two.
    """
    if shape.type != "string" or shape.pattern or shape.enum:
        return 1, 0
    return int(shape.min or 0), sys.maxsize if shape.max is None else int(shape.max) // 2


class CheckerCompiler:
    """Makes checkers of one kind; recursive shapes share theirs."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._made: dict[str, Checker] = {}

    def checker(self, shape: Shape) -> Checker:
        """Give the checker of a shape."""
        found = self._made.get(shape.name)
        return found if found is not None else self._make(shape)

    def _make(self, shape: Shape) -> Checker:
        if shape.type == "structure" and not shape.is_document:
            return self._structure(shape)
        if shape.element is not None:
            return self._list(shape)
        if shape.value is not None:
            return self._map(shape)
        return self._leaf(shape)

    def _leaf(self, shape: Shape) -> Checker:
        check_type = _type_check(shape, self._kind)
        constraints = constraints_of(shape, is_base64=shape.type == "blob" and self._kind == "wire")
        low, high = _sure_lengths(shape)

        def check(value: Any) -> list[Problem] | None:
            if value.__class__ is str and low <= len(value) <= high:
                return None
            check_type(value)
            found = None
            for holds, words in constraints:
                if not holds(value):
                    found = found or []
                    found.append(Problem([], told_value(value, shape), words))
            return found

        self._made[shape.name] = check
        return check

    def _structure(self, shape: Shape) -> Checker:
        rules: dict[str, type | Checker] = {}
        whole: set[str] = set()
        check = self._made[shape.name] = _structure_checker(shape, rules, whole, self._kind)
        for member in shape.members.values():
            name = member.wire_name if self._kind == "wire" else member.name
            rules[name] = _plain_type(member.shape, self._kind) or self.checker(member.shape)
            if member.shape.type in _WHOLE_NUMBERS:
                whole.add(name)
        return check

    def _list(self, shape: Shape) -> Checker:
        assert shape.element is not None
        element = shape.element.shape
        own = constraints_of(shape)
        check_element: Checker = lambda _: None  # noqa: E731 replaced below, once recursion is closed

        def check(value: Any) -> list[Problem] | None:
            if value.__class__ is not list:
                raise wrong_type(value, "List")
            found: list[Problem] | None = None
            for holds, words in own:
                if not holds(value):
                    found = (found or []) + [Problem([], told_value(value, shape), words)]
            for index, item in enumerate(value, 1):
                problems = check_element(item)
                if problems is not None:
                    if is_leaf:  # AWS tells the whole list and all that its members must satisfy
                        words = f"Member must satisfy constraint: [{inside}]"
                        return (found or []) + [Problem([], told_value(value, shape), words)]
                    found = _under(f"{index}.member", problems, found)
            return found

        self._made[shape.name] = check
        is_leaf = _is_leaf(element)
        inside = ", ".join(words for _, words in constraints_of(element)) if is_leaf else ""
        check_element = self.checker(element)
        return check

    def _map(self, shape: Shape) -> Checker:
        assert shape.key is not None
        assert shape.value is not None
        own, keys, of = constraints_of(shape), constraints_of(shape.key.shape), shape.value.shape
        low, high = _sure_lengths(shape.key.shape)
        check_value: Checker = lambda _: None  # noqa: E731 replaced below, once recursion is closed

        def check(value: Any) -> list[Problem] | None:
            if value.__class__ is not dict:
                raise wrong_type(value, "Map")
            found: list[Problem] | None = None
            for holds, words in own:
                if not holds(value):
                    found = (found or []) + [Problem([], told_value(value, shape), words)]
            for key in value if keys else ():
                if not low <= len(key) <= high and not all(holds(key) for holds, _ in keys):
                    words = f"Map keys must satisfy constraint: [{keys_inside}]"
                    found = (found or []) + [Problem([], told_value(value, shape), words)]
                    break
            for key, item in value.items():
                problems = check_value(item)
                if problems is not None:
                    if is_leaf:
                        words = f"Map value must satisfy constraint: [{inside}]"
                        return (found or []) + [Problem([], told_value(value, shape), words)]
                    found = _under(f"{key}.member", problems, found)
            return found

        self._made[shape.name] = check
        is_leaf = _is_leaf(of)
        inside = ", ".join(words for _, words in constraints_of(of)) if is_leaf else ""
        keys_inside = ", ".join(words for _, words in keys)
        check_value = self.checker(of)
        return check


def _structure_checker(shape: Shape, rules: dict[str, type | Checker], whole: set[str], kind: Kind) -> Checker:
    """Make the checker of a structure. `rules` and `whole` (members that are integers) are filled afterwards."""
    required = shape.required
    strips_nulls, refuses_unknown = kind == "wire", kind == "native"

    def check(value: Any) -> list[Problem] | None:
        if value.__class__ is not dict:
            raise wrong_type(value, "Structure")
        found: list[Problem] | None = None
        has_nulls = False
        for name, item in value.items():
            rule = rules.get(name)
            if rule is item.__class__:
                continue
            if item is None and strips_nulls:
                has_nulls = True
            elif rule is not None:
                if item.__class__ is float and name in whole:
                    item = value[name] = _coerced(item, int)
                if isinstance(rule, type):
                    value[name] = _coerced(item, rule)
                elif (problems := rule(item)) is not None:
                    found = _under(member_path(name), problems, found)
            elif refuses_unknown:
                found = (found or []) + [_unknown(name, shape)]
        if has_nulls:
            _strip_nulls(value)
        for name in required:
            if name not in value:
                return _missing(required, value, found)
        return found

    return check


def _is_leaf(shape: Shape) -> bool:
    return shape.type != "structure" and shape.element is None and shape.value is None


def _under(place: str, problems: list[Problem], found: list[Problem] | None) -> list[Problem]:
    for problem in problems:
        problem.path.append(place)
    return problems if found is None else found + problems


def _strip_nulls(value: dict[str, Any]) -> None:
    for name in [name for name, item in value.items() if item is None]:
        del value[name]


def _missing(required: tuple[str, ...], value: dict[str, Any], found: list[Problem] | None) -> list[Problem]:
    missing = [name for name in required if name not in value]
    return (found or []) + [Problem([member_path(name)], "Value null", "Member must not be null") for name in missing]


def _unknown(name: str, shape: Shape) -> Problem:
    known = ", ".join(shape.members)
    return Problem([name], "Unknown parameter", f"Member must be one of: {known}")


def _plain_type(shape: Shape, kind: Kind) -> type | None:
    """Give the class of values of a leaf that needs no other check, or None."""
    if not _is_leaf(shape) or shape.min is not None or shape.max is not None or shape.pattern or shape.enum:
        return None
    if shape.type == "blob":
        return str if kind == "wire" else bytes
    plain = {"string": str, "integer": int, "long": int, "boolean": bool, "double": float, "float": float}
    return plain.get(shape.type)


def _coerced(value: Any, wanted: type) -> Any:
    """Give a number as the type that the model wants where nothing is lost. Raises: SerializationException."""
    if value.__class__ is wanted or (wanted is float and value.__class__ is int):
        return value
    if wanted is int and value.__class__ is float and value.is_integer() and abs(value) < INTEGER_END:
        return int(value)
    if wanted is bytes and isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    nouns = {str: "String", int: "Integer", bool: "Boolean", float: "Double", bytes: "Blob"}
    raise wrong_type(value, nouns[wanted])


def _type_check(shape: Shape, kind: Kind) -> Callable[[Any], None]:
    """Give a check that raises SerializationException unless a value is of the leaf's type."""
    if shape.type == "blob":
        wanted: tuple[type, ...] = (str,) if kind == "wire" else (bytes,)
    elif shape.type == "timestamp":
        wanted = (int,) if kind != "wire" else (int, float, str)
    elif shape.type == "boolean":
        wanted = (bool,)
    elif shape.type in _NUMBERS:
        wanted = (int,) if shape.type in _WHOLE_NUMBERS else (int, float)
    elif shape.type == "structure":  # a document: any JSON
        return lambda _: None
    else:
        wanted = (str,)
    noun = _NOUNS.get(shape.type, shape.type.capitalize())

    def check(value: Any) -> None:
        if value.__class__ not in wanted:
            if value is None:
                raise SerializationException(f"null can not be converted to {noun}")
            raise wrong_type(value, noun)

    return check
