"""Every flag of `up` has its line in docs/settings.md, and every line its flag."""

import re
from pathlib import Path

from gatepost.cli.up import up_command

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ELSEWHERE = {"--json", "--stack-name"}


def test_the_settings_page_lists_every_flag():
    listed = set(re.findall(r"^\| `(--[a-z-]+)", PAGE.read_text(), re.MULTILINE))
    flags = {flag for option in up_command.params for flag in option.opts if flag.startswith("--")}
    assert listed == flags - ELSEWHERE
