"""AWS operations that were denied, kept for `gatepost explain`: references, rendered when someone asks.

The newest DENIALS_MAX are kept in memory; WRITTEN_PER_SECOND of each second are rendered and written down as well, one
JSON object a line, for after a restart. Whoever was denied has the request id from the answer's header.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import orjson

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Call
from gatepost.languages.iam_policy_trace import Evidence

DENIALS_MAX: Final = 2_048
WRITTEN_PER_SECOND: Final = 20


class Denials:
    """Takes note of refusals and gives them back by request id; of several of one request, the last."""

    def __init__(self, write: Callable[[bytes], None] = lambda _line: None) -> None:
        """Take who writes lines down, without waiting."""
        self._write = write
        self._second = 0
        self._written = 0
        self._kept: OrderedDict[str, tuple[Call, AccessDeniedException]] = OrderedDict()

    def note(self, call: Call, refusal: AccessDeniedException) -> None:
        """Keep a refusal. Its traceback is let go: it would hold the whole request."""
        kept = AccessDeniedException(refusal.message)
        kept.evidence = refusal.evidence
        if len(self._kept) >= DENIALS_MAX:
            self._kept.popitem(last=False)
        self._kept[call.request_id] = (call, kept)
        if self._second != call.now_ms // 1000:
            self._second, self._written = call.now_ms // 1000, 0
        if self._written < WRITTEN_PER_SECOND:
            self._written += 1
            self._write(orjson.dumps(self.find(call.request_id), option=orjson.OPT_APPEND_NEWLINE))

    def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what is known of a denied operation, as JSON values."""
        found = self._kept.get(request_id)
        if found is None:
            return None
        call, refusal = found
        told: dict[str, Any] = {
            "requestId": request_id,
            "requestTime": iso_8601(call.now_ms),
            "service": call.service,
            "operation": call.operation,
            "principal": call.principal.arn or call.principal.kind,
            "ip": call.source_ip,
            "status": 403,
            "refusal": "ACCESS_DENIED",
            "message": refusal.message,
        }
        if isinstance(refusal.evidence, Evidence):
            policies = refusal.evidence.explain()
            told |= {"policies": policies, "wouldHaveAllowed": policies["wouldHaveAllowed"]}
        return told
