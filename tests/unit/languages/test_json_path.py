"""JSONPath as Jayway's library reads it (a data file), and within its bounds."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.json_path import JsonPathError, JsonPaths, compile_json_path

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "json_path_cases.json").read_text())


@pytest.mark.parametrize("case", DATA["cases"], ids=[case["path"] for case in DATA["cases"]])
def test_finds_what_jayway_finds(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(JsonPathError) as caught:
            compile_json_path(case["path"])
        assert str(caught.value) == case["error"]
    else:
        assert compile_json_path(case["path"]).find(DATA["document"]) == case["expected"]


@pytest.mark.parametrize(
    "path",
    ["", "   ", "$.", "$..", "$[", "$[]", "$['a'", "$[a]", "$.a b", "$[?(@.a ==)]", "$[?(@.a = 1)]", "$[?(@.a == x)]",
     "$[?@.a]", "$[?(@.a]", "$[?()]", "$.a[1", "$.a[1:2:3]", "$.sum()", "$[?(@.a =~ 'x')]", "$[?(@.a =~ /(?=x)/)]",
     "$[?(@.a =~ /x/g)]", "$.a..", "$$", "@.a.", "$['a',]", "$[0,]", "$[?(@.a in [$.b])]", "$.a[?(@.b==1)"],
)  # fmt: skip
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(JsonPathError) as caught:
        compile_json_path(path)
    assert str(caught.value)


def test_a_definite_path_knows_it() -> None:
    assert compile_json_path("$.a['b'][0]").is_definite
    for path in ("$.*", "$..a", "$.a[*]", "$[1:]", "$[0,1]", "$[?(@.a)]"):
        assert not compile_json_path(path).is_definite


def test_whoever_evaluates_pays_for_what_is_visited() -> None:
    paid: list[int] = []
    compile_json_path("$..a").find({"x": [{"a": 1}] * 100}, paid.append)
    assert sum(paid) >= 100


def test_an_evaluation_can_be_ended() -> None:
    class Enough(Exception):
        """Too much."""

    def spend(_steps: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        compile_json_path("$..*").find({"a": {}}, spend)


def test_the_cache_keeps_what_was_used_and_is_bounded() -> None:
    paths = JsonPaths()
    first = paths.get("$.a")
    assert paths.get("$.a") is first
    for number in range(JsonPaths.CACHED_MAX):
        paths.get(f"$.a{number}")
    assert paths.get("$.a") is not first


@pytest.mark.parametrize(
    "path",
    ["$" + ".a" * 500, "$" + "..*" * 100, "$[?(" + "(" * 5000 + "@.a)", "$[?(" + "!" * 1500 + "@.a)]", "$.a" * 900],
)
def test_extreme_paths_are_refused_or_end(path: str) -> None:
    with contextlib.suppress(JsonPathError):
        compile_json_path(path)


def test_patterns_take_linear_time() -> None:
    begin = time.process_time()
    path = compile_json_path("$[?(@.a =~ /(a+)+b/)]")
    assert path.find([{"a": "a" * 50_000}]) == []
    assert time.process_time() - begin < 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [".a", ".b", "..a", ".*", "..*", "[*]", "[0]", "[-1]", "[0:2]", "['a']", "['a','b']", "[?(@.a)]", "[?(@.a == 1)]",
     "[?(@ > 1 || !@.b)]", "[?(@.a in [1,'x'])]", "[?(@ =~ /x/)]", "[?(@.a size 1)]", "[", "]", "(", "'", "?", "@", "$"]
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(pieces=st.lists(PIECES, max_size=5), document=JSON)
def test_any_path_into_any_document_gives_a_value_or_is_refused(pieces: list[str], document: Any) -> None:
    before = json.dumps(document)
    with contextlib.suppress(JsonPathError):
        json.dumps(compile_json_path("$" + "".join(pieces)).find(document))
    assert json.dumps(document) == before
