"""What argon2-cffi alone does: as many threads as there are cores verify a password, at user pools' costs.

Run as a process of its own, `python -m benchmarks.load.argon SECONDS [NICE]`. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import argon2

from gatepost.security.passwords import LANES, MEMORY_KIB, PASSES

PASSWORD = b"Correct-horse-7"


def main(seconds: float, nice: int = 0) -> None:
    """Verify for `seconds`, giving way to others by `nice`."""
    os.nice(nice)
    hasher = argon2.PasswordHasher(PASSES, MEMORY_KIB, LANES)
    kept = hasher.hash(PASSWORD)
    counts = [0] * len(os.sched_getaffinity(0))
    began, cpu = time.monotonic(), time.process_time()

    def verify(thread: int) -> None:
        while time.monotonic() - began < seconds:
            hasher.verify(kept, PASSWORD)
            counts[thread] += 1

    threads = [threading.Thread(target=verify, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, spent = time.monotonic() - began, time.process_time() - cpu
    print(json.dumps({"sign-ins/s": sum(counts) / took, "per CPU-second": sum(counts) / spent}))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
