"""JSONPath as Jayway's library reads it, compiled once: `$.a['b'][0][-1:][*]..c[?(@.d == 'x')]`.

A path is a chain of selectors. If each selects at most one value, the path is definite and gives that value, or None
when it is not there; else it gives a list of all that it finds, in Jayway's order. Work is bounded: whoever
evaluates pays for each value visited.

Sources: https://github.com/json-path/JsonPath (README), which AWS names in
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html; checked
against its release 2.10. Functions other than `length()` and `size()` are refused, and so is what Jayway's newer
releases add; which release AWS runs is unverified.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

PATH_CHARS_MAX: Final = 2_000
SELECTORS_MAX: Final = 200
DEPTH_MAX: Final = 200
"""How deep `..` follows a document."""

FILTER_DEPTH_MAX: Final = 20

Spend = Callable[[int], None]
Select = Callable[[Any, "Evaluation"], Iterator[Any]]
Test = Callable[[Any, "Evaluation"], bool]
Operand = Callable[[Any, "Evaluation"], Any]

_NAME: Final = re.compile(r"[^.\[\]()\s'\"*?,@$]+")
_NAME_IN_FILTER: Final = re.compile(r"[^.\[\]()\s'\"*?,@$&|=<>!~]+")
_INTEGER: Final = re.compile(r"-?[0-9]{1,9}")
_SLICE: Final = re.compile(r"\s*(-?[0-9]{1,9})?\s*:\s*(-?[0-9]{1,9})?\s*\]")
_INDEXES: Final = re.compile(r"\s*-?[0-9]{1,9}\s*(?:,\s*-?[0-9]{1,9}\s*)*\]")
_STRING: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_WORD: Final = re.compile(r"[A-Za-z]+")
_OPERATOR: Final = re.compile(
    r"===|!==|==|!=|<=|>=|<|>|=~|(?:in|nin|contains|size|empty)(?![A-Za-z0-9_])", re.IGNORECASE
)
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)*)/([a-zA-Z]*)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

MISSING: Final = object()


class JsonPathError(ValueError):
    """A path is malformed or uses what we do not have. The text says where and what would be right."""


class Evaluation:
    """One use of a path: the document, for `$` in filters, and who pays."""

    __slots__ = ("document", "spend")

    def __init__(self, document: Any, spend: Spend) -> None:
        self.document = document
        self.spend = spend


def _no_price(_steps: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled path."""

    text: str
    selects: tuple[Select, ...]
    keys: tuple[str | int, ...] | None  # if it is made of names and indexes alone: those
    is_definite: bool
    measures: bool  # ends in length() or size()

    def find(self, document: Any, spend: Spend = _no_price) -> Any:
        """Evaluate: a definite path gives its value or None, another one a list.

        `spend` is called with a number of steps and may raise to end an evaluation that takes too long.
        """
        found = self.first_or_all(document, Evaluation(document, spend))
        return None if found is MISSING else found

    def first_or_all(self, document: Any, evaluation: Evaluation) -> Any:
        """Evaluate; MISSING says that a definite path leads nowhere."""
        found: Any
        if self.keys is not None:
            found = _follow(document, self.keys)
        elif self.is_definite:
            found = document
            for select in self.selects:
                found = next(select(found, evaluation), MISSING)
                if found is MISSING:
                    break
        else:
            values: list[Any] = [document]
            for select in self.selects:
                values = [child for value in values for child in select(value, evaluation)]
            found = values
        evaluation.spend(1 + len(self.selects))
        return _length(found) if self.measures else found


def _follow(value: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        if type(key) is str:
            value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
        elif isinstance(value, list) and -len(value) <= key < len(value):  # type: ignore[operator]  # key is an int
            value = value[key]  # type: ignore[index]
        else:
            return MISSING
    return value


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, (list, dict)) else MISSING


def compile_json_path(text: str) -> JsonPath:
    """Compile a path; without `$` at its beginning it starts at the root all the same. Raises: JsonPathError."""
    if len(text) > PATH_CHARS_MAX:
        raise JsonPathError(f"a JSONPath of more than {PATH_CHARS_MAX} characters")
    path = text.strip()
    if not path:
        raise JsonPathError("an empty JSONPath: use $ for the whole document")
    if path[0] not in "$@":
        path = f"$.{path}"
    reader = _Reader(path)
    compiled = reader.path()
    if reader.at < len(path):
        reader.fail("'.' or '['")
    return compiled


