"""`status`, `wait`, `stop` and `env` without sockets: what they say of a directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatepost.cli.state import env_command, stop_command, wait_command, with_urls
from gatepost.storage.data_directory import DataDirectory, write_durably
from tests.unit.cli.test_endpoint import asked
from tests.unit.cli.test_output import ADDRESSES

KEY = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "it's/secret"}


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Path]:
    """A directory whose platform runs, as far as its files say."""
    data = DataDirectory(tmp_path)
    data.prepare()
    descriptor = data.own()
    write_durably(data.endpoints, json.dumps(asdict(ADDRESSES)).encode())
    write_durably(tmp_path / "administrator.json", json.dumps(KEY).encode())
    yield tmp_path
    os.close(descriptor)


def test_env_can_be_evaluated_by_a_shell(owned: Path) -> None:
    lines = CliRunner().invoke(env_command, ["--data", str(owned)]).output.splitlines()
    assert lines == [
        "export AWS_ENDPOINT_URL=http://127.0.0.1:4566",
        "export AWS_ACCESS_KEY_ID=AKIAEXAMPLE",
        """export AWS_SECRET_ACCESS_KEY='it'"'"'s/secret'""",
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "unset AWS_SESSION_TOKEN AWS_PROFILE",
    ]


def test_env_as_json_has_the_values_as_they_are(owned: Path) -> None:
    told = json.loads(CliRunner().invoke(env_command, ["--data", str(owned), "--json"]).output)
    assert told["AWS_SECRET_ACCESS_KEY"] == KEY["secret_access_key"]


def test_env_without_a_readable_key_says_so(owned: Path) -> None:
    (owned / "administrator.json").unlink()
    ended = CliRunner().invoke(env_command, ["--data", str(owned)])
    assert (ended.exit_code, "holds no administrator's key" in ended.output) == (1, True)


def test_wait_tells_when_nothing_runs_in_time(tmp_path: Path) -> None:
    ended = CliRunner().invoke(wait_command, ["--data", str(tmp_path), "--timeout", "0", "--json"])
    first, last = ended.output.splitlines()
    assert ended.exit_code == 1
    assert json.loads(first) == {"status": "not running"}
    assert last == "Error: not ready after 0 s: not running"


def test_there_is_nothing_to_stop_in_a_directory_that_nobody_owns(tmp_path: Path) -> None:
    ended = CliRunner().invoke(stop_command, ["--data", str(tmp_path)])
    assert (ended.exit_code, "no platform runs on" in ended.output) == (1, True)


def test_stages_that_the_gateways_have_told_nothing_of_are_listed_as_well() -> None:
    apis = b'{"items": [{"id": "a1", "name": "shop"}, {"id": "a2", "name": "new"}]}'
    told = [{"api": "shop", "api_id": "a1", "stage": "prod", "count": 7}]
    rows, _ = asked((200, apis), (200, b'{"item": [{"stageName": "v1"}]}'), ask=lambda at: with_urls(at, told))
    assert isinstance(rows, list)
    assert [(row["api"], row["stage"], row["count"], row["url"]) for row in rows] == [
        ("shop", "prod", 7, "http://public/_aws/execute-api/a1/prod"),
        ("new", "v1", 0, "http://public/_aws/execute-api/a2/v1"),
    ]
