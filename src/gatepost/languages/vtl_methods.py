"""What templates may call and read on strings, numbers, booleans, lists, maps and loops: this list and nothing more.

The methods are Java's (java.lang.String, java.util.List, java.util.Map of Java 8), because Velocity hands templates
Java objects: https://docs.oracle.com/javase/8/docs/api/java/lang/String.html. A method that is not here, or has
another number of arguments, is null, and so prints itself, as an unknown one does in Velocity. One that throws in
Java fails the rendering. Void methods give "". Regular expressions run in RE2: linear time, no look-around or
back-references (docs/mapping-templates.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import (
    Entry,
    Implementation,
    MethodTable,
    NoSuchMethod,
    Rendering,
    Scope,
    key_of,
    same,
    text_of,
)

PATTERN_CHARS_MAX: Final = 1_000
_PLAIN: Final = re.compile(r"[^\\.\[\]{}()*+?^$|]*")


# Arguments: another type is another method in Java; null and numbers that are out of range throw.


def _text(value: Any, method: str) -> str:
    if type(value) is not str:
        raise _mismatch(value, method)
    return value


def _index(value: Any, method: str, *, last: int, first: int = 0) -> int:
    if type(value) is not int:
        raise _mismatch(value, method)
    if not first <= value <= last:
        raise TemplateError(f"{method}(): {value} is not in {first} to {last}")
    return value


def _mismatch(value: Any, method: str) -> Exception:
    return TemplateError(f"{method}() got null: check the value with #if first") if value is None else NoSuchMethod()


# Strings


def _substring(rendering: Rendering, text: str, begin: Any, end: Any = None) -> str:
    stop = len(text) if end is None else _index(end, "substring", last=len(text))
    rendering.check_text(stop)
    return text[_index(begin, "substring", last=stop) : stop]


def _char_at(_r: Rendering, text: str, index: Any) -> str:
    return text[_index(index, "charAt", last=len(text) - 1)]


def _replace(rendering: Rendering, text: str, old: Any, new: Any) -> str:
    found, instead = _text(old, "replace"), _text(new, "replace")
    times = text.count(found)
    rendering.check_text(len(text) + times * len(instead))
    return text.replace(found, instead)


def _pattern(rendering: Rendering, pattern: Any, method: str, text: str) -> Any:
    """Compile a pattern for a text, and pay for one search: a large pattern is tried at each of its characters."""
    import re2  # only when a template uses it: it takes memory

    source = _text(pattern, method)
    if len(source) > PATTERN_CHARS_MAX:
        raise TemplateError(f"{method}(): a pattern of more than {PATTERN_CHARS_MAX} characters")
    rendering.charge(20 + len(source))
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        compiled = re2.compile(source, options)
    except re2.error as error:
        raise TemplateError(
            f"{method}(): {source!r} is not a pattern that RE2 knows ({_reason(error)}): it has no look-around"
        ) from error
    rendering.charge(len(text) * compiled.programsize >> 10)
    return compiled


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _parts_of(replacement: str, groups: int, method: str) -> list[str | int]:
    """Cut a Java replacement text into literals and group numbers (`$1`; a backslash quotes)."""
    parts: list[str | int] = []
    at = 0
    while at < len(replacement):
        character = replacement[at]
        if character not in "\\$":
            stop = min((i for i in (replacement.find("\\", at), replacement.find("$", at)) if i >= 0), default=None)
            parts.append(replacement[at:stop])
            at = len(replacement) if stop is None else stop
            continue
        following = replacement[at + 1 : at + 2]
        if character == "\\" and following:
            parts.append(following)
        elif character == "$" and following.isdecimal() and following.isascii() and int(following) <= groups:
            parts.append(int(following))
        else:
            raise TemplateError(f"{method}(): a replacement needs '\\\\' before {character!r}, or ${{0}} to ${groups}")
        at += 2
    return parts


def _substitute(rendering: Rendering, text: str, pattern: Any, new: Any, method: str, count: int) -> str:
    replacement = _text(new, method)
    source = _text(pattern, method)
    if not count and source and _PLAIN.fullmatch(source) and "$" not in replacement and "\\" not in replacement:
        return _replace(rendering, text, source, replacement)
    compiled = _pattern(rendering, source, method, text)
    parts = _parts_of(replacement, compiled.groups, method)
    made: list[str] = []
    done = total = 0
    for number, found in enumerate(compiled.finditer(text)):
        if count and number >= count:
            break
        rendering.charge(4 + (len(text) - done >> 11))  # a search may look at all that is left
        piece = "".join(part if isinstance(part, str) else (found.group(part) or "") for part in parts)
        made.extend((text[done : found.start()], piece))
        total += len(made[-2]) + len(piece)
        rendering.check_text(total)
        done = found.end()
    rendering.check_text(total + len(text) - done)
    made.append(text[done:])
    return "".join(made)


def _replace_all(rendering: Rendering, text: str, pattern: Any, new: Any) -> str:
    return _substitute(rendering, text, pattern, new, "replaceAll", 0)


def _replace_first(rendering: Rendering, text: str, pattern: Any, new: Any) -> str:
    return _substitute(rendering, text, pattern, new, "replaceFirst", 1)


def _matches(rendering: Rendering, text: str, pattern: Any) -> bool:
    rendering.charge(len(text) >> 4)
    return _pattern(rendering, pattern, "matches", text).fullmatch(text) is not None


def _split(rendering: Rendering, text: str, pattern: Any, limit: Any = 0) -> list[str]:
    """Split as Java does: no empty piece before a match of nothing, and, with limit 0, none at the end."""
    separator = _text(pattern, "split")
    most = _index(limit, "split", last=1 << 31, first=-1)
    rendering.check_text(len(text))
    if separator and _PLAIN.fullmatch(separator):
        rendering.check_items(text.count(separator) + 1)
        pieces = text.split(separator, most - 1) if most > 0 else text.split(separator)
    else:
        pieces = _split_by_pattern(rendering, text, _pattern(rendering, separator, "split", text), most)
    if most == 0 and len(pieces) > 1:
        while len(pieces) > 1 and not pieces[-1]:
            pieces.pop()
        if pieces == [""] and text:
            pieces = []
    return JavaList(pieces)


def _split_by_pattern(rendering: Rendering, text: str, compiled: Any, most: int) -> list[str]:
    pieces: list[str] = []
    done = 0
    for found in compiled.finditer(text):
        if most > 0 and len(pieces) == most - 1:
            break
        if found.end() == 0 or (found.start() == found.end() == len(text)):
            continue
        pieces.append(text[done : found.start()])
        rendering.charge(4 + (len(text) - done >> 11))
        rendering.check_items(len(pieces) if len(pieces) & 0xFF == 0 else 0)
        done = found.end()
    pieces.append(text[done:])
    return pieces


def _concat(rendering: Rendering, text: str, other: Any) -> str:
    more = _text(other, "concat")
    rendering.check_text(len(text) + len(more))
    return text + more


def _compare(rendering: Rendering, text: str, other: Any) -> int:
    more = _text(other, "compareTo")
    rendering.charge(min(len(text), len(more)) >> 3)
    for one, two in zip(text, more, strict=False):
        if one != two:
            return ord(one) - ord(two)
    return len(text) - len(more)


def _equals_ignore_case(rendering: Rendering, text: str, other: Any) -> bool:
    rendering.check_text(2 * len(text))
    return type(other) is str and len(text) == len(other) and text.lower() == other.lower()


def _index_of(rendering: Rendering, text: str, other: Any, begin: Any) -> int:
    rendering.charge(len(text) >> 8)
    return text.find(_text(other, "indexOf"), max(0, _index(begin, "indexOf", last=1 << 31, first=-(1 << 31))))


def _is_text(method: str, read: Callable[[str, str], Any]) -> Implementation:
    """Make a method of one string argument."""

    def call(rendering: Rendering, text: str, other: Any) -> Any:
        rendering.charge(len(text) >> 8)
        return read(text, _text(other, method))

    return call


def _from_text(read: Callable[[str], Any]) -> Implementation:
    """Make a method without arguments that reads or copies the string."""

    def call(rendering: Rendering, text: str) -> Any:
        rendering.check_text(len(text))
        return read(text)

    return call


_JAVA_BLANK: Final = "".join(map(chr, range(0x21)))  # String.trim() cuts all up to U+0020

STRING_METHODS: Final[MethodTable] = {
    ("charAt", 1): _char_at,
    ("compareTo", 1): _compare,
    ("concat", 1): _concat,
    ("contains", 1): _is_text("contains", lambda text, other: other in text),
    ("endsWith", 1): _is_text("endsWith", str.endswith),
    ("equals", 1): same,
    ("equalsIgnoreCase", 1): _equals_ignore_case,
    ("indexOf", 1): _is_text("indexOf", str.find),
    ("indexOf", 2): _index_of,
    ("isEmpty", 0): lambda _r, text: not text,
    ("lastIndexOf", 1): _is_text("lastIndexOf", str.rfind),
    ("length", 0): lambda _r, text: len(text),
    ("matches", 1): _matches,
    ("replace", 2): _replace,
    ("replaceAll", 2): _replace_all,
    ("replaceFirst", 2): _replace_first,
    ("split", 1): _split,
    ("split", 2): _split,
    ("startsWith", 1): _is_text("startsWith", str.startswith),
    ("substring", 1): _substring,
    ("substring", 2): _substring,
    ("toLowerCase", 0): _from_text(str.lower),
    ("toString", 0): text_of,
    ("toUpperCase", 0): _from_text(str.upper),
    ("trim", 0): _from_text(lambda text: text.strip(_JAVA_BLANK)),
}


# Lists


def _add(rendering: Rendering, items: list[Any], item: Any) -> bool:
    rendering.check_items(len(items) + 1)
    items.append(item)
    return True


def _add_at(rendering: Rendering, items: list[Any], index: Any, item: Any) -> str:
    rendering.check_items(len(items) + 1)
    items.insert(_index(index, "add", last=len(items)), item)
    return ""


def _add_all(rendering: Rendering, items: list[Any], more: Any) -> bool:
    if not isinstance(more, list):
        raise _mismatch(more, "addAll")
    rendering.check_items(len(items) + len(more))
    items.extend(list(more))
    return bool(more)


def _clear(_r: Rendering, items: list[Any] | dict[Any, Any]) -> str:
    items.clear()
    return ""


def _get_item(_r: Rendering, items: list[Any], index: Any) -> Any:
    return items[_index(index, "get", last=len(items) - 1)]


def _set_item(_r: Rendering, items: list[Any], index: Any, item: Any) -> Any:
    position = _index(index, "set", last=len(items) - 1)
    before, items[position] = items[position], item
    return before


def _find(rendering: Rendering, items: list[Any], item: Any) -> int:
    for position, one in enumerate(items):
        if same(rendering, one, item):
            return position
    return -1


def _find_last(rendering: Rendering, items: list[Any], item: Any) -> int:
    for position in range(len(items) - 1, -1, -1):
        if same(rendering, items[position], item):
            return position
    return -1


def _remove_item(rendering: Rendering, items: list[Any], item: Any) -> Any:
    rendering.charge(len(items) >> 6)
    if type(item) is int:
        return items.pop(_index(item, "remove", last=len(items) - 1))
    position = _find(rendering, items, item)
    if position >= 0:
        del items[position]
    return position >= 0


def _sub_list(rendering: Rendering, items: list[Any], begin: Any, end: Any) -> list[Any]:
    stop = _index(end, "subList", last=len(items))
    rendering.check_items(stop)
    return JavaList(items[_index(begin, "subList", last=stop) : stop])


def _contains_all(rendering: Rendering, items: list[Any], wanted: Any) -> bool:
    if not isinstance(wanted, list):
        raise _mismatch(wanted, "containsAll")
    return all(_find(rendering, items, item) >= 0 for item in wanted)


LIST_METHODS: Final[MethodTable] = {
    ("add", 1): _add,
    ("add", 2): _add_at,
    ("addAll", 1): _add_all,
    ("clear", 0): _clear,
    ("contains", 1): lambda rendering, items, item: _find(rendering, items, item) >= 0,
    ("containsAll", 1): _contains_all,
    ("equals", 1): same,
    ("get", 1): _get_item,
    ("indexOf", 1): _find,
    ("isEmpty", 0): lambda _r, items: not items,
    ("lastIndexOf", 1): _find_last,
    ("remove", 1): _remove_item,
    ("set", 2): _set_item,
    ("size", 0): lambda _r, items: len(items),
    ("subList", 2): _sub_list,
    ("toString", 0): text_of,
}


# Maps


def _put(rendering: Rendering, items: dict[Any, Any], key: Any, value: Any) -> Any:
    rendering.check_items(len(items) + 1)
    name = key_of(key)
    before = items.get(name)
    items[name] = value
    return before


def _put_if_absent(rendering: Rendering, items: dict[Any, Any], key: Any, value: Any) -> Any:
    before = items.get(key_of(key))
    if before is None:
        _put(rendering, items, key, value)
    return before


def _put_all(rendering: Rendering, items: dict[Any, Any], more: Any) -> str:
    if type(more) is not dict:
        raise _mismatch(more, "putAll")
    rendering.check_items(len(items) + len(more))
    items.update(more)
    return ""


def _view(read: Callable[[dict[Any, Any]], Iterable[Any]]) -> Implementation:
    """Make a method that gives a list of what is in a map now."""

    def call(rendering: Rendering, items: dict[Any, Any]) -> JavaList:
        rendering.charge(len(items) >> 3)
        return JavaList(read(items))

    return call


MAP_METHODS: Final[MethodTable] = {
    ("clear", 0): _clear,
    ("containsKey", 1): lambda _r, items, key: key_of(key) in items,
    ("containsValue", 1): lambda rendering, items, value: any(same(rendering, one, value) for one in items.values()),
    ("entrySet", 0): _view(lambda items: (Entry(key, value) for key, value in items.items())),
    ("equals", 1): same,
    ("get", 1): lambda _r, items, key: items.get(key_of(key)),
    ("getOrDefault", 2): lambda _r, items, key, other: items.get(key_of(key), other),
    ("isEmpty", 0): lambda _r, items: not items,
    ("keySet", 0): _view(dict.keys),
    ("put", 2): _put,
    ("putAll", 1): _put_all,
    ("putIfAbsent", 2): _put_if_absent,
    ("remove", 1): lambda _r, items, key: items.pop(key_of(key), None),
    ("size", 0): lambda _r, items: len(items),
    ("toString", 0): text_of,
    ("values", 0): _view(dict.values),
}


# Numbers, booleans, entries, loops


def _compare_numbers(_r: Rendering, number: float, other: Any) -> int:
    if type(other) is not type(number):
        raise _mismatch(other, "compareTo")
    return (number > other) - (number < other)


def _to_int(_r: Rendering, number: float) -> int:
    """Cut off the fraction, within Java's long."""
    if math.isnan(number):
        return 0
    return int(max(-(2.0**63), min(2.0**63 - 1024, number))) if type(number) is float else int(number)


