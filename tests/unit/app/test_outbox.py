"""The outbox keeps the newest messages, sealed, for the administrator; e-mails go out where there is a server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.app.outbox import KEPT_MAX, KIND, Outbox, parse_smtp
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceUnavailable, SettingsError, ValidationException
from gatepost.kernel.ports import OutgoingMessage
from gatepost.security.sealing import Seal
from gatepost.wire.messages import Request
from tests.support.stores import some_records

SEAL = Seal(bytes(32))


def a_message(**changes: Any) -> OutgoingMessage:
    given = {"medium": "EMAIL", "to": "ann@example.com", "subject": "Hi", "body": "<b>123456</b>", "code": "123456"}
    return OutgoingMessage(**{**given, "sender": "shop@example.com", "user_name": "ann", **changes})


def run(folder: Path, scenario: Callable[[Any], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        async with some_records(folder) as records:
            return await scenario(records)

    return asyncio.run(whole())


def test_messages_are_kept_newest_first_and_found_by_address_or_user(tmp_path: Path) -> None:
    async def scenario(records: Any) -> None:
        outbox = Outbox(records, SEAL, FixedClock())
        for number in range(3):
            await outbox.send(a_message(code=str(number), to=f"{number % 2}@example.com"))
        again = Outbox(records, SEAL, FixedClock())
        await again.start()
        assert [message["code"] for message in await again.newest()] == ["2", "1", "0"]
        assert [message["code"] for message in await again.newest(to="1@example.com")] == ["1"]
        assert len(await again.newest(to="ann", count_max=2)) == 2
        (kept, *_) = await records.scan(KIND)
        assert set(kept.value) == {"sealed"}
        assert "example.com" not in str(kept)

    run(tmp_path, scenario)


def test_no_more_are_kept_than_a_thousand(tmp_path: Path) -> None:
    async def scenario(records: Any) -> None:
        outbox = Outbox(records, SEAL, FixedClock())
        outbox._ids.update((f"old-{number}", None) for number in range(KEPT_MAX))
        await outbox.send(a_message())
        assert len(outbox._ids) == KEPT_MAX
        assert "old-0" not in outbox._ids

    run(tmp_path, scenario)


def test_the_administrator_reads_them_by_a_route(tmp_path: Path) -> None:
    async def scenario(records: Any) -> None:
        outbox = Outbox(records, SEAL, FixedClock())
        await outbox.send(a_message(to="+1555"))
        (route,) = outbox.routes()
        assert (route.method, route.path, route.action) == ("GET", "/_gatepost/outbox", "gatepost:ReadOutbox")
        answer: Any = await route.handler(Request("GET", "/_gatepost/outbox?to=%2B1555&count=1", [], b""), None)  # type: ignore[arg-type,misc]
        assert b'"code":"123456"' in answer.body
        for count in ("0", "201", "x", "-1", "١"):
            with pytest.raises(ValidationException):
                await route.handler(Request("GET", f"/_gatepost/outbox?count={count}", [], b""), None)  # type: ignore[arg-type,misc]

    run(tmp_path, scenario)


class MailServer:
    """Speaks just enough SMTP to take one message."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rwb", buffering=0) as file:
            file.write(b"220 here\r\n")
            is_data = False
            while raw := file.readline():
                line = raw.decode().rstrip("\r\n")
                self.lines.append(line)
                if is_data:
                    if line == ".":
                        is_data = False
                        file.write(b"250 taken\r\n")
                elif line.upper() == "DATA":
                    is_data = True
                    file.write(b"354 go on\r\n")
                elif line.upper() == "QUIT":
                    file.write(b"221 bye\r\n")
                    return
                else:
                    file.write(b"250 fine\r\n")

    def close(self) -> None:
        self._socket.close()


def test_e_mails_go_out_by_smtp_and_sms_do_not(tmp_path: Path) -> None:
    server = MailServer()

    async def scenario(records: Any) -> None:
        outbox = Outbox(records, SEAL, FixedClock(), smtp_url=f"smtp://127.0.0.1:{server.port}")
        await outbox.send(a_message(medium="SMS", to="+15555550100"))
        await outbox.send(a_message(subject="Two\r\nBcc: eve@example.com", body="<b>x</b>"))

    run(tmp_path, scenario)
    server.close()
    assert "mail FROM:<shop@example.com>" in [line.partition(" size")[0] for line in server.lines]
    assert "Subject: Two Bcc: eve@example.com" in server.lines
    assert [line for line in server.lines if line.startswith("Bcc")] == []
    assert [line for line in server.lines if line.lower().startswith("rcpt")] == ["rcpt TO:<ann@example.com>"]


def test_a_server_that_is_gone_is_an_error_and_the_message_is_kept(tmp_path: Path) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()

    async def scenario(records: Any) -> None:
        outbox = Outbox(records, SEAL, FixedClock(), smtp_url=f"smtp://127.0.0.1:{port}")
        with pytest.raises(ServiceUnavailable, match="mail server"):
            await outbox.send(a_message())
        assert len(await outbox.newest()) == 1

    run(tmp_path, scenario)


@pytest.mark.parametrize("url", ["http://mail", "smtp://", "smtp://host:port", "smtp://host:99999", "mail.example.com"])
def test_addresses_that_are_no_mail_servers_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--smtp"):
        parse_smtp(url)
