"""`exec`: the command's exit code is the answer."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from click.testing import CliRunner

from gatepost.cli.exec import _run, exec_command


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(0)", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 128 + 9)],
)
def test_the_commands_exit_code_is_kept_as_a_shell_keeps_it(code: str, expected: int) -> None:
    assert asyncio.run(_run((sys.executable, "-c", code), {})) == expected


def test_a_command_that_is_not_there_or_is_no_program_is_told_apart(tmp_path, capsys) -> None:
    (tmp_path / "text").write_text("no program")
    assert asyncio.run(_run((str(tmp_path / "nothing"),), {})) == 127
    assert asyncio.run(_run((str(tmp_path / "text"),), {})) == 126
    assert "nothing: command not found" in capsys.readouterr().err


def test_the_command_sees_the_platform_and_nobody_elses_credentials(monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    code = "import os; seen = {k for k in os.environ if k.startswith('AWS_')}; raise SystemExit(seen != {'AWS_REGION'})"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        if name not in {"AWS_PROFILE", "AWS_SESSION_TOKEN"}:
            monkeypatch.delenv(name)
    assert asyncio.run(_run((sys.executable, "-c", code), {"AWS_REGION": "us-east-1"})) == 0


@pytest.mark.parametrize("arguments", [["--stack-name", "shop", "--", "true"], []])
def test_wrong_use_starts_nothing(arguments: list[str]) -> None:
    assert CliRunner().invoke(exec_command, arguments).exit_code == 2
