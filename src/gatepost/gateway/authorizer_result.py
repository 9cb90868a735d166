"""What an authorizer found out about a caller: written on the exchange by its guard, read by policies, keys and events.

It may be remembered and then belongs to many requests: nothing in it is about one of them but `latency_ms` and
`request_id`, which are 0 and empty in what is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from gatepost.gateway.exchange import Fact
from gatepost.languages.iam_policy import Policy
from gatepost.languages.iam_policy_evaluation import Decision

_CLAIMS: Final = "claims."
DECISIONS_MAX: Final = 64
"""Remembered decisions of one result: a caller uses few of an API's methods and paths."""


@dataclass(frozen=True, slots=True)
class AuthorizerResult:
    """Who calls, in the authorizer's words.

    `context` and `claims` are texts, as `$context.authorizer.…` gives them. `policy` is a Lambda authorizer's,
    compiled; None: a user pool's token, which needs none. `usage_identifier_key` is an API key (source AUTHORIZER).
    """

    authorizer_id: str
    principal_id: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] | None = None
    policy: Policy | None = None
    usage_identifier_key: str = field(default="", repr=False)
    latency_ms: int = 0
    request_id: str = ""  # of the function's invocation; "" for what is remembered, and for user pools
    is_remembered: bool = False
    decisions: dict[str, Decision] = field(default_factory=dict, repr=False, compare=False)

    def variable(self, name: str) -> str | None:
        """Give `$context.authorizer.{name}`: principalId, claims.NAME, integrationLatency or a value of the context."""
        if name.startswith(_CLAIMS):
            return None if self.claims is None else self.claims.get(name[len(_CLAIMS) :])
        if name == "principalId":
            return self.principal_id or None
        if name == "integrationLatency":
            return str(self.latency_ms)
        return self.context.get(name)

    def to_event(self) -> dict[str, Any]:
        """Give `requestContext.authorizer` of a function's event.

        A Lambda authorizer's context stands beside principalId and integrationLatency, a user pool's claims below
        `claims`.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
        """
        if self.claims is not None:
            return {"claims": dict(self.claims)}
        return {**self.context, "principalId": self.principal_id, "integrationLatency": self.latency_ms}

    def remember(self, resource: str, decision: Decision) -> None:
        """Keep a decision that depends on nothing but the policy and `resource`."""
        if len(self.decisions) >= DECISIONS_MAX:
            self.decisions.clear()
        self.decisions[resource] = decision


AUTHORIZER: Final[Fact[AuthorizerResult]] = Fact("authorizer")
"""What the method's authorizer found out (CUSTOM, COGNITO_USER_POOLS)."""


def claim_text(value: object) -> str:
    """Give a claim or a context value as `$context` does: JSON's spelling of what is no text."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
