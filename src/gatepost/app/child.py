"""What a role's process does first: take its orders, tie its life to the supervisor's, tell when it is ready.

The orders come as one JSON object on standard input. What the process has to tell goes, one JSON object a line,
to the descriptor `report`: `{"state": "ready"}`, or `{"state": "failed", "reason": …}` before it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import json
import logging
import logging.handlers
import os
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError, StoreUnavailable
from gatepost.storage.data_directory import DataDirectory

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG: Final = 1
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
LOG_FILES: Final = 3
OPEN_FILES_WANTED: Final = 24_576  # two listeners of 10,000 connections each, workers, upstreams
BEAT_EVERY_S: Final = 2.0
EXIT_SETTINGS: Final = 3  # the operator has to change something: starting again would not help


@dataclass(frozen=True, slots=True)
class Orders:
    """What the supervisor hands to a role's process. Sockets are descriptors that it inherits."""

    role: str
    settings: Settings
    sockets: tuple[int, int, int, int]  # public, private, AWS endpoint, public over TLS
    ports: tuple[int, int, int, int]
    link_path: str
    report: int
    supervisor: int
    number: int = 1  # of a gateway process among `settings.workers`
    doors: tuple[tuple[int, int, int], ...] = ()  # public, private, TLS of the gateway processes from the second on
    state_path: str = ""  # of the socket of the state role, where there is one

    def gateway_doors(self) -> tuple[tuple[int, int, int], ...]:
        """Give public, private and TLS listener of each gateway process; the first has those in `sockets`."""
        public, private, _, tls = self.sockets
        return (public, private, tls), *self.doors

    def to_json(self) -> str:
        """Render the orders as one JSON object."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Orders:
        """Read what `to_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        found["settings"] = _settings(found["settings"])
        found["sockets"] = tuple(found["sockets"])
        found["ports"] = tuple(found["ports"])
        found["doors"] = tuple((public, private, tls) for public, private, tls in found["doors"])
        return cls(**found)


def _settings(found: dict[str, Any]) -> Settings:
    found["data_dir"] = Path(found["data_dir"])
    found["tls_names"] = tuple(found["tls_names"])
    found["trusted_proxies"] = tuple(found["trusted_proxies"])
    found["vpc_endpoints"] = tuple(found["vpc_endpoints"])
    found["templates"] = tuple(Path(path) for path in found["templates"])
    for name in ("service_endpoints", "parameters", "quotas"):
        found[name] = tuple((key, value) for key, value in found[name])
    return Settings(**found)


def end_with(supervisor: int) -> None:
    """Have the kernel kill this process when the supervisor dies, however it dies (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)


class JsonLines(logging.Formatter):
    """One JSON object for each event of our own log."""

    known: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        """Render one event."""
        event: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        event |= {key: value for key, value in vars(record).items() if key not in self.known}
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str)


def log_to(path: Path) -> None:
    """Send our log to `path` (16 MiB, three older files), and errors to standard error too."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES)
    handler.setFormatter(JsonLines())
    errors = logging.StreamHandler(sys.stderr)
    errors.setLevel(logging.ERROR)
    errors.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler, errors], force=True)
    logging.raiseExceptions = (
        False  # a full disk loses lines of the log; it must not flood the terminal with tracebacks
    )


class Report:
    """The line to the supervisor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, state: str, **more: object) -> None:
        """Tell the supervisor one thing; it may be gone."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, json.dumps({"state": state, **more}).encode() + b"\n")


def inherited_socket(descriptor: int) -> socket.socket:
    """Take over a listening socket that the supervisor opened."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener


def allow_many_files() -> int:
    """Raise the soft limit of open files as far as it is useful and allowed, and give what it is.

    Most systems start a process with 1,024: a thousand idle connections would then keep everyone else out, below the
    listeners' own bounds, and no worker could be started.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft < OPEN_FILES_WANTED // 2:
        log.warning(
            "few files may be open: as many connections keep everyone else out",
            extra={"limit": soft, "wanted": OPEN_FILES_WANTED},
        )
    return soft


Serve = Callable[[Orders, asyncio.Event], Awaitable[Callable[[], Awaitable[dict[str, int]]]]]


def run_role(serve: Serve) -> None:
    """Be a role: start by `serve`, tell that it is ready, wait for SIGTERM, then run what `serve` gave to stop it."""
    import uvloop

    orders = Orders.from_json(sys.stdin.read())
    end_with(orders.supervisor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    report = Report(orders.report)
    try:
        log_to(orders.settings.data_dir / "logs" / f"{orders.role}.log")
        allow_many_files()
        uvloop.run(_live(serve, orders, report))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        report.tell("failed", reason=str(DataDirectory(orders.settings.data_dir).unusable(error)))
        sys.exit(EXIT_SETTINGS)
    except (SettingsError, StoreUnavailable) as error:
        report.tell("failed", reason=str(error))
        sys.exit(EXIT_SETTINGS)


def _calm_garbage_collection() -> None:
    """Look for garbage cycles more seldom, and never again among what the start made.

    Requests leave no cycles behind; looking for some after every 700 objects costs them 2 to 6 %.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _beat(report: Report) -> None:
    """Tell the supervisor, for ever, that this process's loop turns."""
    report.tell("alive")
    asyncio.get_running_loop().call_later(BEAT_EVERY_S, _beat, report)


async def _live(serve: Serve, orders: Orders, report: Report) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    stop = await serve(orders, stopping)
    _calm_garbage_collection()
    report.tell("ready")
    _beat(report)
    await stopping.wait()
    report.tell("stopped", **await stop())
