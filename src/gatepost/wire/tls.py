"""TLS between a client's socket and its HTTP connection: a protocol to the one, a transport to the other.

The client's hello is read before OpenSSL gets it, because protocol versions, ciphers and client certificates belong
to a context, and which context applies depends on the server name that the hello asks for. Then OpenSSL works on
memory: bytes in, bytes out, one write for whatever is ready. A handshake has `head_ms` to end; plain HTTP and other
noise is refused; there is no renegotiation.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from gatepost.security.client_hello import HELLO_BYTES_MAX, NoClientHello, server_name
from gatepost.wire.messages import Peer
from gatepost.wire.wheel import GONE

if TYPE_CHECKING:
    from gatepost.wire.server import Server

log = logging.getLogger(__name__)

READ_BYTES: Final = 64 * 1024
HELLO_RECORDS_BYTES_MAX: Final = HELLO_BYTES_MAX + 1024
DRAINED_BYTES_MAX: Final = 64 * 1024 * 1024
UNASKED_BYTES_MAX: Final = 64 * 1024  # of OpenSSL's own messages that a client does not read: key updates, alerts
_HTTP_METHODS: Final = (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"PATC", b"OPTI", b"CONN", b"TRAC")
_NO_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 38\r\nConnection: close\r\n\r\n"
    b"This port speaks TLS: use an https URL"
)
_HANDSHAKE_FAILURE: Final = b"\x15\x03\x01\x00\x02\x02\x28"  # RFC 8446 section 6: a fatal alert

_HANDSHAKE_RECORD: Final = 0x16  # RFC 8446 section 5.1: no HTTP begins with it

_HELLO: Final = 0  # the hello arrives
_HANDSHAKE: Final = 1
_OPEN: Final = 2
_ENDED: Final = 3  # we have said the last word; what still comes is thrown away
_CLOSED: Final = 4


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """On what terms a connection is made: OpenSSL's context, and whose terms these are ("" for the default).

    `trust` stands for the trust store that a client's certificate has to lead to; "" asks for none.
    """

    context: ssl.SSLContext
    domain_name: str = ""
    trust: str = ""


FindTerms = Callable[[str], TlsTerms | None]
"""Gives the terms for a server name in lower case ("" when the client names none); None: refuse."""


class TlsSession:
    """What a handshake has settled: the name that was asked for, whose terms applied, the client's certificate."""

    __slots__ = (
        "cipher", "client", "client_certificate", "domain_name", "protocol", "server_name", "trust", "version",
    )  # fmt: skip

    def __init__(self, name: str, terms: TlsTerms, tls: ssl.SSLObject) -> None:
        self.server_name = name
        self.domain_name = terms.domain_name
        self.trust = terms.trust
        self.client_certificate: bytes | None = tls.getpeercert(binary_form=True)  # DER; checked by the handshake
        self.client: Any = None  # for the handler: what it has read of the certificate
        self.protocol = tls.selected_alpn_protocol() or "http/1.1"
        self.version = tls.version() or ""  # TLSv1.3
        self.cipher = (tls.cipher() or ("",))[0]  # by OpenSSL's name


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Say who is at the other end of a transport."""
    name = transport.get_extra_info("peername")
    ip, port = (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("127.0.0.1", 0)
    session = transport.get_extra_info("tls_session")
    return Peer(ip, port, is_tls=session is not None, tls=session)


class TlsConnection(asyncio.Protocol, asyncio.Transport):
    """One client's TLS. Until the handshake is over it is the server's connection; then the HTTP connection is."""

    __slots__ = (
        "_find", "_hello", "_http", "_incoming", "_is_paused", "_name", "_outgoing", "_raw", "_server",
        "_session", "_state", "_taken", "_takes_plain", "_terms", "_tls", "deadline", "slot",
    )  # fmt: skip

    def __init__(self, server: Server, find: FindTerms, *, takes_plain: bool = False) -> None:
        """Serve TLS; with `takes_plain` step aside for a client whose first byte is no handshake's."""
        self._server = server
        self._find = find
        self._takes_plain = takes_plain
        self.deadline = 0
        self.slot = 0
        self._state = _HELLO
        self._hello = b""
        self._name = ""
        self._taken = 0
        self._is_paused = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._terms: TlsTerms | None = None
        self._session: TlsSession | None = None
        self._http: asyncio.Protocol | None = None

    # -- the socket's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection and wait for the hello; when there are too many, close."""
        self._raw = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._raw.abort()
            return
        self.deadline = self._server.wheel.now + self._server.head_ticks
        self._server.wheel.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the HTTP connection, or forget the handshake."""
        if self._http is not None:
            self._state = _CLOSED
            self._http.connection_lost(error)
            return
        self._state = _CLOSED
        self._server.wheel.remove(self)
        self._server.forget(self)

    def eof_received(self) -> None:
        """Pass on that the client has ended its side; the socket closes."""
        if self._state == _OPEN and self._http is not None:
            self._http.eof_received()

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that there is room again."""
        if self._http is not None:
            self._http.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._state == _OPEN:
            self._incoming.write(data)
            if not self._is_paused:
                self._read()
        elif self._state == _HELLO:
            self._read_hello(data)
        elif self._state == _HANDSHAKE:
            self._incoming.write(data)
            self._shake()
        else:
            self._taken += len(data)
            if self._taken > DRAINED_BYTES_MAX:
                self._raw.abort()

    def expired(self) -> None:
        """End a handshake that takes too long. Called by the wheel."""
        if self._state in {_HELLO, _HANDSHAKE}:
            self._server.counters.handshakes_failed += 1
        self._raw.abort()

    # -- the handshake

    def _read_hello(self, data: bytes) -> None:
        if self._takes_plain and not self._hello and data[0] != _HANDSHAKE_RECORD:
            self._hand_over(data)
            return
        self._hello += data
        try:
            name = server_name(self._hello)
        except NoClientHello as error:
            self._refuse(_NO_TLS if self._hello[:4] in _HTTP_METHODS else _HANDSHAKE_FAILURE, str(error))
            return
        if name is None:
            if len(self._hello) > HELLO_RECORDS_BYTES_MAX:
                self._refuse(_HANDSHAKE_FAILURE, "the hello does not end")
            return
        terms = self._find(name)
        if terms is None:
            self._refuse(_HANDSHAKE_FAILURE, "there is no certificate yet")
            return
        self._name = name
        self._terms = terms
        self._tls = terms.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(self._hello)
        self._hello = b""
        self._state = _HANDSHAKE
        self._shake()

    def _hand_over(self, data: bytes) -> None:
        """Leave the socket to a plain HTTP connection."""
        self._state = _CLOSED
        server = self._server
        server.wheel.remove(self)
        http = server.new_connection("http/1.1")
        server.step_aside(self)
        self._raw.set_protocol(http)
        http.connection_made(self._raw)
        http.data_received(data)

    def _shake(self) -> None:
        tls = cast("ssl.SSLObject", self._tls)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except (ssl.SSLError, ValueError) as error:
            self._flush()  # OpenSSL's alert, which says why
            self._refuse(b"", str(error))
            return
        self._flush()
        self._begin(TlsSession(self._name, cast("TlsTerms", self._terms), tls))

    def _begin(self, session: TlsSession) -> None:
        """Hand over to the HTTP connection of the protocol that was agreed on."""
        self._session = session
        self._state = _OPEN
        server = self._server
        server.wheel.remove(self)
        http = self._http = server.new_connection(session.protocol)
        server.step_aside(self)
        http.connection_made(self)
        if self._state == _OPEN:
            self._read()

    def _refuse(self, answer: bytes, detail: str) -> None:
        self._server.counters.handshakes_failed += 1
        log.info("handshake failed", extra={"detail": detail, "server_name": self._name})
        self._state = _ENDED
        if answer:
            self._raw.write(answer)
        if self.deadline != GONE:
            self.deadline = self._server.wheel.now + self._server.linger_ticks
        if self._raw.can_write_eof():
            self._raw.write_eof()
        else:
            self._raw.close()

    # -- reading

    def _read(self) -> None:
        """Decrypt what is there and hand it on, a record at a time, until the HTTP connection wants no more."""
        tls, incoming = cast("ssl.SSLObject", self._tls), self._incoming
        http = cast("asyncio.Protocol", self._http)
        while self._state == _OPEN and not self._is_paused:
            try:
                data = tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                log.info("TLS broke", extra={"detail": str(error)})
                self._flush()
                self._raw.abort()
                return
            if not data:  # close_notify
                http.eof_received()
                self.close()
                return
            http.data_received(data)
            if not incoming.pending and not tls.pending():
                break
        if self._outgoing.pending and self._state == _OPEN:
            self._flush()
            if self._raw.get_write_buffer_size() > self._server.limits.write_buffer_bytes + UNASKED_BYTES_MAX:
                self._raw.abort()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._raw.write(data)

    # -- the HTTP connection's calls

    def write(self, data: Any) -> None:
        """Encrypt and send."""
        if self._state != _OPEN:
            return
        tls = cast("ssl.SSLObject", self._tls)
        try:
            sent = tls.write(data)
            if sent < len(data):
                rest = memoryview(data)[sent:]
                while rest:
                    rest = rest[tls.write(rest) :]
        except ssl.SSLError as error:
            log.info("TLS broke", extra={"detail": str(error)})
            self._raw.abort()
            return
        self._raw.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Encrypt and send all."""
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._is_paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading, with what was decrypted or waits to be first."""
        self._is_paused = False
        self._raw.resume_reading()
        if self._state == _OPEN:
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._state == _OPEN and not self._is_paused:
            self._read()

    def can_write_eof(self) -> bool:
        """Say yes: TLS ends each direction of its own."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more will come; what the client still sends is thrown away."""
        self._say_goodbye()
        if self._raw.can_write_eof() and not self._raw.is_closing():
            self._raw.write_eof()

    def close(self) -> None:
        """Say goodbye, send what is ready and close."""
        self._say_goodbye()
        self._raw.close()

    def _say_goodbye(self) -> None:
        if self._state != _OPEN:
            return
        self._state = _ENDED
        try:
            cast("ssl.SSLObject", self._tls).unwrap()
        except ssl.SSLError:
            pass  # the client has not said goodbye yet, and need not
        self._flush()

    def abort(self) -> None:
        """Close at once. Part of draining too."""
        self._raw.abort()

    def is_closing(self) -> bool:
        """Say whether the connection is ending."""
        return self._state in {_ENDED, _CLOSED} or self._raw.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks of the socket's buffer."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Give how many bytes, encrypted, are not sent yet."""
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give `tls_session`, or what the socket's transport knows."""
        return self._session if name == "tls_session" else self._raw.get_extra_info(name, default)

    # -- draining, while the handshake lasts

    @property
    def is_working(self) -> bool:
        """Say no: a handshake is no request."""
        return False

    @property
    def is_awaited(self) -> bool:
        """Say no, for the same reason."""
        return False

    def close_if_idle(self) -> None:
        """Close. Part of draining."""
        self._raw.close()
