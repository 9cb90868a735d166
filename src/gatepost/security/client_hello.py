"""The first thing that a TLS client says: whether it is there whole, and which server name it asks for (SNI).

A pure reader of RFC 8446 section 4.1.2 and RFC 6066 section 3. It decides nothing: OpenSSL reads the same bytes
again and refuses what is wrong with them. It is read beforehand because protocol versions and client certificates
are settings of a context, and which context applies depends on the name.
"""

from __future__ import annotations

import re
from typing import Final

HELLO_BYTES_MAX: Final = 16 * 1024  # of the handshake message; browsers send less than 2 KiB
RECORD_BYTES_MAX: Final = 16 * 1024 + 256
RECORDS_MAX: Final = 16  # a hello in more pieces is an attempt to keep us busy
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_NAME: Final = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?").fullmatch


class NoClientHello(Exception):
    """The bytes are no TLS client's greeting."""


def server_name(data: bytes) -> str | None:
    """Give the name that a hello asks for in lower case, "" when it asks for none; None: more must arrive first.

    Raises: NoClientHello.
    """
    hello = _handshake_message(data)
    if hello is None:
        return None
    try:
        return _find_name(hello)
    except IndexError:
        raise NoClientHello("a length in the hello points beyond its end") from None


def _handshake_message(data: bytes) -> bytes | None:
    """Join the fragments of the first handshake message. Raises: NoClientHello."""
    message = b""
    at = 0
    for _ in range(RECORDS_MAX):
        if len(data) - at < 5:
            if data[at : at + 1] not in (b"", b"\x16"):
                raise NoClientHello("no handshake record")
            return None
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != _HANDSHAKE or data[at + 1] != 3 or not 0 < size <= RECORD_BYTES_MAX:
            raise NoClientHello("no handshake record")
        message += data[at + 5 : at + 5 + size]
        if message and message[0] != _CLIENT_HELLO:
            raise NoClientHello("the first message is no client's hello")
        if len(message) >= 4:
            wanted = 4 + int.from_bytes(message[1:4], "big")
            if wanted > HELLO_BYTES_MAX:
                raise NoClientHello(f"a hello of {wanted} bytes: at most {HELLO_BYTES_MAX} are read")
            if len(message) >= wanted:
                return message[4:wanted]
        if len(data) - at - 5 < size:
            return None
        at += 5 + size
    raise NoClientHello("the hello comes in too many pieces")


def _find_name(hello: bytes) -> str:
    at = 34  # version and random
    at += 1 + hello[at]  # session id
    at += 2 + (hello[at] << 8 | hello[at + 1])  # cipher suites
    at += 1 + hello[at]  # compression methods
    if at == len(hello):
        return ""  # no extensions
    end = at + 2 + (hello[at] << 8 | hello[at + 1])
    if end > len(hello):
        raise NoClientHello("the extensions are longer than the hello")
    at += 2
    while at < end:
        kind, size = hello[at] << 8 | hello[at + 1], hello[at + 2] << 8 | hello[at + 3]
        at += 4
        if kind == _SERVER_NAME:
            return _host_name(hello[at : at + size])
        at += size
    return ""


def _host_name(extension: bytes) -> str:
    if len(extension) < 5 or extension[2] != _HOST_NAME:
        raise NoClientHello("a server name of an unknown kind")
    size = extension[3] << 8 | extension[4]
    name = extension[5 : 5 + size]
    if len(name) != size or not _NAME(name):
        raise NoClientHello("the server name is none")
    return name.decode("ascii").lower().rstrip(".")
