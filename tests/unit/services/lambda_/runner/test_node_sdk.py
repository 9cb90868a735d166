"""Packages that the runtime brings: found after a function's own, by both kinds of modules, written by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.functions import LiveRunner, a_live_runner
from tests.support.nodes import RUNTIME, needs_node

pytestmark = needs_node
SET = "0123456789abcdef0123456789abcdef"
COMMON = """
const { where } = require("@aws-sdk/client-shop");
exports.handler = async () => [where, (await import("@aws-sdk/client-shop")).where];
"""
DEEP = {
    "app.js": 'const { load } = require("./deep.js"); exports.handler = async () => [await load(), await load()];',
    "deep.js": 'exports.load = async () => (await import("@aws-sdk/client-shop")).where;',
}
MODULE = """
import { where } from "@aws-sdk/client-shop";
import part from "@aws-sdk/client-shop/part";
export const handler = async () => [where, part];
"""


def put_package(folder: Path, where: str) -> None:
    package = folder / "node_modules/@aws-sdk/client-shop"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"main": "index.js", "exports": {".": "./index.js", "./part": "./part.js"}}')
    (package / "index.js").write_text(f"exports.where = '{where}';")
    (package / "part.js").write_text(f"module.exports = '{where}';")


@pytest.fixture(params=[True, False], ids=["boxed", "without a box"])
def runner(request: pytest.FixtureRequest, tmp_path: Path):
    with a_live_runner(tmp_path, is_sandboxed=request.param) as live:
        put_package(tmp_path / "runtimes" / SET, "runtime")
        yield live


@pytest.mark.parametrize(
    "files", [{"app.js": COMMON}, {"app.mjs": MODULE}, DEEP], ids=["CommonJS", "ES module", "import() below"]
)
def test_both_kinds_of_modules_find_the_runtimes_packages(runner: LiveRunner, files: dict[str, str]) -> None:
    function = runner.deploy(files, runtime=RUNTIME, node_sdk=SET)
    assert runner.value(function) == ["runtime", "runtime"]


@pytest.mark.parametrize("files", [{"app.js": COMMON}, {"app.mjs": MODULE}], ids=["CommonJS", "ES module"])
def test_a_functions_own_package_is_found_first(runner: LiveRunner, files: dict[str, str], tmp_path: Path) -> None:
    put_package(tmp_path / "own", "own")
    package = tmp_path / "own/node_modules/@aws-sdk/client-shop"
    own = {str(path.relative_to(tmp_path / "own")): path.read_text() for path in package.iterdir()}
    function = runner.deploy({**files, **own}, runtime=RUNTIME, node_sdk=SET)
    assert runner.value(function) == ["own", "own"]


def test_a_package_that_is_nowhere_is_told_as_before(runner: LiveRunner) -> None:
    function = runner.deploy({"app.mjs": MODULE.replace("shop", "none")}, runtime=RUNTIME, node_sdk=SET)
    assert "npm install @aws-sdk/client-none" in runner.error(function)["errorMessage"]
    function = runner.deploy({"app.mjs": MODULE}, runtime=RUNTIME, node_sdk="f" * 32)  # a set that was removed
    assert "/app.mjs" in runner.error(function)["errorMessage"]


def test_functions_that_lack_nothing_see_none_of_it(runner: LiveRunner) -> None:
    code = f"exports.handler = async () => process.env.NODE_PATH.includes('{SET}');"
    assert runner.value(runner.deploy({"app.js": code}, runtime=RUNTIME)) is False
    assert runner.value(runner.deploy({"app.js": code}, runtime=RUNTIME, node_sdk=SET)) is True


def test_no_function_writes_what_others_load(runner: LiveRunner, tmp_path: Path) -> None:
    code = """
    const fs = require("node:fs");
    const file = require.resolve("@aws-sdk/client-shop");
    exports.handler = async () => {
      try { fs.writeFileSync(file, "exports.where = 'evil';"); return "written"; } catch (error) { return error.code; }
    };
    """
    function = runner.deploy({"app.js": code}, runtime=RUNTIME, node_sdk=SET)
    answer = runner.value(function)
    zygote = runner.runner._starter._programs._zygote
    if zygote is not None and not zygote.is_boxed and not zygote.drops_user:
        pytest.skip("without a box, and in a folder of this user's alone, functions run as this user")
    assert answer in ("EROFS", "EACCES")
