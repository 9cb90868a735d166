"""The trace header of a function with active tracing.

There is no X-Ray to keep traces. What a function can see of active tracing is honoured: every invocation has a trace,
which is sampled unless who called says that it is not. AWS samples the first request of each second and a share of the
others. https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

from __future__ import annotations

from typing import Final

ACTIVE: Final = "Active"  # AWS: TracingConfig.Mode


def actively_traced(trace_id: str, request_id: str, now_s: int) -> str:
    """Give the header for an invocation: the caller's, where it decides about sampling, or one that is sampled."""
    if "Sampled=" in trace_id:
        return trace_id
    digits = request_id.replace("-", "")
    root = trace_id or f"Root=1-{now_s:08x}-{digits[8:32]}"
    return f"{root};Parent={digits[:16]};Sampled=1"
