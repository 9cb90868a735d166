"""The shared state of one machine's gateways: a process's memory behind a Unix socket.

It speaks RESP and knows the scripts of `valkey_scripts` by their digests, and of other commands only what `ValkeyState`
sends, so that gateways talk to it by the client, with the deadlines and with the fallbacks that they have for a Valkey
server. What a script would do there, `MemoryState` does here. Only processes of the same user are answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from gatepost.kernel.errors import StateUnavailable
from gatepost.state import valkey_scripts as scripts
from gatepost.state.base import NEVER_MS, VALUE_BYTES_MAX, Space
from gatepost.state.memory import MemoryState
from gatepost.state.resp import Incomplete, encode, parse

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 256
COMMAND_BYTES_MAX: Final = VALUE_BYTES_MAX + 64 * 1024
UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of answers and messages to one gateway. One that leaves more unread is cut off, and connects again."""
_PEER: Final = struct.Struct("3i")
_OK: Final = b"+OK\r\n"
_NIL: Final = b"$-1\r\n"

Reply = bytes
Operation = Callable[[bytes, Sequence[bytes]], Reply]


class _Operations:
    """What each script means, on a `MemoryState`. A name's prefix (`gatepost:b:`) says only what kind it is of."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        meanings: dict[str, Operation] = {
            scripts.TAKE_TOKENS: self._take_tokens,
            scripts.GIVE_BACK_TOKENS: self._give_back_tokens,
            scripts.ADD_TO_QUOTA: self._add_to_quota,
            scripts.CLAIM: self._claim,
            scripts.RELEASE: self._release,
            scripts.HOLD: self._hold,
            scripts.REMEMBER: self._remember,
            scripts.RECALL: self._recall,
            scripts.FORGET: self._forget,
            scripts.FORGET_ALL: self._forget_all,
        }
        self.by_script = {script.encode(): meaning for script, meaning in meanings.items()}
        self.by_digest = {
            hashlib.sha1(script).hexdigest().encode(): meaning  # noqa: S324 (the protocol's)
            for script, meaning in self.by_script.items()
        }

    def _take_tokens(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        rate, burst, count, least = arguments
        taken = self._state.take_tokens(
            _name(key), count=int(count), rate_per_second=float(rate), burst=int(burst), count_min=int(least)
        )
        wait_us = -1 if taken.wait_ms >= NEVER_MS else taken.wait_ms * 1000
        return b"*3\r\n:%d\r\n:%d\r\n:%d\r\n" % (taken.granted, taken.left, wait_us)

    def _give_back_tokens(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        count, burst = arguments
        self._state.give_back_tokens(_name(key), count=int(count), burst=int(burst))
        return _number(0)

    def _add_to_quota(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        count, limit, expires_at_ms, at_least = map(int, arguments)
        counted = self._state.add_to_quota(
            _name(key), count=count, limit=limit, expires_at_ms=expires_at_ms, at_least=at_least
        )
        return b"*2\r\n:%d\r\n:%d\r\n" % counted

    def _claim(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        owner, expires_after_ms = arguments
        is_theirs = self._state.claim(_name(key), owner=owner.decode(), expires_after_ms=int(expires_after_ms))
        return _number(is_theirs)

    def _release(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        return _number(self._state.release(_name(key), owner=arguments[0].decode()))

    def _hold(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        owner, count, limit, expires_after_ms = arguments
        return _number(
            self._state.hold(
                _name(key),
                owner=owner.decode(),
                count=int(count),
                limit=int(limit),
                expires_after_ms=int(expires_after_ms),
            )
        )

    def _remember(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        name, value, expires_after_ms, bytes_max = arguments
        space = Space(_name(key), int(bytes_max))
        self._state.remember(space, name.decode(), value, expires_after_ms=int(expires_after_ms))
        return _number(0)

    def _recall(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        found = self._state.recall(Space(_name(key), 0), arguments[0].decode())
        return _NIL if found is None else b"$%d\r\n%b\r\n" % (len(found), found)

    def _forget(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        self._state.forget(Space(_name(key), 0), arguments[0].decode())
        return _number(0)

    def _forget_all(self, key: bytes, arguments: Sequence[bytes]) -> Reply:
        del arguments
        self._state.forget_all(Space(_name(key), 0))
        return _number(0)


class StateServer:
    """Serves one `MemoryState` to this machine's gateways."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self.operations = _Operations(state)
        self._server: asyncio.AbstractServer | None = None
        self.connections: set[_Connection] = set()

    async def serve(self, path: str) -> None:
        """Listen on the Unix socket `path`; a stale one is replaced."""
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Connection(self), path)

    async def close(self) -> None:
        """Stop listening and cut every connection off."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        await self._state.close()

    def run(self, command: Sequence[bytes]) -> Reply:
        """Run a command that is not about the connection itself and give its reply, an error's included."""
        name = command[0].upper()
        try:
            if name in (b"EVALSHA", b"EVAL"):
                known = self.operations.by_digest if name == b"EVALSHA" else self.operations.by_script
                operation = known.get(command[1])
                if operation is None:
                    return b"-NOSCRIPT this state knows its own operations only\r\n"
                return operation(command[3], command[4:])
            if name == b"SCRIPT":
                return _OK
            if name == b"PUBLISH":
                self._state.publish(command[1].decode(), command[2])
                return _number(0)
        except StateUnavailable as error:
            return b"-OOM %b\r\n" % str(error).encode()
        except (ValueError, IndexError, TypeError) as error:
            return b"-ERR %b\r\n" % str(error).replace("\r", " ").replace("\n", " ").encode()
        return b"-ERR unknown command\r\n"

    def subscribe(self, channel: str, heard: Callable[[bytes], None]) -> Callable[[], None]:
        """Hear what is published in a channel; what is returned ends it."""
        return self._state.subscribe(channel, heard)


