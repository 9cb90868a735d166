"""Shared state in a Valkey or Redis server: one atomic script for each operation, one pipelined connection.

A server that is slow, gone or wrong costs whoever waits at most `DEADLINE_MS`, once: the connection is over then, every
operation fails at once with `StateUnavailable`, and a task of its own connects again. An operation that may not have
arrived is not repeated. Names begin with `gatepost:`. Spaces' `bytes_max` is the server's `maxmemory` to keep.

One server, or several of which one is the primary: by one name, or named one by one. Of those the first that says that
it is the primary is taken, and when it is lost, or is none any more, the next that is. A server in cluster mode is
refused: it is one of many that hold a part each, and buckets, caches and messages would need all of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import SettingsError, StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.state import valkey_scripts as scripts
from gatepost.state.base import (
    MESSAGE_BYTES_MAX,
    NEVER_MS,
    Counted,
    Space,
    Taken,
    check_name,
    check_value,
)
from gatepost.state.resp import Argument, ReplyError, RespConnection, encode

log = logging.getLogger(__name__)

DEADLINE_MS: Final = 40
CONNECT_WITHIN_S: Final = 1.0
RECONNECT_FIRST_S: Final = 0.05
RECONNECT_MAX_S: Final = 1.0
PORT: Final = 6379
PLACES_MAX: Final = 16
PREFIX: Final = "gatepost:"


class WrongServer(StateUnavailable):
    """A server that answers is no primary, or runs in cluster mode."""


@dataclass(frozen=True, slots=True)
class ValkeyAddress:
    """Where a server is and how to get in."""

    host: str
    port: int
    database: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    is_tls: bool = False
    path: str = ""  # of the Unix socket of `state.server`, instead of host and port
    others: tuple[tuple[str, int], ...] = ()  # hosts and ports of servers that may be the primary instead

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Give hosts and ports in the order in which they are tried."""
        return ((self.host, self.port), *self.others)

    @property
    def place(self) -> str:
        """What a log says of it."""
        return self.path or ",".join(f"{host}:{port}" for host, port in self.places)

    @classmethod
    def parse(cls, url: str) -> ValkeyAddress:
        """Read `valkey://[user:password@]host[:port][,host[:port]…][/database]`. Raises: SettingsError."""
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        try:
            named = [urlsplit(f"//{each}") for each in hosts.split(",")]
            places = [(each.hostname or "", each.port or PORT) for each in named]
            database = int(parts.path.lstrip("/") or 0)
        except ValueError as error:
            raise SettingsError(f"--state: {error}") from None
        known = parts.scheme in ("valkey", "valkeys", "redis", "rediss")
        if not known or len(places) > PLACES_MAX or not all(host for host, _ in places):
            raise SettingsError("--state: use valkey://HOST[:PORT][,HOST[:PORT]…][/DATABASE] (or valkeys:// for TLS)")
        user, password = (unquote(each) for each in login.partition(":")[::2])
        (host, port), *others = places
        is_tls = parts.scheme in ("valkeys", "rediss")
        return cls(host, port, database, user, password, is_tls, others=tuple(others))


