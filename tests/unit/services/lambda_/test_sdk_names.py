"""Which packages of the SDK code names and does not bring."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatepost.services.lambda_.sdk_names import PACKAGES_MAX, TEXT_BYTES_MAX, lacking_packages
from tests.support.functions import a_zip


def lacking(folder: Path, code: dict[str, str], *layers: dict[str, str]) -> tuple[str, ...]:
    paths = []
    for number, files in enumerate((code, *layers)):
        path = folder / f"{number}.zip"
        path.write_bytes(a_zip(files))
        paths.append(path)
    return lacking_packages(paths)


@pytest.mark.parametrize(
    "text",
    [
        'const { S } = require("@aws-sdk/client-s3");',
        "const s = require( '@aws-sdk/client-s3/dist-cjs/index.js' )",
        'import { S } from "@aws-sdk/client-s3";',
        'import{S}from"@aws-sdk/client-s3"',
        "import '@aws-sdk/client-s3'",
        "const s = await import(`@aws-sdk/client-s3`);",
        'import {\n  S,\n} from\n  "@aws-sdk/client-s3";',
        'export * from "@aws-sdk/client-s3"',
        'var s = __importStar(require("@aws-sdk/client-s3"))',
        'require.resolve("@aws-sdk/client-s3")',
    ],
)
def test_each_way_of_loading_a_package_names_it(tmp_path: Path, text: str) -> None:
    assert lacking(tmp_path, {"src/app.mjs": text}) == ("@aws-sdk/client-s3",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app.js", "// node_modules/@aws-sdk/client-s3/dist-es/index.js"),
        ("app.js", 'var package_default = { name: "@aws-sdk/client-s3" };'),
        ("app.js", 'require("aws-sdk"); require("@aws-sdk-clients/x"); require("./@aws-sdk/client-s3")'),
        (
            "app.js",
            'require("@aws-sdk/../evil"); require("@aws-sdk/client-s3@npm:evil"); require("@aws-sdk/--prefix=/")',
        ),
        ("README.md", 'require("@aws-sdk/client-s3")'),
        ("app.js", ""),
    ],
)
def test_other_words_name_nothing(tmp_path: Path, name: str, text: str) -> None:
    assert lacking(tmp_path, {name: text}) == ()


def test_what_code_or_a_layer_brings_is_not_lacking(tmp_path: Path) -> None:
    code = {
        "app.js": 'require("@aws-sdk/client-s3"); require("@aws-sdk/client-ssm"); require("@smithy/types")',
        "node_modules/@aws-sdk/client-s3/package.json": "{}",
        "node_modules/@aws-sdk/client-s3/index.js": 'require("@aws-sdk/core")',
    }
    layer = {"nodejs/node_modules/@aws-sdk/client-ssm/index.js": ""}
    assert lacking(tmp_path, code) == ("@aws-sdk/client-ssm", "@smithy/types")
    assert lacking(tmp_path, code, layer) == ("@smithy/types",)


def test_a_package_that_expects_the_sdk_of_its_user_names_it(tmp_path: Path) -> None:
    manifest = json.dumps({"peerDependencies": {"@aws-sdk/lib-dynamodb": ">=3", "other": "1"}})
    code = {"app.js": "", "node_modules/@shop/store/package.json": manifest, "node_modules/x/package.json": "[1"}
    assert lacking(tmp_path, code) == ("@aws-sdk/lib-dynamodb",)


def test_a_layers_own_files_name_packages_too(tmp_path: Path) -> None:
    assert lacking(tmp_path, {"app.js": ""}, {"nodejs/shared.js": "require('@aws-sdk/client-s3')"}) == (
        "@aws-sdk/client-s3",
    )


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    many = "".join(f"require('@aws-sdk/client-{number}');" for number in range(PACKAGES_MAX + 10))
    assert len(lacking(tmp_path, {"app.js": many})) == PACKAGES_MAX
    filler = {f"a{number}.js": " " * (4 * 1024 * 1024) for number in range(TEXT_BYTES_MAX // (4 * 1024 * 1024))}
    assert lacking(tmp_path, {**filler, "z.js": "require('@aws-sdk/client-s3')"}) == ()


def test_what_is_no_archive_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_bytes(b"PK\x03\x04 and nothing more")
    assert lacking_packages([tmp_path / "code.zip"]) == ()
    assert lacking_packages([tmp_path / "absent.zip"]) == ()
