"""A new sealing key: of a platform that is stopped, and what it leaves of the old one."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from gatepost.cli.main import gatepost
from gatepost.security.sealing import KEY_VARIABLE, Seal, load_key


def rotate(folder, **environment):
    return CliRunner().invoke(gatepost, ["rotate-key", "--data", str(folder), "--json"], env=environment)


def test_a_new_key_comes_before_the_old_one_and_the_file_stays_private(tmp_path):
    path = tmp_path / "seal.key"
    sealed = Seal(load_key(path)).seal(b"secret", purpose="p")
    for expected in (2, 3):
        told = rotate(tmp_path)
        assert json.loads(told.output) == {"keys": expected}, told.output
    assert path.stat().st_mode & 0o777 == 0o600
    assert Seal(load_key(path)).open(sealed, purpose="p") == b"secret"


@pytest.mark.parametrize("environment", [{}, {KEY_VARIABLE: "ab" * 32}])
def test_without_a_file_there_is_nothing_to_rotate(tmp_path, environment):
    told = rotate(tmp_path, **environment)
    assert told.exit_code == 1
    assert not (tmp_path / "seal.key").exists()
