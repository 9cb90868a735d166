"""A namespace of processes for each worker, where workers share a user: none sees another's processes, or signals them.

The first process of a namespace has to reap orphans, and signals that it does not handle do not reach it, not even its
own. A handler should notice neither. So a small process is the first, and the worker is its child: it waits for the
worker, tells the zygote by a pipe how that ended, and ends; with it the kernel ends all that is left in the namespace.
"""

from __future__ import annotations

import os
import signal

from . import sandbox

STATUS_BYTES = 4


class ProcessSpaces:
    """Forks workers into namespaces of their own. Raises: OSError when the process that makes it may not."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._pipes: dict[int, int] = {}  # by the process id of a namespace's first process: where it tells the status
        sandbox.unshare_processes()
        sandbox.rejoin_processes(self._own)

    def fork(self) -> int:
        """Do as `os.fork` does; the process id is that of the namespace's first process. Raises: OSError."""
        reading, writing = os.pipe()
        try:
            sandbox.unshare_processes()
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            sandbox.rejoin_processes(self._own)
            raise
        if pid:
            sandbox.rejoin_processes(self._own)
            os.close(writing)
            self._pipes[pid] = reading
            return pid
        worker = os.fork()
        if worker:
            _be_first(worker, writing)
        return 0

    def status_of(self, pid: int, status: int) -> int:
        """Give how the worker of a first process ended that ended with `status`: as that when it was killed itself."""
        pipe = self._pipes.pop(pid, None)
        if pipe is None:
            return status
        told = os.read(pipe, STATUS_BYTES)
        os.close(pipe)
        return int.from_bytes(told, "little") if len(told) == STATUS_BYTES else status


def _be_first(worker: int, pipe: int) -> None:
    """Reap what ends in the namespace until `worker` does, and never come back."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        sandbox.close_files((pipe,))
        sandbox.drop(0)
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == worker:
                os.write(pipe, status.to_bytes(STATUS_BYTES, "little"))
                break
    finally:
        os._exit(0)
