"""How many workers there may be, how long they wait, and what they may use."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

WORKER_BYTES_EXPECTED: Final = 48 * 1024 * 1024  # what a worker with boto3 adds to the machine's load, about


def workers_that_fit() -> int:
    """Give how many workers the machine's memory can hold: 1 to 1000, AWS's default for an account."""
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(1000, machine_bytes // WORKER_BYTES_EXPECTED))


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """Bounds of one runner. AWS's values where AWS has one."""

    workers_max: int = field(default_factory=workers_that_fit)  # what the machine holds; beyond it invocations wait
    concurrency_max: int = 1000  # AWS: concurrent executions of an account; beyond it 429, at once
    scaling_per_10_s: int = 1000  # AWS: by how many workers a function may grow in ten seconds; beyond it 429
    starting_max: int = 8  # workers of one function that start at the same time
    waiting_max: int = 1000  # invocations of one function that wait for a worker; more get 429
    waiting_ms_max: int = 10_000  # how long one waits for a worker before it gets 429
    idle_ms: int = 300_000  # a worker that had nothing to do for so long is stopped
    init_ms: int = 10_000  # AWS: the init phase; a start may take this and the function's timeout
    tick_ms: int = 20  # how exactly timeouts are kept
    memory_poll_ms: int = 50  # how often the memory of a running invocation is looked at
    log_bytes_max: int = 1024 * 1024  # output of one invocation; more is dropped and counted
    log_events_max: int = 10_000  # events of one worker that wait for the log; the oldest are dropped
    log_flush_ms: int = 100
    open_files_max: int = 1024  # AWS: file descriptors
    processes_max: int = 1024  # AWS: processes and threads
    uid_first: int = 60_000  # as root each worker runs as a user of its own, from this one
    uid_count: int = 5_000
    is_sandboxed: bool = True  # try for a file system of its own
    share: tuple[int, int] = (0, 1)  # which one of how many runners that provide for the same functions, from 0 on
    debug_function: str = ""  # name or logical id of the function whose worker listens for a debugger
    debug_port: int = 0  # where; 0: 5678 for Python, 9229 for Node.js
