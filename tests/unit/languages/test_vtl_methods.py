"""Methods of strings, lists and maps: what Java does, in linear time and within bounds."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.vtl_methods import LIST_METHODS, MAP_METHODS, METHODS, PROPERTIES, STRING_METHODS
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import Limits, NoSuchMethod, Rendering


def call(value: Any, name: str, *arguments: Any, **limits: int) -> Any:
    rendering = Rendering({}, lambda _text: None, Limits(**limits))
    return METHODS[type(value)][name, len(arguments)](rendering, value, *arguments)


@pytest.mark.parametrize(
    ("text", "pattern", "new", "result"),
    [
        ("a.b", r"\.", "-", "a-b"),
        ("a.b", ".", "-", "---"),
        ("aaa", "a*", "x", "xx"),
        ("abc", "(a)(b)", "$2$1", "bac"),
        ("abc", "b", r"\$0", "a$0c"),
        ("abc", "b", r"\\", "a\\c"),
        ("abc", "b", "$0$0", "abbc"),
        ("a\\'b", "\\\\'", "'", "a'b"),
        ("", "x*", "y", "y"),
        ("tab\there", r"\s", "", "tabhere"),
    ],
)
def test_replace_all(text: str, pattern: str, new: str, result: str) -> None:
    assert call(text, "replaceAll", pattern, new) == result


@pytest.mark.parametrize(
    ("pattern", "new"),
    [("(", "x"), ("(?=a)", "x"), ("(a)\\1", "x"), ("a", "$1"), ("a", "$"), ("a", "\\"), ("a" * 1_001 + "*", "x")],
)
def test_patterns_and_replacements_that_cannot_work_say_so(pattern: str, new: str) -> None:
    with pytest.raises(TemplateError, match="replaceAll"):
        call("aaa", "replaceAll", pattern, new)


@pytest.mark.parametrize(
    ("method", "pattern"),
    [("matches", "(.*){1000}"), ("replaceAll", "(.*){1000}"), ("split", "(.*){1000}"), ("replaceAll", "a.*b|a"),
     ("split", "a.*b|a")],
)  # fmt: skip
def test_patterns_that_look_at_the_text_thousands_of_times_are_paid_for(method: str, pattern: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateError, match="steps"):
        call("a" * 200_000, method, pattern, *([""] if method == "replaceAll" else []))
    assert time.process_time() - started < 10  # it would be half a minute


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "a?" * 50 + "a" * 50, "(x+x+)+y"])
def test_patterns_take_linear_time(pattern: str) -> None:
    begin = time.process_time()
    text = "a" * 30_000 + "!"
    call(text, "matches", pattern)
    try:
        call(text, "replaceAll", pattern, "")
    except TemplateError:
        pass
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("text", "separator", "pieces"),
    [
        ("a,b", ",", ["a", "b"]),
        ("a,b,,", ",", ["a", "b"]),
        (",a", ",", ["", "a"]),
        ("", ",", [""]),
        (",", ",", []),
        ("abc", "", ["a", "b", "c"]),
        ("a1b22c", "[0-9]+", ["a", "b", "c"]),
        ("a.b", ".", []),
        ("a.b", r"\.", ["a", "b"]),
        ("a|b", r"\|", ["a", "b"]),
        ("no", ",", ["no"]),
    ],
)
def test_split(text: str, separator: str, pieces: list[str]) -> None:
    assert call(text, "split", separator) == pieces


@settings(derandomize=True)
@given(text=st.text(alphabet="ab,;", max_size=12), separator=st.sampled_from([",", ";", "a", ",;"]))
def test_split_by_plain_text_and_by_a_pattern_agree(text: str, separator: str) -> None:
    assert call(text, "split", separator) == call(text, "split", f"(?:{re.escape(separator)})")
    assert call(text, "split", separator, -1) == text.split(separator)


def test_split_with_a_limit() -> None:
    assert call("a,b,c,,", "split", ",", 2) == ["a", "b,c,,"]
    assert call("a,b,c,,", "split", ",", -1) == ["a", "b", "c", "", ""]
    assert call("a1b2c", "split", "[0-9]", 2) == ["a", "b2c"]


@pytest.mark.parametrize(
    ("name", "arguments"), [("substring", (6,)), ("substring", (-1,)), ("substring", (3, 2)), ("charAt", (5,))]
)
def test_positions_outside_a_string_fail(name: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(TemplateError, match="is not in"):
        call("hello", name, *arguments)


def test_trim_cuts_what_java_cuts() -> None:
    assert call("\x00\t a b \n\x1f", "trim") == "a b"
    assert call("\u00a0a\u2003", "trim") == "\u00a0a\u2003"


def test_other_types_are_other_methods() -> None:
    for name in ("contains", "indexOf", "concat", "startsWith"):
        with pytest.raises(NoSuchMethod):
            call("a", name, 5)
    with pytest.raises(NoSuchMethod):
        call([1], "get", "0")
    with pytest.raises(TemplateError, match="null"):
        call("a", "contains", None)


def test_growth_is_bounded() -> None:
    with pytest.raises(TemplateError, match="characters"):
        call("xx", "replace", "x", "y" * 60, output_chars_max=100)
    with pytest.raises(TemplateError, match="characters"):
        call("xx", "replaceAll", "x|z", "y" * 60, output_chars_max=100)
    with pytest.raises(TemplateError, match="items"):
        call([1, 2], "add", 3, items_max=2)
    with pytest.raises(TemplateError, match="items"):
        call({"a": 1}, "put", "b", 2, items_max=1)
    with pytest.raises(TemplateError, match="items"):
        call("a,b,c", "split", ",", items_max=2)


def test_add_all_of_a_list_to_itself_ends() -> None:
    items = [1, 2]
    assert call(items, "addAll", items) is True
    assert items == [1, 2, 1, 2]


def test_views_are_copies() -> None:
    values = {"a": 1}
    keys = call(values, "keySet")
    keys.append("b")
    assert values == {"a": 1}


def test_only_values_have_methods_and_no_name_is_pythons() -> None:
    names = {name for table in METHODS.values() for name, _ in table} | {n for t in PROPERTIES.values() for n in t}
    assert not [name for name in names if name.startswith("_") or "_" in name]
    assert {"class", "getClass", "notify", "wait"}.isdisjoint(names)
    assert len(STRING_METHODS) + len(LIST_METHODS) + len(MAP_METHODS) > 50