def _to_double(_r: Rendering, number: float) -> float:
    try:
        return float(number)
    except OverflowError as error:
        raise TemplateError("doubleValue(): a number too large for a double") from error


NUMBER_METHODS: Final[MethodTable] = {
    ("compareTo", 1): _compare_numbers,
    ("doubleValue", 0): _to_double,
    ("equals", 1): same,
    ("intValue", 0): _to_int,
    ("longValue", 0): _to_int,
    ("toString", 0): text_of,
}
BOOLEAN_METHODS: Final[MethodTable] = {
    ("booleanValue", 0): lambda _r, value: value,
    ("equals", 1): same,
    ("toString", 0): text_of,
}
ENTRY_METHODS: Final[MethodTable] = {
    ("equals", 1): same,
    ("getKey", 0): lambda _r, entry: entry.key,
    ("getValue", 0): lambda _r, entry: entry.value,
    ("toString", 0): text_of,
}

_SCOPE: Final[Mapping[str, Callable[[Scope], Any]]] = {
    "index": lambda scope: scope.index,
    "count": lambda scope: scope.index + 1,
    "hasNext": lambda scope: scope.index < scope.last,
    "first": lambda scope: scope.index == 0,
    "last": lambda scope: scope.index == scope.last,
    "parent": lambda scope: scope.parent,
    "topmost": lambda scope: scope.topmost,
}