class ValkeyState:
    """Implements `SharedState` on a server. `start` begins to connect and waits for the first try."""

    def __init__(self, address: ValkeyAddress, clock: Clock, *, deadline_ms: int = DEADLINE_MS) -> None:
        self._address = address
        self._clock = clock
        self._deadline_ms = deadline_ms
        self._connection: RespConnection | None = None
        self._listening: RespConnection | None = None
        self._listeners: dict[str, list[Callable[[bytes], None]]] = {}
        self._names = {script: hashlib.sha1(script.encode()).hexdigest() for script in scripts.ALL}  # noqa: S324 (theirs)
        self._tasks = Tasks("state")
        self._is_closed = False
        self._is_connecting = False
        self._turn = 0  # of the places, the one that is tried first
        self.epoch = 0  # counts connections: another one may lead to a server that lost what it held

    async def start(self) -> bool:
        """Connect, or go on trying in the background; say whether it worked at once.

        Raises: SettingsError, when the server runs in cluster mode.
        """
        try:
            await self._connect()
        except (TimeoutError, OSError, StateUnavailable, ReplyError) as error:
            log.error("the shared state cannot be reached", extra={"at": self._address.place, "error": str(error)})
            self._connect_soon()
            return False
        return True

    @property
    def is_lost(self) -> bool:
        """Whether operations would fail at once."""
        return self._connection is None

    async def close(self) -> None:
        """Let go of the connections."""
        self._is_closed = True
        for connection in (self._connection, self._listening):
            if connection is not None:
                connection.close()
        await self._tasks.close()

    # -- connections

    async def _connect(self) -> None:
        """Connect to the first that is the primary. Raises: what came of the last that was tried."""
        places = self._address.places
        for tried in range(len(places)):
            try:
                await self._connect_to(*places[self._turn])
            except (TimeoutError, OSError, StateUnavailable, ReplyError):
                self._turn = (self._turn + 1) % len(places)
                if tried + 1 == len(places):
                    raise
            else:
                return

    async def _connect_to(self, host: str, port: int) -> None:
        opened: list[RespConnection] = []
        try:
            commands = await self._open(host, port, None, opened)
            if not self._address.path:
                await _check(commands)
            listening = await self._open(host, port, self._pushed, opened)
            for script in scripts.ALL:
                await commands.send(encode(("SCRIPT", "LOAD", script)))
            if commands.is_over or listening.is_over:  # `_lost` does not know them yet
                raise StateUnavailable("a connection was lost while it was made")
            opened = []
        finally:
            for connection in opened:  # one of them did not come up
                connection.close()
        self._connection, self._listening = commands, listening
        self.epoch += 1
        if self._listeners:
            listening.tell(encode(("SUBSCRIBE", *(PREFIX + channel for channel in self._listeners))))
            for heard in [heard for each in self._listeners.values() for heard in each]:
                heard(b"")

    async def _open(
        self, host: str, port: int, pushed: Callable[[list[Any]], None] | None, opened: list[RespConnection]
    ) -> RespConnection:
        """Make a connection and let it in. It stands in `opened` before it can fail to be let in."""
        address, loop = self._address, asyncio.get_running_loop()
        context = ssl.create_default_context() if address.is_tls else None

        def made() -> RespConnection:  # it stands in `opened` even when nobody gets it, having waited for too long
            connection = RespConnection(
                clock=self._clock, deadline_ms=self._deadline_ms, lost=self._lost, pushed=pushed
            )
            opened.append(connection)
            return connection

        if address.path:
            _, connection = await asyncio.wait_for(loop.create_unix_connection(made, address.path), CONNECT_WITHIN_S)
            return connection
        opening = loop.create_connection(made, host, port, ssl=context)
        _, connection = await asyncio.wait_for(opening, CONNECT_WITHIN_S)
        if address.password:
            user = (address.user,) if address.user else ()
            await connection.send(encode(("AUTH", *user, address.password)))
        if address.database:
            await connection.send(encode(("SELECT", address.database)))
        return connection

    def _lost(self, connection: RespConnection) -> None:
        if connection in (self._connection, self._listening):
            for each in (self._connection, self._listening):
                if each is not None and each is not connection:
                    self._connection = self._listening = None
                    each.close()
            self._connection = self._listening = None
            if not self._is_closed:
                log.error("the shared state is lost", extra={"at": self._address.place})
                self._connect_soon()

    def _connect_soon(self) -> None:
        if not self._is_closed and not self._is_connecting:
            self._is_connecting = True
            self._tasks.spawn(self._connect_again(), name="connect")

    async def _connect_again(self) -> None:
        pause_s = RECONNECT_FIRST_S
        try:
            while not self._is_closed:
                await asyncio.sleep(pause_s)
                pause_s = min(RECONNECT_MAX_S, 2 * pause_s)
                try:
                    await self._connect()
                except (TimeoutError, OSError, StateUnavailable, ReplyError):
                    continue
                except SettingsError as error:  # it was another server when this process started
                    log.error("the shared state cannot be used", extra={"at": self._address.place, "error": str(error)})
                    pause_s = RECONNECT_MAX_S
                    continue
                host, port = self._address.places[self._turn]
                log.warning("the shared state is back", extra={"at": self._address.path or f"{host}:{port}"})
                return
        finally:
            self._is_connecting = False

    # -- commands

    async def _run(self, script: str, key: str, *arguments: Argument) -> Any:
        connection = self._connection
        if connection is None:
            raise StateUnavailable("the shared state is lost")
        command = encode(("EVALSHA", self._names[script], 1, key, *arguments))
        try:
            return await connection.send(command)
        except ReplyError as error:
            if str(error).startswith("NOSCRIPT"):  # nothing has run: say it again with the script
                return await self._again(connection, encode(("EVAL", script, 1, key, *arguments)))
            raise self._refused(connection, error) from error

    async def _again(self, connection: RespConnection, command: bytes) -> Any:
        try:
            return await connection.send(command)
        except ReplyError as error:
            raise self._refused(connection, error) from error

    def _refused(self, connection: RespConnection, error: ReplyError) -> StateUnavailable:
        """Give what an error means. One that says that this server is not the one any more ends the connection."""
        code = str(error).partition(" ")[0]
        if code in ("READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "CLUSTERDOWN", "MOVED"):
            connection.close(str(error))
        return StateUnavailable(f"the shared state says {str(error)[:200]}")

    # -- operations

    def take_tokens(
        self, bucket: str, *, count: int, rate_per_second: float, burst: int, count_min: int | None = None
    ) -> Awaitable[Taken]:
        """Take tokens. See `SharedState`."""
        name, least = f"{PREFIX}b:{check_name(bucket)}", count if count_min is None else count_min
        return self._taken(self._run(scripts.TAKE_TOKENS, name, rate_per_second, burst, count, least))

    async def _taken(self, running: Coroutine[Any, Any, Any]) -> Taken:
        granted, left, wait_us = await running
        return Taken(granted, left, NEVER_MS if wait_us < 0 else -(-wait_us // 1000))

    def give_back_tokens(self, bucket: str, *, count: int, burst: int) -> Awaitable[None]:
        """Put tokens back. See `SharedState`."""
        return self._done(self._run(scripts.GIVE_BACK_TOKENS, f"{PREFIX}b:{check_name(bucket)}", count, burst))

    async def _done(self, running: Coroutine[Any, Any, Any]) -> None:
        await running

    async def _so(self, running: Coroutine[Any, Any, Any]) -> bool:
        return bool(await running)

    def add_to_quota(
        self, counter: str, *, count: int, limit: int, expires_at_ms: int, at_least: int = 0
    ) -> Awaitable[Counted]:
        """Add to a counter. See `SharedState`."""
        name = f"{PREFIX}q:{check_name(counter)}"
        return self._counted(self._run(scripts.ADD_TO_QUOTA, name, count, limit, expires_at_ms, at_least))

    async def _counted(self, running: Coroutine[Any, Any, Any]) -> Counted:
        granted, used = await running
        return Counted(granted, used)

    def claim(self, name: str, *, owner: str, expires_after_ms: int) -> Awaitable[bool]:
        """Take a name. See `SharedState`."""
        return self._so(self._run(scripts.CLAIM, f"{PREFIX}c:{check_name(name)}", owner, expires_after_ms))

    def release(self, name: str, *, owner: str) -> Awaitable[bool]:
        """Give a name up. See `SharedState`."""
        return self._so(self._run(scripts.RELEASE, f"{PREFIX}c:{check_name(name)}", owner))

    def hold(self, name: str, *, owner: str, count: int, limit: int, expires_after_ms: int) -> Awaitable[int]:
        """Hold places. See `SharedState`."""
        return self._run(scripts.HOLD, f"{PREFIX}h:{check_name(name)}", owner, count, limit, expires_after_ms)

    def remember(self, space: Space, key: str, value: bytes, *, expires_after_ms: int) -> Awaitable[None]:
        """Keep a value. See `SharedState`."""
        check_value(value)
        if expires_after_ms <= 0:
            return self.forget(space, key)
        name = _space(space)
        return self._done(self._run(scripts.REMEMBER, name, check_name(key), value, expires_after_ms, space.bytes_max))

    async def recall(self, space: Space, key: str) -> bytes | None:
        """Give a value. See `SharedState`."""
        found = await self._run(scripts.RECALL, _space(space), check_name(key))
        return found if isinstance(found, bytes) else None

    def forget(self, space: Space, key: str) -> Awaitable[None]:
        """Drop a value. See `SharedState`."""
        return self._done(self._run(scripts.FORGET, _space(space), check_name(key)))

    def forget_all(self, space: Space) -> Awaitable[None]:
        """Drop a space's values. See `SharedState`."""
        return self._done(self._run(scripts.FORGET_ALL, _space(space)))

    # -- messages

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell listeners everywhere. See `SharedState`."""
        check_value(message, MESSAGE_BYTES_MAX)
        connection = self._connection
        if connection is None:
            raise StateUnavailable("the shared state is lost")
        await self._again(connection, encode(("PUBLISH", PREFIX + check_name(channel), message)))

    def subscribe(self, channel: str, heard: Callable[[bytes], None]) -> Callable[[], None]:
        """Listen. See `SharedState`."""
        check_name(channel)
        listeners = self._listeners.setdefault(channel, [])
        listeners.append(heard)
        if len(listeners) == 1 and self._listening is not None:
            self._listening.tell(encode(("SUBSCRIBE", PREFIX + channel)))

        def end() -> None:
            if heard in listeners:
                listeners.remove(heard)
            if listeners or self._listeners.get(channel) is not listeners:
                return
            del self._listeners[channel]
            if self._listening is not None:
                self._listening.tell(encode(("UNSUBSCRIBE", PREFIX + channel)))

        return end

    def _pushed(self, reply: list[Any]) -> None:
        if len(reply) == 3 and reply[0] == b"message":
            for heard in list(self._listeners.get(reply[1].decode().removeprefix(PREFIX), ())):
                heard(reply[2])


async def _check(connection: RespConnection) -> None:
    """Let a server pass that is a primary, and no member of a cluster. Raises: WrongServer, SettingsError."""
    role = await _told(connection, "ROLE")
    if isinstance(role, list) and role and role[0] != b"master":
        raise WrongServer("the server is a replica")
    cluster = await _told(connection, "INFO", "cluster")
    if isinstance(cluster, bytes) and b"cluster_enabled:1" in cluster:
        raise SettingsError("--state: the server runs in cluster mode: use one server, or a primary with replicas")


async def _told(connection: RespConnection, *command: str) -> Any:
    """Give what a server says of itself; None when we may not ask."""
    try:
        return await connection.send(encode(command))
    except ReplyError:
        return None


def _space(space: Space) -> str:
    return f"{PREFIX}s:{check_name(space.name)}"
