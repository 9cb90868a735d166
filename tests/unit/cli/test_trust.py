"""`gatepost trust`: into stores of folders and NSS databases by the system's own tools, and out again."""

import shutil
import subprocess

import pytest
from click.testing import CliRunner

from gatepost.cli.trust import NAME, Stores, run, trust_command
from gatepost.security.certificates import pem_of
from tests.support.tls import an_authority


class Ran:
    """Notes commands, and says that they went well or not."""

    def __init__(self, code=0):
        self.commands = []
        self.code = code

    def __call__(self, command):
        self.commands.append(tuple(command))
        return subprocess.CompletedProcess(command, self.code, "", "it did not work\n" if self.code else "")


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "data" / "tls" / "ca.pem"
    path.parent.mkdir(parents=True)
    path.write_text(pem_of(an_authority().certificate))
    return path


def stores(root, tmp_path, ran, **options):
    folder = tmp_path / "anchors"
    folder.mkdir(exist_ok=True)
    options.setdefault("folders", ((folder, ("true", "now")),))
    return Stores(root, ran, home=tmp_path / "home", **options), folder / f"{NAME}.crt"


def test_the_root_goes_into_the_systems_folder_and_out_again(root, tmp_path):
    ran = Ran()
    found, target = stores(root, tmp_path, ran)
    assert [step.failed for step in found.install()] == [""]
    assert target.read_text() == root.read_text()
    assert target.stat().st_mode & 0o777 == 0o644
    assert found.install()[0].failed == ""  # twice is fine
    assert [step.done for step in found.remove()] == ["no longer trusted"]
    assert not target.exists()
    assert [step.done for step in found.remove()] == ["nothing was there"]
    assert set(ran.commands) == {("true", "now")}


def test_what_the_system_refuses_is_said(root, tmp_path):
    found, _ = stores(root, tmp_path, Ran(code=1))
    assert "it did not work" in found.install()[0].failed
    unknown, _ = stores(root, tmp_path, Ran(), folders=())
    assert "add" in unknown.install()[0].failed


def test_macos_is_asked_by_its_own_tool(root, tmp_path):
    ran = Ran()
    found, _ = stores(root, tmp_path, ran, platform="darwin")
    found.install()
    found.remove()
    assert [command[:2] for command in ran.commands] == [
        ("security", "add-trusted-cert"),
        ("security", "remove-trusted-cert"),
    ]


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil (libnss3-tools) is not installed")
def test_a_browsers_database_trusts_the_root_and_no_longer(root, tmp_path):
    database = tmp_path / "home" / ".pki" / "nssdb"
    database.mkdir(parents=True)
    run(("certutil", "-N", "--empty-password", "-d", f"sql:{database}"))

    def names():
        return run(("certutil", "-L", "-d", f"sql:{database}")).stdout

    found, _ = stores(root, tmp_path, run)
    assert [step.failed for step in found.install()] == ["", ""]
    assert NAME in names()
    assert [step.done for step in found.remove()] == ["no longer trusted", "no longer trusted"]
    assert NAME not in names()


def test_without_a_platform_there_is_nothing_to_trust(tmp_path):
    ended = CliRunner().invoke(trust_command, ["--data", str(tmp_path)])
    assert ended.exit_code == 1
    assert "start the platform once" in ended.output
