"""What a Lambda authorizer's policy and the API's resource policy say together about a request.

Table A of "How API Gateway resource policies affect authorization workflow"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html): a deny in either is
final, an allow in either is enough, silence of both refuses. Before that, and before the authorizer is called, an
explicit deny in the resource policy ends it (`resource_policy.py:ExplicitDenyGuard`).
"""

from __future__ import annotations

from typing import ClassVar, Final

from gatepost.gateway.authorizer_result import AUTHORIZER, AuthorizerResult
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.policy_decisions import PolicyDecisions
from gatepost.gateway.guards.resource_policy import (
    ACTION,
    ANONYMOUS,
    invocation_arn,
    invocation_call,
    policy_document,
)
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import ACCESS_DENIED, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.kernel.operations import Access
from gatepost.languages.iam_policy_evaluation import Decision
from gatepost.languages.iam_policy_trace import JointEvidence
from gatepost.services.apigateway.deployment import Deployment

NOT_ALLOWED: Final = "User is not authorized to access this resource"
EXPLICITLY_DENIED: Final = f"{NOT_ALLOWED} with an explicit deny"


class AuthorizerPolicyGuard:
    """Refuse what the authorizer's policy and the resource policy do not allow together.

    Decisions that depend on the path alone are remembered with the authorizer's result.
    """

    needs: ClassVar[Facts] = frozenset({AUTHORIZER})
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, judge: PolicyDecisions, stage: StageFacts, policy: str | None) -> None:
        self._judge = judge
        self._stage = stage
        self._policy = policy

    def check(self, exchange: Exchange) -> None:
        """Ask the policies. Raises: Refusal."""
        result = exchange.read(AUTHORIZER)
        resource = invocation_arn(exchange, self._stage)
        decision = result.decisions.get(resource)
        if decision is None:
            decision = self._decide(exchange, result, resource)
            if decision.is_constant:
                result.remember(resource, decision)
        if not decision.is_allowed:
            raise Refusal(
                ACCESS_DENIED,
                message=EXPLICITLY_DENIED if decision.is_explicit else NOT_ALLOWED,
                detail=_reason(decision, resource),
                evidence=self._evidence(exchange, result, resource),
            )

    def _evidence(self, exchange: Exchange, result: AuthorizerResult, resource: str) -> JointEvidence:
        call = invocation_call(exchange, self._stage, ANONYMOUS)
        identity = (result.policy,) if result.policy is not None else ()
        return self._judge.evidence_of(call, Access(ACTION, resource, resource_policy=self._policy), identity)

    def _decide(self, exchange: Exchange, result: AuthorizerResult, resource: str) -> Decision:
        call = invocation_call(exchange, self._stage, ANONYMOUS)
        identity = (result.policy,) if result.policy is not None else ()
        return self._judge.judge(call, Access(ACTION, resource, resource_policy=self._policy), identity)

    def __repr__(self) -> str:
        return f"AuthorizerPolicyGuard({'with' if self._policy else 'no'} resource policy)"


def _reason(decision: Decision, resource: str) -> str:
    if decision.is_explicit:
        return f"statement {decision.statement} of {decision.policy or decision.layer} denies {resource}"
    return f"no statement allows {resource}"


def for_deployment(
    deployment: Deployment, stage: StageFacts, decisions: PolicyDecisions | None
) -> AuthorizerPolicyGuard:
    """Make the guard. Raises: MappingError when it cannot work."""
    if decisions is None:
        raise MappingError("authorizationType CUSTOM: this gateway was built without authorization")
    policy = policy_document(deployment.resource_policy, stage) if deployment.resource_policy else None
    return AuthorizerPolicyGuard(decisions, stage, policy)
