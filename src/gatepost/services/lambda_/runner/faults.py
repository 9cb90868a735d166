"""What the platform itself reports when an invocation cannot end in its own words.

Forms: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html and
https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html; errorType `Sandbox.Timedout` with a message that
begins with the request id is what Lambda answers since 2024 (unverified in the guide).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class PlatformFault:
    """A failure in Lambda's words. `log_line` goes to the function's log before END."""

    kind: str
    payload: bytes
    log_line: str


def timed_out(request_id: str, timeout_s: int, at: str) -> PlatformFault:
    """Say that the function did not end in time."""
    words = f"Task timed out after {timeout_s}.00 seconds"
    body = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: {words}"}
    return PlatformFault("Sandbox.Timedout", orjson.dumps(body), f"{at} {request_id} {words}\n\n")


def exited(request_id: str, status: int | None, *, is_killed: bool = False) -> PlatformFault:
    """Say that the process ended. `status` is as of `waitpid`; None: unknown."""
    if is_killed or status is None:
        reason = "Runtime exited with error: signal: killed"
    elif status & 0x7F:
        reason = f"Runtime exited with error: signal: {signal_words(status & 0x7F)}"
    elif status >> 8:
        reason = f"Runtime exited with error: exit status {status >> 8}"
    else:
        reason = "Runtime exited without providing a reason"
    words = f"RequestId: {request_id} Error: {reason}"
    body = {"errorType": "Runtime.ExitError", "errorMessage": words}
    return PlatformFault("Runtime.ExitError", orjson.dumps(body), f"{words}\nRuntime.ExitError\n")


def signal_words(number: int) -> str:
    """Name a signal as Go's runtime does, in which Lambda's messages are written."""
    names = {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "segmentation fault"}
    names |= {signal.SIGABRT: "aborted", signal.SIGBUS: "bus error", signal.SIGXFSZ: "file size limit exceeded"}
    try:
        return names.get(signal.Signals(number), signal.Signals(number).name)
    except ValueError:
        return str(number)
