"""`gatepost outbox` shows what was sent, newest first, and opens a message without letting it load anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatepost.cli import outbox

MESSAGE = {
    "medium": "EMAIL",
    "to": "ann@example.com",
    "subject": "Your <code>",
    "body": "<p>Code: <b>123456</b>&amp;<script>alert(1)</script></p>",
    "occasion": "SignUp",
    "code": "123456",
    "at_ms": 1_760_000_000_000,
}


class Platform:
    def __init__(self, messages: list[dict[str, Any]], status: int = 200) -> None:
        self.asked: list[str] = []
        self._answer = (status, json.dumps({"messages": messages}).encode())

    def send(self, method: str, path: str, *, query: str) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}?{query}")
        return self._answer


def run(monkeypatch: pytest.MonkeyPatch, platform: Platform, *arguments: str) -> Any:
    monkeypatch.setattr(outbox, "endpoint_of", lambda _: platform)
    return CliRunner().invoke(outbox.outbox_command, list(arguments))


def test_messages_are_told_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform([MESSAGE, {**MESSAGE, "medium": "SMS", "subject": "", "body": "Code <1>"}])
    told = run(monkeypatch, platform)
    assert told.exit_code == 0
    assert "Code: 123456&alert(1)" in told.output
    assert "Code <1>" in told.output
    assert platform.asked == ["GET /_gatepost/outbox?count=20"]


def test_the_newest_code_is_printed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform([MESSAGE])
    assert run(monkeypatch, platform, "+1 555&x", "--code").output == "123456\n"
    assert platform.asked == ["GET /_gatepost/outbox?count=1&to=%2B1%20555%26x"]
    assert json.loads(run(monkeypatch, platform, "--json").output) == [MESSAGE]


def test_an_empty_outbox_and_a_refusal_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no message to ann" in run(monkeypatch, Platform([]), "ann").output
    refused = run(monkeypatch, Platform([], 403))
    assert refused.exit_code == 1


def test_a_message_is_opened_without_scripts_or_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(outbox.webbrowser, "open", opened.append)
    told = run(monkeypatch, Platform([MESSAGE]), "--open")
    file = Path(told.output.strip())
    text = file.read_text()
    file.unlink()
    assert opened == [file.as_uri()]
    assert text.startswith('<meta http-equiv="content-security-policy" content="default-src \'none\';')
    assert "<title>Your &lt;code&gt;</title>" in text