def _of_scope(read: Callable[[Scope], Any]) -> Implementation:
    return lambda _r, scope: read(scope)


SCOPE_METHODS: Final[MethodTable] = {
    ("equals", 1): same,
    ("toString", 0): text_of,
    ("getIndex", 0): _of_scope(_SCOPE["index"]),
    ("getCount", 0): _of_scope(_SCOPE["count"]),
    ("hasNext", 0): _of_scope(_SCOPE["hasNext"]),
    ("getHasNext", 0): _of_scope(_SCOPE["hasNext"]),
    ("isFirst", 0): _of_scope(_SCOPE["first"]),
    ("getFirst", 0): _of_scope(_SCOPE["first"]),
    ("isLast", 0): _of_scope(_SCOPE["last"]),
    ("getLast", 0): _of_scope(_SCOPE["last"]),
    ("getParent", 0): _of_scope(_SCOPE["parent"]),
    ("getTopmost", 0): _of_scope(_SCOPE["topmost"]),
}

METHODS: Final[Mapping[type, MethodTable]] = {
    str: STRING_METHODS,
    list: LIST_METHODS,
    JavaList: LIST_METHODS,
    dict: MAP_METHODS,
    int: NUMBER_METHODS,
    float: NUMBER_METHODS,
    bool: BOOLEAN_METHODS,
    Entry: ENTRY_METHODS,
    Scope: SCOPE_METHODS,
}

# What `.name` reads where it is no map's key: Java's getName() and isName().
_EMPTY: Final[Mapping[str, Callable[[Any], Any]]] = {"empty": lambda value: not value}
PROPERTIES: Final[Mapping[type, Mapping[str, Callable[[Any], Any]]]] = {
    str: _EMPTY,
    list: _EMPTY,
    JavaList: _EMPTY,
    Entry: {"key": lambda entry: entry.key, "value": lambda entry: entry.value},
    Scope: _SCOPE,
}
