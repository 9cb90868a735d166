"""The listening sockets: opened once by the supervisor, inherited by the roles, so that a restart loses no client."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError

BACKLOG: Final = 4096
TLS_PORT: Final = 8443


@dataclass(frozen=True, slots=True)
class Listeners:
    """One socket for each door."""

    public: socket.socket
    private: socket.socket
    aws: socket.socket
    tls: socket.socket
    more: tuple[tuple[socket.socket, socket.socket, socket.socket], ...] = ()
    """Public, private and TLS once more for each further gateway process: the kernel shares connections out."""

    def all(self) -> tuple[socket.socket, socket.socket, socket.socket, socket.socket]:
        """Give all in a fixed order: public, private, AWS endpoint, public over TLS."""
        return self.public, self.private, self.aws, self.tls

    def close(self) -> None:
        """Close all."""
        for listener in (*self.all(), *(listener for doors in self.more for listener in doors)):
            listener.close()


def open_listeners(settings: Settings) -> Listeners:
    """Bind the four ports. Raises: SettingsError naming the port that is taken and the flag that moves it."""
    opened: list[socket.socket] = []
    is_shared = settings.workers > 1
    doors = (("--port", settings.port), ("--private-port", settings.private_port), ("--aws-port", settings.aws_port))
    try:
        opened.extend(_listen(settings.host, port, flag, is_shared=is_shared) for flag, port in doors)
        opened.append(_listen_tls(settings))
        first = (opened[0], opened[1], opened[3])
        for _ in range(settings.workers - 1):
            opened.extend(_listen_too(door) for door in first)
    except SettingsError:
        for listener in opened:
            listener.close()
        raise
    more = [(opened[at], opened[at + 1], opened[at + 2]) for at in range(4, len(opened), 3)]
    public, private, aws, tls = opened[:4]
    return Listeners(public, private, aws, tls, tuple(more))


def local_host(settings: Settings) -> str:
    """Give the address at which this machine reaches its own listeners."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared with


def url_of(host: str, port: int, *, scheme: str = "http") -> str:
    """Give the URL of a listener; an IPv6 address stands in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _listen(host: str, port: int, flag: str, *, is_shared: bool = False) -> socket.socket:
    """Listen on a port that nobody else has. `is_shared`: more listeners of ours may follow on it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingsError(f"--host {host} is no address of this machine: use 127.0.0.1 or 0.0.0.0") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        if is_shared:  # only now: another platform must not get in with us on a port that is taken
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_explain(error, host, port, flag)) from error
    listener.setblocking(False)
    return listener


def _listen_too(first: socket.socket) -> socket.socket:
    """Open one more listener on the port of `first`."""
    listener = socket.socket(first.family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(first.getsockname())
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(f"--workers: a port cannot be listened on more than once: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _listen_tls(settings: Settings) -> socket.socket:
    """Bind the port for TLS. Nobody who has not chosen one is kept from starting because 8443 is taken."""
    is_shared = settings.workers > 1
    if settings.tls_port is not None:
        return _listen(settings.host, settings.tls_port, "--tls-port", is_shared=is_shared)
    if settings.port != 0:
        with suppress(SettingsError):
            return _listen(settings.host, TLS_PORT, "--tls-port", is_shared=is_shared)
    return _listen(settings.host, 0, "--tls-port", is_shared=is_shared)


def _explain(error: OSError, host: str, port: int, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or choose another with {flag} (0: any free)"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than user {os.getuid()} has: choose one above 1023 with {flag}"
    return f"{flag} {port} on --host {host} cannot be opened: {error.strerror}"
