"""Unpacked code that no function names goes, after an hour."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gatepost.kernel.clock import FixedClock
from gatepost.services.lambda_.code_sweep import UNNAMED_MS, CodeSweep, digests_of
from gatepost.services.lambda_.layer_files import merged_digest
from tests.support.functions import a_function

USED, UNUSED, BACK = "a" * 64, "b" * 64, "c" * 64


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_unnamed_for_an_hour_goes_with_its_marks(tmp_path) -> None:
    clock, named = FixedClock(), {USED}
    for name in (USED, UNUSED, BACK):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text("x")
    (tmp_path / f".{UNUSED}.python3.11").touch()
    (tmp_path / f".{USED}.python3.11").touch()
    (tmp_path / "mine").mkdir()
    sweep = CodeSweep(tmp_path, lambda: set(named), clock)

    async def scenario() -> list[int]:
        counts = [await sweep.sweep()]
        clock.advance(ms=UNNAMED_MS - 1)
        counts.append(await sweep.sweep())
        named.add(BACK)
        counts.append(await sweep.sweep())
        named.discard(BACK)  # and counts anew
        clock.advance(ms=1)
        counts.append(await sweep.sweep())
        return counts

    assert asyncio.run(scenario()) == [0, 0, 0, 1]
    assert names(tmp_path) == {USED, BACK, f".{USED}.python3.11", "mine"}


def test_a_folder_that_is_not_there_is_no_failure(tmp_path) -> None:
    assert asyncio.run(CodeSweep(tmp_path / "nothing", set, FixedClock()).sweep()) == 0


def test_functions_need_their_code_their_layers_and_both_merged() -> None:
    layers = [{"sha256": USED}, {"sha256": BACK}]
    function = a_function(code_sha256=UNUSED, layers=layers)
    assert digests_of([function], []) == {USED, UNUSED, BACK, merged_digest([USED, BACK])}
