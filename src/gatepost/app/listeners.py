"""The listening sockets: opened once by the supervisor, inherited by the roles, so that a restart loses no client."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError

BACKLOG: Final = 4096


@dataclass(frozen=True, slots=True)
class Listeners:
    """One socket for each door."""

    public: socket.socket
    private: socket.socket
    aws: socket.socket

    def all(self) -> tuple[socket.socket, socket.socket, socket.socket]:
        """Give the three in a fixed order: public, private, AWS endpoint."""
        return self.public, self.private, self.aws

    def close(self) -> None:
        """Close the three."""
        for listener in self.all():
            listener.close()


def open_listeners(settings: Settings) -> Listeners:
    """Bind the three ports. Raises: SettingsError naming the port that is taken and the flag that moves it."""
    opened: list[socket.socket] = []
    doors = (("--port", settings.port), ("--private-port", settings.private_port), ("--aws-port", settings.aws_port))
    try:
        opened.extend(_listen(settings.host, port, flag) for flag, port in doors)
    except SettingsError:
        for listener in opened:
            listener.close()
        raise
    return Listeners(*opened)


def local_host(settings: Settings) -> str:
    """Give the address at which this machine reaches its own listeners."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared with


def url_of(host: str, port: int) -> str:
    """Give the URL of a listener; an IPv6 address stands in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, flag: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise SettingsError(f"--host {host} is no address of this machine: use 127.0.0.1 or 0.0.0.0") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_explain(error, host, port, flag)) from error
    listener.setblocking(False)
    return listener


def _explain(error: OSError, host: str, port: int, flag: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or choose another with {flag} (0: any free)"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than user {os.getuid()} has: choose one above 1023 with {flag}"
    return f"{flag} {port} on --host {host} cannot be opened: {error.strerror}"
