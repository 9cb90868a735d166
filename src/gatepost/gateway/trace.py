"""The X-Amzn-Trace-Id of a request: the client's own root, or one derived from the request id.

Source: AWS X-Ray developer guide, "X-Ray concepts", tracing header
(https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from gatepost.gateway.exchange import Exchange

TRACE_HEADER: Final = b"x-amzn-trace-id"
_ROOT: Final = re.compile(rb"(?:^|;)\s*(Root=1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)")


def trace_root(exchange: Exchange) -> str:
    """Give `Root=1-{time}-{id}`, with parent and sampling where the stage is traced; the same for every call."""
    root = exchange.trace_root
    if not root:
        given = exchange.request.header(TRACE_HEADER)
        found = _ROOT.search(given) if given is not None else None
        if found is not None:
            root = found.group(1).decode()
        else:
            root = _begun(exchange.time_ms // 1000) + exchange.request_id.replace("-", "")[8:]
        if exchange.is_traced:
            root += _sampled(exchange.request_id, given)
        exchange.trace_root = root
    return root


def _sampled(request_id: str, given: bytes | None) -> str:
    """Give the gateway's own segment as parent, and whether the trace is sampled: unless the client says it is not.

    Every request is, where AWS takes the first of each second and a share of the others.
    """
    parent = request_id.replace("-", "")[:16]
    is_sampled = given is None or b"Sampled=0" not in given
    return f";Parent={parent};Sampled={int(is_sampled)}"


@lru_cache(maxsize=8)
def _begun(seconds: int) -> str:
    return f"Root=1-{seconds:08x}-"
