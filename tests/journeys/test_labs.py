"""The pages of docs/labs, command by command, in one shell: each prints what its page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.platform import start_platform

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "labs").glob("[0-9]-*.md"))
END = "=end-of-command="


def steps(page):
    """Give the commands of a page's console blocks, each with the lines that it prints."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.startswith("> "):
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", [])
            else:
                found[-1][1].append(line)
    return found


class Shell:
    """A bash that stays."""

    def __init__(self, platform, folder):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=platform.environment() | {"PATH": path, "AWS_PAGER": ""},
        )

    def run(self, command):
        self.process.stdin.write(f"{command}\necho; echo {END}\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) and line.strip() != END:
            lines.append(line.rstrip("\n"))
        return "\n".join(lines).strip("\n")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labs")
    platform = start_platform(folder / "data", "--durability", "process")
    shell = Shell(platform, folder)
    shell.public = platform.public.removeprefix("http://")
    yield shell
    shell.process.communicate("exit\n", timeout=10)
    platform.stop()


def test_every_command_of_the_labs_prints_what_its_page_says(shell):
    assert len(PAGES) == 3
    for page in PAGES:
        for command, printed in steps(page):
            told = shell.run(command.replace("127.0.0.1:8080", shell.public))
            assert told == "\n".join(printed), f"{page.name}: {command}"