class _Connection(asyncio.Protocol):
    """One gateway's connection: commands in, replies in the same order out."""

    def __init__(self, server: StateServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._subscriptions: dict[bytes, Callable[[], None]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless it is a stranger or there are too many. Part of asyncio.Protocol."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        peer: socket.socket = transport.get_extra_info("socket")
        found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(found)[1] != os.geteuid() or len(self._server.connections) >= CONNECTIONS_MAX:
            log.error("refused a connection to the shared state")
            self.close()
            return
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End. Part of asyncio.Protocol."""
        del exc
        self._transport = None
        self._server.connections.discard(self)
        for end in self._subscriptions.values():
            end()
        self._subscriptions = {}

    def close(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Run whole commands; their replies leave together. Part of asyncio.Protocol."""
        self._buffer += data
        at, replies = 0, []
        try:
            while at < len(self._buffer):
                command, at = parse(self._buffer, at)
                if not (isinstance(command, list) and command and all(isinstance(each, bytes) for each in command)):
                    raise ValueError("this is no command")
                replies.append(self._run(command))
        except Incomplete:
            pass
        except ValueError:
            self.close()
            return
        del self._buffer[:at]
        if len(self._buffer) > COMMAND_BYTES_MAX:
            self.close()
            return
        self._write(b"".join(replies))

    def _run(self, command: list[bytes]) -> Reply:
        match command[0].upper():
            case b"SUBSCRIBE":
                return b"".join(self._subscribe(channel) for channel in command[1:])
            case b"UNSUBSCRIBE":
                for channel in command[1:]:
                    self._subscriptions.pop(channel, _nothing)()
                return b""
        return self._server.run(command)

    def _subscribe(self, channel: bytes) -> Reply:
        if channel not in self._subscriptions:
            heard = partial(self._heard, channel)
            self._subscriptions[channel] = self._server.subscribe(channel.decode(), heard)
        return encode((b"subscribe", channel, b"1"))

    def _heard(self, channel: bytes, message: bytes) -> None:
        self._write(encode((b"message", channel, message)))

    def _write(self, answer: bytes) -> None:
        if self._transport is None or not answer:
            return
        self._transport.write(answer)
        if self._transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            log.error("a gateway does not read what the shared state tells it")
            self.close()


def _name(key: bytes) -> str:
    """Give a name without the prefix by which a Valkey server tells kinds apart."""
    return key.decode().split(":", 2)[2]


def _number(value: Any) -> Reply:
    return b":%d\r\n" % value


def _nothing() -> None:
    """End a subscription that there is not."""