class JsonPaths:
    """A cache of compiled paths. It holds at most 512, the oldest go first."""

    CACHED_MAX: Final = 512

    def __init__(self) -> None:
        self._compiled: dict[str, JsonPath] = {}

    def get(self, text: str) -> JsonPath:
        """Give the compiled path of a text. Raises: JsonPathError."""
        compiled = self._compiled.get(text)
        if compiled is None:
            compiled = compile_json_path(text)
            if len(self._compiled) >= self.CACHED_MAX:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[text] = compiled
        return compiled


class _Reader:
    """Reads a path, and the filters in it, from `at` on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, wanted: str) -> NoReturn:
        """Raise a JsonPathError that says what would be right here."""
        here = repr(self.text[self.at : self.at + 10]) if self.at < len(self.text) else "the end"
        raise JsonPathError(f"JSONPath {self.text[:200]}: {wanted} expected at character {self.at + 1}, not {here}")

    def takes(self, token: str) -> bool:
        """Pass over `token` if it comes next."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def blank(self) -> None:
        """Pass over blanks."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def expect(self, token: str) -> None:
        """Pass over blanks and `token`. Raises: JsonPathError."""
        self.blank()
        if not self.takes(token):
            self.fail(repr(token))

    def path(self) -> JsonPath:
        """Read `$` or `@` and the selectors after it."""
        begin = self.at
        if not (self.takes("$") or self.takes("@")):
            self.fail("$")
        selects: list[Select] = []
        is_definite = True
        while self.at < len(self.text):
            if self._takes_measure():
                if not is_definite:
                    raise JsonPathError(f"JSONPath {self.text[:200]}: length() works after a path to one value only")
                return self._made(begin, selects, is_definite, measures=True)
            if self.takes(".."):
                select, is_definite = _deep(self._selector(after_dots=True)[0]), False
            elif self.takes("."):
                select, is_one = self._selector(after_dots=True)
                is_definite = is_definite and is_one
            elif self.text[self.at] == "[":
                select, is_one = self._bracket()
                is_definite = is_definite and is_one
            else:
                break
            selects.append(select)
            if len(selects) > SELECTORS_MAX:
                raise JsonPathError(f"a JSONPath of more than {SELECTORS_MAX} selectors")
        return self._made(begin, selects, is_definite, measures=False)

    def _made(self, begin: int, selects: Sequence[Select], is_definite: bool, *, measures: bool) -> JsonPath:
        keys = tuple(select.key for select in selects if isinstance(select, _Key))
        plain = keys if len(keys) == len(selects) else None
        return JsonPath(self.text[begin : self.at], tuple(selects), plain, is_definite, measures)

    def _takes_measure(self) -> bool:
        return self.takes(".length()") or self.takes(".size()")

    def _selector(self, *, after_dots: bool) -> tuple[Select, bool]:
        if self.takes("*"):
            return _children, False
        if after_dots and self.text.startswith("[", self.at):
            return self._bracket()
        found = (_NAME_IN_FILTER if self.depth else _NAME).match(self.text, self.at)
        if found is None:
            self.fail("a name, '*' or '['")
        self.at = found.end()
        if self.text.startswith("(", self.at):
            raise JsonPathError(f"JSONPath {self.text[:200]}: of functions only length() and size() at the end work")
        return _Key(found[0]), True

    def _bracket(self) -> tuple[Select, bool]:
        self.at += 1
        self.blank()
        if self.takes("*"):
            self.expect("]")
            return _children, False
        if self.takes("?"):
            self.expect("(")
            test = self.any_of()
            self.expect(")")
            self.expect("]")
            return _filter(test), False
        if self.text[self.at : self.at + 1] in {"'", '"'}:
            return self._names()
        if (found := _SLICE.match(self.text, self.at)) is not None:
            self.at = found.end()
            return _slice(found[1], found[2]), False
        if (found := _INDEXES.match(self.text, self.at)) is not None:
            self.at = found.end()
            indexes = [int(number) for number in _INTEGER.findall(found[0])]
            return (_Key(indexes[0]), True) if len(indexes) == 1 else (_indexes(indexes), False)
        return self.fail("an index, a slice, 'name', * or ?(filter)")

    def _names(self) -> tuple[Select, bool]:
        names = [self.string()]
        self.blank()
        while self.takes(","):
            self.blank()
            names.append(self.string())
            self.blank()
        self.expect("]")
        return (_Key(names[0]), True) if len(names) == 1 else (_names(names), True)

    def string(self) -> str:
        """Read a quoted string. Raises: JsonPathError."""
        found = _STRING.match(self.text, self.at)
        if found is None:
            self.fail("a quoted string")
        self.at = found.end()
        return _ESCAPED.sub(r"\1", found[1] if found[1] is not None else found[2])

    # Filters

    def any_of(self) -> Test:
        """Read `a || b`."""
        self.depth += 1
        tests = [self._all_of()]
        while self._takes_operator("||"):
            tests.append(self._all_of())
        self.depth -= 1
        if len(tests) == 1:
            return tests[0]
        return lambda item, evaluation: any(test(item, evaluation) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._term()]
        while self._takes_operator("&&"):
            tests.append(self._term())
        if len(tests) == 1:
            return tests[0]
        return lambda item, evaluation: all(test(item, evaluation) for test in tests)

    def _takes_operator(self, operator: str) -> bool:
        self.blank()
        return self.takes(operator)

    def _term(self) -> Test:
        if self.depth > FILTER_DEPTH_MAX:
            raise JsonPathError(f"a JSONPath filter nested deeper than {FILTER_DEPTH_MAX} levels")
        self.blank()
        if self.text.startswith("!", self.at) and not self.text.startswith("!=", self.at):
            self.at += 1
            self.depth += 1
            test = self._term()
            self.depth -= 1
            return lambda item, evaluation: not test(item, evaluation)
        if self.takes("("):
            inner = self.any_of()
            self.expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._operand()
        self.blank()
        found = _OPERATOR.match(self.text, self.at)
        if found is None:
            return lambda item, evaluation: left(item, evaluation) is not MISSING
        self.at = found.end()
        self.blank()
        operator = found[0].lower()
        if operator == "=~":
            return _matching(left, self._regex())
        right = self._operand()
        return _comparing(left, _COMPARISONS[operator], right)

    def _operand(self) -> Operand:
        self.blank()
        first = self.text[self.at : self.at + 1]
        if first in {"@", "$"}:
            path = self.path()
            if first == "$":
                return lambda _item, evaluation: path.first_or_all(evaluation.document, evaluation)
            return path.first_or_all
        if first in {"'", '"'}:
            return _constant(self.string())
        if first == "[":
            return _constant(self._constants())
        if (found := _NUMBER.match(self.text, self.at)) is not None:
            self.at = found.end()
            text = found[0]
            return _constant(float(text) if set(text) & set(".eE") else int(text[:300]))
        found = _WORD.match(self.text, self.at)
        if found is None or found[0] not in _WORDS:
            self.fail("@, $, 'text', a number, true, false, null or [list]")
        self.at = found.end()
        return _constant(_WORDS[found[0]])

    def _constants(self) -> list[Any]:
        self.at += 1
        values: list[Any] = []
        self.blank()
        while not self.takes("]"):
            if self.text[self.at : self.at + 1] in {"@", "$", "["}:
                self.fail("a constant")
            values.append(self._operand()(None, Evaluation(None, _no_price)))
            self.blank()
            if not self.takes(","):
                self.expect("]")
                break
            self.blank()
        return values

    def _regex(self) -> Any:
        import re2

        found = _REGEX.match(self.text, self.at)
        if found is None or found[2] not in {"", "i"}:
            self.fail("/pattern/ or /pattern/i")
        self.at = found.end()
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not found[2]
        options.max_mem = 1 << 20
        try:
            return re2.compile(found[1].replace("\\/", "/"), options)
        except re2.error as error:
            raise JsonPathError(f"JSONPath {self.text[:200]}: {found[0]} is not a pattern that RE2 knows") from error


_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


# Selectors


class _Key:
    """Selects one member or one element."""

    __slots__ = ("key",)

    def __init__(self, key: str | int) -> None:
        self.key = key

    def __call__(self, value: Any, _evaluation: Evaluation) -> Iterator[Any]:
        found = _follow(value, (self.key,))
        if found is not MISSING:
            yield found


def _names(names: Sequence[str]) -> Select:
    """Select some of an object's members, as one object."""

    def select(value: Any, _evaluation: Evaluation) -> Iterator[Any]:
        if isinstance(value, dict):
            yield {name: value[name] for name in names if name in value}

    return select


