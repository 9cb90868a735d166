"""Backends that only refuse: for routes that cannot work, and for requests that no route takes."""

from __future__ import annotations

from typing import ClassVar

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.responses import Refusal, RefusalKind
from gatepost.wire.messages import Response


class AlwaysRefuses:
    """Refuses every request for one reason, which stands in the decision record."""

    needs: ClassVar[Facts] = NO_FACTS

    def __init__(self, kind: RefusalKind, detail: str = "") -> None:
        self.kind = kind
        self.detail = detail

    def answer(self, exchange: Exchange) -> Response:
        """Refuse. Raises: Refusal, always."""
        del exchange
        raise Refusal(self.kind, detail=self.detail)

    def __repr__(self) -> str:
        return f"AlwaysRefuses({self.kind.name}: {self.detail})" if self.detail else f"AlwaysRefuses({self.kind.name})"
