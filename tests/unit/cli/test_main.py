import subprocess
import sys

import pytest

from gatepost.cli.main import COMMANDS, Commands
from tests.support.platform import gatepost


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name):
    command = Commands().get_command(None, name)
    flags = {flag for option in command.params for flag in option.opts}
    assert command.help
    assert "--data" in flags
    assert name == "exec" or "--json" in flags


def test_wrong_use_exits_with_2_and_says_how():
    ended = gatepost("deploy")
    assert ended.returncode == 2
    assert "Missing argument 'TEMPLATE'" in ended.stderr


def test_without_a_platform_commands_say_how_to_start_one(tmp_path):
    for arguments in (("status",), ("env",), ("delete", "shop")):
        ended = gatepost(*arguments, "--data", str(tmp_path))
        assert ended.returncode == 1
        assert "gatepost up" in ended.stderr


def test_a_closed_pipe_is_no_traceback():
    script = f"{sys.executable} -m gatepost.cli --help | true"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