def _indexes(indexes: Sequence[int]) -> Select:
    def select(value: Any, _evaluation: Evaluation) -> Iterator[Any]:
        if isinstance(value, list):
            for index in indexes:
                if -len(value) <= index < len(value):
                    yield value[index]

    return select


def _slice(first: str | None, last: str | None) -> Select:
    begin = int(first) if first else None
    end = int(last) if last else None

    def select(value: Any, evaluation: Evaluation) -> Iterator[Any]:
        if isinstance(value, list):
            part = value[begin:end]
            evaluation.spend(len(part))
            yield from part

    return select


def _children(value: Any, evaluation: Evaluation) -> Iterator[Any]:
    if isinstance(value, dict):
        evaluation.spend(len(value))
        yield from value.values()
    elif isinstance(value, list):
        evaluation.spend(len(value))
        yield from value


def _filter(test: Test) -> Select:
    def select(value: Any, evaluation: Evaluation) -> Iterator[Any]:
        items: Sequence[Any] = value if isinstance(value, list) else [value] if isinstance(value, dict) else ()
        for item in items:
            evaluation.spend(4)
            if test(item, evaluation):
                yield item

    return select


def _deep(select: Select) -> Select:
    """Apply a selector to a value and to all values in it, outer before inner."""

    def select_deep(value: Any, evaluation: Evaluation) -> Iterator[Any]:
        pending: list[tuple[Any, int]] = [(value, 0)]
        while pending:
            one, depth = pending.pop()
            evaluation.spend(2)
            yield from select(one, evaluation)
            if depth < DEPTH_MAX and isinstance(one, (dict, list)):
                children = list(one.values()) if isinstance(one, dict) else one
                nested = [(child, depth + 1) for child in children if isinstance(child, (dict, list))]
                pending.extend(nested[::-1])

    return select_deep


