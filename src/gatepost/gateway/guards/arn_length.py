"""How long the ARN of a method may be that a request asks for, where someone has to decide about it."""

from __future__ import annotations

from typing import ClassVar, Final

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.resource_policy import invocation_arn
from gatepost.gateway.responses import URI_TOO_LONG, Refusal
from gatepost.gateway.route import StageFacts

ARN_BYTES_MAX: Final = 1_600


class ArnLengthGuard:
    """Refuse a request whose method ARN, path included, has more than 1,600 bytes: 414, as API Gateway does.

    Only methods with an authorization type have it ("ARN length of a method with authorization").
    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, stage: StageFacts) -> None:
        self._stage = stage

    def check(self, exchange: Exchange) -> None:
        """Measure the ARN. Raises: Refusal."""
        if len(exchange.path) < ARN_BYTES_MAX // 4:  # nothing shorter can come to so much
            return
        if len(invocation_arn(exchange, self._stage).encode()) > ARN_BYTES_MAX:
            raise Refusal(URI_TOO_LONG, detail=f"the method's ARN has more than {ARN_BYTES_MAX} bytes")

    def __repr__(self) -> str:
        return f"ArnLengthGuard({ARN_BYTES_MAX})"
