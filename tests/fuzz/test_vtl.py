"""No template crashes, hangs or escapes: it renders within its bounds, or a TemplateError says why not."""

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.languages.json_path import JsonPaths
from gatepost.languages.vtl_api_gateway import Parameters, Variables, compile_mapping_template
from gatepost.languages.vtl_compile import APPSYNC, compile_template
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import Limits

FOLDER = Path(__file__).parents[1] / "unit" / "languages" / "vtl_cases"
SEEDS = [case["template"] for path in sorted(FOLDER.glob("*.json")) for case in json.loads(path.read_text())["cases"]]
PIECES = [
    "$",
    "$!",
    "${",
    "}",
    "$s",
    "$l",
    "$m",
    "$undefined",
    ".a",
    ".length()",
    ".get(0)",
    "[0]",
    "['a']",
    "[",
    "]",
    "(",
    ")",
    "#",
    "##",
    "#*",
    "*#",
    "#[[",
    "]]#",
    "#set(",
    "$x = ",
    "#if(",
    "#elseif(",
    "#else",
    "#end",
    "#{else}",
    "#foreach(",
    "$x in ",
    "[1..3]",
    "#macro(f $a)",
    "#f(",
    "#@f(",
    "#define($d)",
    "#evaluate(",
    "#break",
    "#stop",
    "#return(",
    "\\",
    "\\$",
    "\\#",
    '"',
    "'",
    '""',
    "\n",
    "\r\n",
    " ",
    "\t",
    ",",
    ":",
    "1",
    "-1",
    "2.5",
    "1e9",
    "true",
    "not ",
    " and ",
    " == ",
    " + ",
    " * ",
    " - ",
    " / ",
    " % ",
    "&&",
    "||",
    "!",
    "{",
    '{"a": 1}',
    "$input.json('$')",
    "$input.path('$.a')",
    "$input.params()",
    "$context.half",
    "$context.requestOverride.header.x",
    "$util.escapeJavaScript(",
    "$util.parseJson(",
    "$foreach.index",
    "é",
    "\ud800",
    "\0",
    "\u2028",
    "x" * 50,
    "0" * 400,
    ".replaceAll('a*', '$0')",
    ".split('')",
    ".put('k', $m)",
    ".add($l)",
]
VALUES: dict[str, Any] = {
    "s": "hello",
    "l": ["a", 1, None],
    "m": {"a": {"b": [1]}},
    "n": 5,
    "d": 2.5,
    "t": True,
    "e": "",
}
LIMITS = Limits(steps_max=20_000, output_chars_max=100_000, items_max=2_000)
TEMPLATE_MS_MAX = 2_000  # of this process's own time, on a slow machine


def a_template(dice: random.Random) -> str:
    """Make a template: one of the seeds, cut, spliced and sprinkled, or a heap of pieces."""
    if dice.random() < 0.3:
        return "".join(dice.choice(PIECES) for _ in range(dice.randrange(1, 30)))
    text = dice.choice(SEEDS)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(5):
            case 0:
                text = text[:at] + dice.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[min(len(text), at + dice.randrange(8)) :]
            case 2:
                other = dice.choice(SEEDS)
                text = text[:at] + other[dice.randrange(len(other) + 1) :]
            case 3:
                text = text[:at] + text[at : at + dice.randrange(20)] * dice.randrange(1, 4) + text[at:]
            case _:
                text = f"#foreach($i in [1..{dice.choice([2, 50])}])" + text + "#end"
    return text


def render_or_refuse(template: str) -> None:
    begin = time.process_time()
    for render in (
        lambda: compile_template(template, dialect=APPSYNC, limits=LIMITS).evaluate(copy.deepcopy(VALUES)).text,
        lambda: (
            compile_mapping_template(template, paths=JsonPaths(), limits=LIMITS)
            .render(
                b'{"a": [1, {"b": "c"}]}',
                context=Variables({"stage": lambda _: "prod", "half": lambda _: "\ud800"}, None),
                stage_variables={"v": "w"},
                parameters=lambda: Parameters({"id": "1"}, {"q": "x"}, {"H": "y"}),
            )
            .text
        ),
    ):
        try:
            text = render()
        except TemplateError:
            continue
        else:
            assert len(text) <= LIMITS.output_chars_max
            assert " object at 0x" not in text
    assert (time.process_time() - begin) * 1_000 < TEMPLATE_MS_MAX, template


def test_mutated_templates_render_or_are_refused() -> None:
    dice = random.Random(20261124)
    for _ in range(1_500):
        render_or_refuse(a_template(dice))


@pytest.mark.soak
def test_many_mutated_templates_render_or_are_refused() -> None:
    dice = random.Random()
    end = time.monotonic() + 300
    while time.monotonic() < end:
        seed = dice.randrange(1 << 60)
        template = a_template(random.Random(seed))
        try:
            render_or_refuse(template)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {template!r}") from error


@pytest.mark.parametrize("piece", PIECES)
def test_repeated_pieces_take_linear_time(piece: str) -> None:
    begin = time.process_time()
    try:
        compile_template(piece * (100_000 // len(piece)), dialect=APPSYNC).evaluate(copy.deepcopy(VALUES))
    except TemplateError:
        pass
    assert time.process_time() - begin < 5
