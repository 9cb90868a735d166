"""Zygotes that do not start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.interpreters import Interpreter, own_interpreter
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.zygote import Places, Zygote, is_private


def a_zygote(tmp_path: Path, executable: Path, **settings) -> Zygote:
    for name in ("functions", "cache", "packages"):
        (tmp_path / name).mkdir()
    places = Places(tmp_path / "functions", tmp_path / "cache", {}, tmp_path / "packages")
    return Zygote(Interpreter((3, 11), executable, ()), places, RunnerSettings(**settings))


@pytest.mark.parametrize("executable", ["/bin/true", "/bin/false", "/nowhere"])
def test_an_interpreter_that_is_none_is_an_error(tmp_path, executable: str) -> None:
    async def scenario() -> None:
        zygote = a_zygote(tmp_path, Path(executable))
        try:
            await zygote.start()
        finally:
            await zygote.close()

    with pytest.raises(OSError, match=r"did not start|No such file"):
        asyncio.run(scenario())


def test_a_kernel_without_namespaces_gets_a_zygote_without(tmp_path) -> None:
    async def scenario() -> list[bool]:
        zygote = a_zygote(tmp_path, own_interpreter().executable)
        # A root that is no directory: every kind of box fails, as where the kernel refuses.
        (tmp_path / "cache" / "root").mkdir()
        zygote._options = lambda original=zygote._options: {**original(), "root": "/dev/null"}
        try:
            await zygote.start()
            return [zygote.is_running, zygote.is_boxed]
        finally:
            await zygote.close()

    assert asyncio.run(scenario()) == [True, False]


def test_a_directory_is_private_when_one_above_it_is(tmp_path) -> None:
    (tmp_path / "closed" / "open").mkdir(parents=True)
    tmp_path.chmod(0o755)
    was = is_private(tmp_path / "closed" / "open" / "x")
    (tmp_path / "closed").chmod(0o700)
    assert is_private(tmp_path / "closed" / "open" / "x")
    assert was is is_private(tmp_path / "x")


def test_who_asks_while_a_kernel_refuses_waits_until_there_is_a_zygote(tmp_path) -> None:
    async def scenario() -> list[bool]:
        zygote = a_zygote(tmp_path, own_interpreter().executable)
        (tmp_path / "cache" / "root").mkdir()
        zygote._options = lambda original=zygote._options: {**original(), "root": "/dev/null"}

        async def ask() -> bool:
            await zygote.start()
            return zygote.is_running

        try:
            return await asyncio.gather(ask(), ask(), ask())
        finally:
            await zygote.close()

    assert asyncio.run(scenario()) == [True, True, True]
