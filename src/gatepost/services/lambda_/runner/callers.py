"""Who is at the other end of a connection over the loopback interface: the kernel is asked, not the caller.

Workers share the machine's loopback interface, and any of them can find every port there. What a worker cannot do is to
make its sockets another's: the kernel notes the user that made a socket, and which processes hold it. So a listener
that asks for them needs no secret, which a worker could lose or a client library could not carry.

Source: https://man7.org/linux/man-pages/man7/sock_diag.7.html
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST: Final = 1
ESTABLISHED: Final = 1 << 1
HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
QUERY: Final = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
ENDS: Final = struct.Struct("!HH16s16s")  # ports and addresses of a socket's own end and of the other
REST: Final = struct.Struct("=III")  # interface, cookie: not known
FOUND: Final = struct.Struct("=IIIII")  # expires, queues, user, inode
FOUND_AT: Final = HEADER.size + 4 + ENDS.size + REST.size
ANSWER_BYTES_MAX: Final = 4096
NO_COOKIE: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of a connection: the user that made its socket, and the socket's inode."""

    uid: int
    inode: int


def _table_address(ip: str, port: int) -> str:
    """Give an address as /proc/net/tcp has it: the bytes of the address as this machine's number, the port as such."""
    (number,) = struct.unpack("=I", socket.inet_aton(ip))
    return f"{number:08X}:{port:04X}"


def find_in_table(client: tuple[str, int], server: tuple[str, int], table: str = "/proc/net/tcp") -> Caller | None:
    """Look a connection up in the kernel's table of all: slower with each connection there is."""
    ends = [_table_address(*client), _table_address(*server)]
    try:
        with Path(table).open() as file:
            for line in file:
                fields = line.split()
                if fields[1:3] == ends:
                    return Caller(int(fields[7]), int(fields[9])) if int(fields[9]) else None
    except (OSError, ValueError, IndexError):
        return None
    return None


class CallerLookup:
    """Asks the kernel about TCP connections over IPv4. `close` gives its socket back.

    Kernels without that interface (some containers' are programs) have the table, which is read then.
    """

    def __init__(self) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        except OSError:
            self._is_answered = False
            return
        self._socket.setblocking(False)
        self._is_answered = True
        with socket.create_server((LOOPBACK, 0)) as server, socket.create_connection(server.getsockname()) as client:
            self._is_answered = self._ask(client.getsockname(), server.getsockname()) is not None
        if not self._is_answered:
            self._socket.close()

    def find(self, client: tuple[str, int], server: tuple[str, int]) -> Caller | None:
        """Say who made the socket at the `client` end of a connection to `server`; None: it is not there any more."""
        return self._ask(client, server) if self._is_answered else find_in_table(client, server)

    def _ask(self, client: tuple[str, int], server: tuple[str, int]) -> Caller | None:
        self._sequence = (self._sequence + 1) & 0xFFFF_FFFF
        addresses = [socket.inet_aton(ip).ljust(16, b"\0") for ip in (client[0], server[0])]
        body = (
            QUERY.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ESTABLISHED)
            + ENDS.pack(client[1], server[1], *addresses)
            + REST.pack(0, NO_COOKIE, NO_COOKIE)
        )
        head = HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0)
        try:
            self._socket.send(head + body)
            while True:
                answer = self._socket.recv(ANSWER_BYTES_MAX)  # the kernel has answered before `send` returned
                _, kind, _, sequence, _ = HEADER.unpack_from(answer)
                if sequence == self._sequence:
                    break
        except OSError:
            return None
        if kind != SOCK_DIAG_BY_FAMILY or len(answer) < FOUND_AT + FOUND.size:
            return None
        _, _, _, uid, inode = FOUND.unpack_from(answer, FOUND_AT)
        return Caller(uid, inode) if inode else None

    def close(self) -> None:
        """Give the socket back."""
        if self._is_answered:
            self._socket.close()


def holds(pid: int, inode: int) -> bool:
    """Say whether a process has the socket with this inode among its descriptors."""
    wanted = f"socket:[{inode}]"
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - names of a virtual directory
            try:
                if os.readlink(f"{folder}/{name}") == wanted:  # noqa: PTH115 - no file of this name exists
                    return True
            except OSError as error:
                if error.errno != errno.ENOENT:
                    return False
    except OSError:
        return False
    return False
