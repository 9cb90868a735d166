"""Sets of the SDK's packages: what npm is asked for, what is kept, and what is said where nothing can be installed."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.lambda_.node_sdk import SETS_MAX, set_name
from tests.support.functions import LambdaControl, a_lambda_control, a_zip
from tests.support.nodes import RUNTIME, needs_node

pytestmark = needs_node
# Stands for npm: writes down what it was asked for, fails as npm does for one name, and installs an empty package.
NPM = """#!/bin/sh
echo "$@" >> "{log}"
env > "{log}.env"
if [ -e "{log}.down" ]; then echo "npm error network request to the registry failed" >&2; exit 1; fi
case "$*" in *client-nonsense*)
  echo "npm error code E404" >&2
  echo "npm error 404 Not Found - GET https://registry.npmjs.org/@aws-sdk%2fclient-nonsense" >&2
  exit 1
esac
mkdir -p node_modules/@aws-sdk/client-s3
"""
S3 = "require('@aws-sdk/client-s3'); exports.handler = async () => 1;"


class Npm:
    """A program that stands for npm, first on the PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        self.log = folder / "log"
        program = folder / "npm"
        program.write_text(NPM.format(log=self.log))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def breaks(self) -> None:
        """Fail from now on."""
        Path(f"{self.log}.down").touch()

    def works(self) -> None:
        """Fail no more."""
        Path(f"{self.log}.down").unlink()

    @property
    def runs(self) -> list[str]:
        """The words of each run."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    return Npm(tmp_path / "npm", monkeypatch)


def with_sets(folder: Path, scenario: Any) -> Any:
    async def run() -> Any:
        async with a_lambda_control(folder, runtimes=folder / "runtimes") as control:
            return await scenario(control)

    return asyncio.run(run())


async def deploy(control: LambdaControl, name: str, code: str, **params: Any) -> dict[str, Any]:
    files = {"Code": {"ZipFile": a_zip({"app.js": code})}, "Runtime": RUNTIME}
    return await control.a_function(name, **{**files, **params})


def sets(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runtimes").glob("*")) if (folder / "runtimes").is_dir() else []


def test_a_set_is_installed_once_for_all_functions_and_without_scripts(
    tmp_path: Path, npm: Npm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody's")

    async def scenario(control: LambdaControl) -> None:
        await asyncio.gather(*(deploy(control, f"f{number}", S3) for number in range(3)))
        await control("UpdateFunctionCode", FunctionName="f0", ZipFile=a_zip({"app.js": S3 + "// changed"}))
        told = control.told.held["arn:aws:lambda:us-east-1:000000000000:function:f0"]
        assert told["node_sdk"] == set_name(["@aws-sdk/client-s3"], RUNTIME)
        await control("UpdateFunctionCode", FunctionName="f0", ZipFile=a_zip({"app.js": "exports.handler = 1;"}))
        assert "StateReason" not in await control("GetFunctionConfiguration", FunctionName="f0")

    with_sets(tmp_path, scenario)
    assert len(npm.runs) == 1
    assert "--ignore-scripts" in npm.runs[0]
    assert npm.runs[0].endswith(" -- @aws-sdk/client-s3@^3")
    assert "nobody's" not in Path(f"{npm.log}.env").read_text()
    assert sets(tmp_path) == [set_name(["@aws-sdk/client-s3"], RUNTIME)]
    assert stat.S_IMODE((tmp_path / "runtimes" / sets(tmp_path)[0]).stat().st_mode) == 0o755


def test_functions_that_name_no_package_ask_npm_for_nothing(tmp_path: Path, npm: Npm) -> None:
    async def scenario(control: LambdaControl) -> None:
        await deploy(control, "plain", "exports.handler = async () => 1;")
        await deploy(control, "old", "require('aws-sdk')")
        await control.a_function("python", Code={"ZipFile": a_zip({"app.py": "", "x.js": S3})})

    with_sets(tmp_path, scenario)
    assert npm.runs == []
    assert sets(tmp_path) == []


def test_a_package_that_the_registry_does_not_have_is_left_out(tmp_path: Path, npm: Npm) -> None:
    async def scenario(control: LambdaControl) -> None:
        made = await deploy(control, "one", S3 + "import('@aws-sdk/client-nonsense')")
        assert "StateReason" not in made
        only = await deploy(control, "two", "import('@aws-sdk/client-nonsense')")
        assert "npm's registry has no such package" in only["StateReason"]
        assert "StateReason" not in await deploy(control, "three", S3.replace("s3", "ssm"))

    with_sets(tmp_path, scenario)
    assert [run.partition(" -- ")[2] for run in npm.runs] == [
        "@aws-sdk/client-nonsense@^3 @aws-sdk/client-s3@^3",
        "@aws-sdk/client-s3@^3",
        "@aws-sdk/client-nonsense@^3",
        "@aws-sdk/client-ssm@^3",
    ]


def test_where_npm_cannot_install_the_function_says_so_and_others_do_not_wait(tmp_path: Path, npm: Npm) -> None:
    npm.breaks()

    async def scenario(control: LambdaControl) -> None:
        made = await deploy(control, "one", S3)
        assert "@aws-sdk/client-s3, which cannot be installed here (npm: network request" in made["StateReason"]
        assert "put it into the function's package" in made["StateReason"]
        await deploy(control, "two", S3.replace("s3", "ssm"))
        assert len(npm.runs) == 1
        control.clock.advance(ms=61_000)
        npm.works()
        changed = await control("UpdateFunctionCode", FunctionName="one", ZipFile=a_zip({"app.js": S3}))
        assert "StateReason" not in changed

    with_sets(tmp_path, scenario)
    assert len(npm.runs) == 2
    assert len(sets(tmp_path)) == 1


def test_without_npm_the_function_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "node").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(bare))

    async def scenario(control: LambdaControl) -> None:
        assert "there is no npm on the PATH" in (await deploy(control, "one", S3))["StateReason"]

    with_sets(tmp_path, scenario)
    assert sets(tmp_path) == []


def test_sets_that_no_function_has_make_room_and_those_in_use_stay(tmp_path: Path, npm: Npm) -> None:
    folder = tmp_path / "runtimes"

    async def scenario(control: LambdaControl) -> None:
        await deploy(control, "one", S3)
        for number in range(SETS_MAX - 1):
            (folder / f"{number:032x}").mkdir()
        (folder / ".half").mkdir()
        os.utime(folder / set_name(["@aws-sdk/client-s3"], RUNTIME), ns=(1, 1))
        os.utime(folder / f"{7:032x}", ns=(2, 2))
        assert "StateReason" not in await deploy(control, "two", S3.replace("s3", "ssm"))

    with_sets(tmp_path, scenario)
    left = sets(tmp_path)
    assert len(left) == SETS_MAX
    assert f"{7:032x}" not in left
    assert set_name(["@aws-sdk/client-s3"], RUNTIME) in left
