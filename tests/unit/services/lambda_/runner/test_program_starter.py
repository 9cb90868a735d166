from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.services.lambda_.model import InvalidRuntimeException
from gatepost.services.lambda_.runner.custom import CustomWorker
from gatepost.services.lambda_.runner.extended import ExtendedWorker
from gatepost.services.lambda_.runner.interpreters import own_interpreter
from gatepost.services.lambda_.runner.process import Worker
from gatepost.services.lambda_.runner.program_starter import ProgramStarter
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.zygote import Places
from tests.support.functions import a_function


@pytest.mark.parametrize(
    ("runtime", "extensions", "kind"),
    [
        ("python3.12", None, Worker),
        ("nodejs20.x", None, Worker),
        ("python3.12", 1, ExtendedWorker),
        ("provided.al2023", 0, CustomWorker),
        ("provided.al2", 2, CustomWorker),
    ],
)
def test_workers_are_of_the_kind_that_their_runtime_and_layers_need(
    runtime: str, extensions: int | None, kind: type
) -> None:
    assert ProgramStarter.kind_of_worker(a_function(runtime=runtime), extensions) is kind


def test_only_who_needs_the_runtime_api_hears_of_it(tmp_path: Path) -> None:
    layers = tmp_path / "extensions"
    layers.mkdir()
    (layers / "notes.txt").write_text("")

    async def scenario() -> list[tuple[int | None, bool]]:
        starter = ProgramStarter(RunnerSettings(), FixedClock())
        seen = []
        try:
            for runtime, opt in (("python3.12", tmp_path), ("provided.al2", None), ("python3.12", tmp_path)):
                variables: dict[str, str] = {}
                count = await starter.extend(a_function(runtime=runtime), opt, variables)
                seen.append((count, "AWS_LAMBDA_RUNTIME_API" in variables))
                (layers / "agent").write_text("#!/bin/sh\n")
                (layers / "agent").chmod(0o755)
        finally:
            await starter.close()
        return seen

    assert asyncio.run(scenario()) == [(None, False), (0, True), (1, True)]


def test_without_a_node_its_functions_are_refused_and_custom_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async def scenario() -> None:
        starter = ProgramStarter(RunnerSettings(), FixedClock())
        places = Places(tmp_path, tmp_path, {}, tmp_path)
        with pytest.raises(InvalidRuntimeException) as refused:
            await starter.zygote("nodejs20.x", places)
        assert "Runtime nodejs20.x cannot run: no Node.js was found" in refused.value.message
        zygote = await starter.zygote("provided.al2023", places)
        assert zygote.interpreter.executable == own_interpreter().executable
        await starter.close()

    asyncio.run(scenario())