# Filter operators


def _constant(value: Any) -> Operand:
    return lambda _item, _evaluation: value


def _comparing(left: Operand, compare: Callable[[Any, Any], bool], right: Operand) -> Test:
    """Compare two operands; one that is not there counts as null."""

    def test(item: Any, evaluation: Evaluation) -> bool:
        one, other = left(item, evaluation), right(item, evaluation)
        return compare(None if one is MISSING else one, None if other is MISSING else other)

    return test


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equals(left: Any, right: Any) -> bool:
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if _is_number(left) and isinstance(right, str):
        left, right = right, left
    if isinstance(left, str) and _is_number(right):
        found = _NUMBER.fullmatch(left)
        return found is not None and len(left) < 300 and float(left) == right
    if type(left) is not type(right) or isinstance(left, (dict, list)):
        return False  # whole objects and lists are not compared
    return bool(left == right)


def _less(left: Any, right: Any) -> bool:
    if (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return bool(left < right)
    return False


def _ordered_or_equal(left: Any, right: Any) -> bool:
    return _less(left, right) or (left is not None and not isinstance(left, bool) and _equals(left, right))


def _is_in(left: Any, right: Any) -> bool:
    return isinstance(right, list) and any(_equals(left, one) for one in right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return _is_in(right, left)


def _has_size(left: Any, right: Any) -> bool:
    return isinstance(left, (str, list)) and _is_number(right) and len(left) == right


def _is_empty(left: Any, right: Any) -> bool:
    return isinstance(left, (str, list, dict)) and (not left) is right


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _equals,
    "===": _equals,
    "!=": lambda left, right: not _equals(left, right),
    "!==": lambda left, right: not _equals(left, right),
    "<": _less,
    "<=": _ordered_or_equal,
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: _ordered_or_equal(right, left),
    "in": _is_in,
    "nin": lambda left, right: not _is_in(left, right),
    "contains": _contains,
    "size": _has_size,
    "empty": _is_empty,
}


def _matching(left: Operand, compiled: Any) -> Test:
    def test(item: Any, evaluation: Evaluation) -> bool:
        value = left(item, evaluation)
        if not isinstance(value, str):
            return False
        evaluation.spend(len(value) >> 6)
        return compiled.fullmatch(value) is not None

    return test
