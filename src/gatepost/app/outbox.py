"""The outbox: each e-mail and SMS to users of this platform, kept to be read; e-mails go out by SMTP where that is set.

On a developer's machine nobody has a mail server or an SMS contract: the codes are here (`gatepost outbox`, and
`GET /_gatepost/outbox` for tests). The newest thousand are kept, sealed, as they hold codes and passwords.
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from gatepost.awsapi.own_routes import OwnRoute
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable, SettingsError, ValidationException
from gatepost.kernel.operations import Call, RecordKey
from gatepost.kernel.ports import OutgoingMessage
from gatepost.security.sealing import Seal
from gatepost.storage.base import Records, Write
from gatepost.wire.messages import Request, Response

KIND: Final = "outbox-message"
KEPT_MAX: Final = 1_000
SHOWN_MAX: Final = 200
SMTP_WITHIN_S: Final = 10.0
ROUTE: Final = "/_gatepost/outbox"
_PURPOSE: Final = "outbox"
_JSON: Final = (b"content-type", b"application/json")


class Outbox:
    """`kernel.ports.Mailbox` on records, with a way out by SMTP."""

    def __init__(self, records: Records, seal: Seal, clock: Clock, *, smtp_url: str = "") -> None:
        """Take where to keep messages. Raises: SettingsError for a URL that is no SMTP server's."""
        self._records = records
        self._seal = seal
        self._clock = clock
        self._smtp = parse_smtp(smtp_url) if smtp_url else None
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._last_ms = 0

    async def start(self) -> None:
        """Read which messages there are. Raises: StoreUnavailable."""
        self._ids = OrderedDict((record.key.id, None) for record in await self._records.scan(KIND))

    async def send(self, message: OutgoingMessage) -> None:
        """Keep a message, and send it when it is an e-mail and there is a server. Raises: ServiceUnavailable."""
        self._last_ms = max(self._clock.now_ms(), self._last_ms + 1)  # ids are in order, and each its own
        message_id = f"{self._last_ms:015d}"
        content = {**asdict(message), "id": message_id, "at_ms": self._last_ms}
        sealed = base64.b64encode(self._seal.seal(orjson.dumps(content), purpose=_PURPOSE)).decode()
        writes = [Write(_key(message_id), {"sealed": sealed}, 0)]
        self._ids[message_id] = None
        while len(self._ids) > KEPT_MAX:
            oldest, _ = self._ids.popitem(last=False)
            writes.append(Write(_key(oldest), None))
        await self._records.commit(writes)
        if self._smtp is not None and message.medium == "EMAIL":
            import smtplib

            server = self._smtp
            try:
                await asyncio.get_running_loop().run_in_executor(None, deliver, server, message)
            except (OSError, smtplib.SMTPException) as error:
                raise ServiceUnavailable(f"The mail server does not take the message: {error}") from error

    async def newest(self, *, to: str = "", count_max: int = 50) -> list[dict[str, Any]]:
        """Give the newest messages first, all or those to one address or user."""
        found: list[dict[str, Any]] = []
        for message_id in reversed(self._ids):
            record = await self._records.get(_key(message_id))
            if record is None:
                continue
            sealed = base64.b64decode(record.value["sealed"])
            message = orjson.loads(self._seal.open(sealed, purpose=_PURPOSE))
            if not to or to in (message["to"], message["user_name"]):
                found.append(message)
                if len(found) == count_max:
                    break
        return found

    def routes(self) -> list[OwnRoute]:
        """Give the address that the command line and tests read messages at: the administrator's."""
        return [OwnRoute("GET", ROUTE, self._answer, "gatepost:ReadOutbox")]

    async def _answer(self, request: Request, call: Call) -> Response:
        del call
        given = dict(pair.partition("=")[::2] for pair in request.query.split("&") if pair)
        count = given.get("count", "50")
        if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= SHOWN_MAX:
            raise ValidationException(f"count is {count[:20]!r}: use 1 to {SHOWN_MAX}")
        messages = await self.newest(to=unquote(given.get("to", "")), count_max=int(count))
        return Response(200, [_JSON], orjson.dumps({"messages": messages}))


def _key(message_id: str) -> RecordKey:
    return RecordKey(KIND, "", "", message_id)


def parse_smtp(url: str) -> SplitResult:
    """Check `smtp://user:password@host:587` (STARTTLS where the server has it) or `smtps://…` (TLS from the start).

    Raises: SettingsError.
    """
    parts = urlsplit(url)
    try:
        is_right = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    if not is_right:
        raise SettingsError("--smtp: use smtp://HOST:PORT or smtps://USER:PASSWORD@HOST:PORT")
    return parts


def deliver(server: SplitResult, message: OutgoingMessage) -> None:
    """Send one e-mail. Blocks for at most some ten seconds. Raises: OSError, SMTPException."""
    import smtplib
    import ssl
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"] = " ".join(message.sender.split())
    mail["To"] = message.to
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    mail.set_content(message.body, subtype="html")
    host = server.hostname or ""
    tls = ssl.create_default_context()
    if server.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(host, server.port or 465, timeout=SMTP_WITHIN_S, context=tls)
    else:
        connection = smtplib.SMTP(host, server.port or 25, timeout=SMTP_WITHIN_S)
    with connection:
        if server.scheme == "smtp":
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=tls)
            elif server.username and host not in ("localhost", "127.0.0.1", "::1"):
                raise smtplib.SMTPException("the server has no STARTTLS: no password is sent in the open")
        if server.username:
            connection.login(unquote(server.username), unquote(server.password or ""))
        connection.send_message(mail)
