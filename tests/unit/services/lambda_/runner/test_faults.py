"""What the platform says of a process that ended, or that it ended."""

from __future__ import annotations

import json
import signal

import pytest

from gatepost.services.lambda_.runner.faults import exited, timed_out


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "Runtime exited with error: signal: killed"),
        (9, "Runtime exited with error: signal: killed"),
        (11 | 0x80, "Runtime exited with error: signal: segmentation fault"),
        (int(signal.SIGUSR1), "Runtime exited with error: signal: SIGUSR1"),
        (0x7E, "Runtime exited with error: signal: 126"),
        (3 << 8, "Runtime exited with error: exit status 3"),
        (0, "Runtime exited without providing a reason"),
    ],
)
def test_the_status_is_told_as_lambda_does(status: int | None, reason: str) -> None:
    fault = exited("id", status)
    assert json.loads(fault.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id Error: {reason}",
    }
    assert fault.log_line == f"RequestId: id Error: {reason}\nRuntime.ExitError\n"


def test_a_timeout_names_its_seconds() -> None:
    fault = timed_out("id", 29, "2026-11-24T05:56:38.123Z")
    assert fault.log_line == "2026-11-24T05:56:38.123Z id Task timed out after 29.00 seconds\n\n"
    assert b"Task timed out after 29.00 seconds" in fault.payload
