"""Whether the API's resource policy lets a request in, for methods without an authorizer."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import unquote

import orjson

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.policy_decisions import PolicyDecisions
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import ACCESS_DENIED, Refusal
from gatepost.gateway.route import Route, StageFacts
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.languages.iam_policy import PolicyError, parse_policy
from gatepost.services.apigateway.deployment import Deployment

ACTION: Final = "execute-api:Invoke"
ANONYMOUS: Final = Principal("anonymous", "", "anonymous", "anonymous")
_SHORT: Final = "execute-api:/"


class ResourcePolicyGuard:
    """Refuse a request that the API's resource policy does not allow, or denies.

    "Evaluation of the policy involves seeking an explicit allow […]. An implicit denial or any explicit denial
    results in denying the caller": API Gateway developer guide, "How API Gateway resource policies affect
    authorization workflow". The client gets 403 in the words of an IAM refusal, the account half hidden.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, authorization: PolicyDecisions, stage: StageFacts, policy: str) -> None:
        self._authorization = authorization
        self._stage = stage
        self._policy = policy

    def check(self, exchange: Exchange) -> None:
        """Ask the policy. Raises: Refusal."""
        resource = invocation_arn(exchange, self._stage)
        try:
            self._authorization.check(
                invocation_call(exchange, self._stage, ANONYMOUS),
                Access(ACTION, resource, resource_policy=self._policy),
            )
        except AccessDeniedException as error:
            raise denied(error, self._stage) from error

    def __repr__(self) -> str:
        return "ResourcePolicyGuard()"


class ExplicitDenyGuard:
    """Refuse at once what the resource policy denies, before a Lambda authorizer is asked.

    "Before calling the Lambda authorizer, API Gateway first evaluates the policy and checks for any explicit denials.
    If found, the caller is denied access immediately" (the same page). What the policy does not mention goes on.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, authorization: PolicyDecisions, stage: StageFacts, policy: str) -> None:
        self._authorization = authorization
        self._stage = stage
        self._policy = policy

    def check(self, exchange: Exchange) -> None:
        """Look for a deny. Raises: Refusal."""
        resource = invocation_arn(exchange, self._stage)
        call = invocation_call(exchange, self._stage, ANONYMOUS)
        decision = self._authorization.decide(call, Access(ACTION, resource, resource_policy=self._policy))
        if decision.is_explicit and not decision.is_allowed:
            refusal = AccessDeniedException(decision.sentence(ANONYMOUS.arn, ACTION, resource))
            access = Access(ACTION, resource, resource_policy=self._policy)
            refusal.evidence = self._authorization.evidence_of(call, access, ())
            raise denied(refusal, self._stage)

    def __repr__(self) -> str:
        return "ExplicitDenyGuard()"


def invocation_call(exchange: Exchange, stage: StageFacts, caller: Principal) -> Call:
    """Give the request as the authorizer sees it."""
    agent = exchange.request.header(b"user-agent")
    endpoint = exchange.vpc_endpoint
    return Call(
        service="execute-api",
        operation="Invoke",
        account_id=stage.account_id,
        region=stage.region,
        principal=caller,
        request_id=exchange.request_id,
        now_ms=exchange.time_ms,
        source_ip=exchange.request.client_ip,
        user_agent=agent.decode("latin-1") if agent else "",
        is_tls=exchange.request.is_tls,
        source_vpc_endpoint=endpoint.id if endpoint is not None else "",
        source_vpc=endpoint.vpc_id if endpoint is not None else "",
    )


def invocation_arn(exchange: Exchange, stage: StageFacts) -> str:
    """Give `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{METHOD}/{path}`.

    The path is the one that was matched: literal parts from the resource, parameters decoded. So no spelling of a
    path gets round a policy that another spelling would meet: empty parts, which most servers ignore, are left out. A
    slash inside a parameter stays `%2F`.
    """
    path = matched_path(exchange.route, exchange.values)
    prefix = f"arn:aws:execute-api:{stage.region}:{stage.account_id}:{stage.api_id}/{stage.stage_name}"
    return f"{prefix}/{exchange.method}{path}"


def matched_path(route: Route, values: tuple[str, ...]) -> str:
    """Put decoded values in the place of a resource path's parameters."""
    if not values:
        return route.resource_path
    parts, position = [], 0
    for part in route.resource_path.split("/"):
        if part.startswith("{"):
            value = values[position]
            pieces = filter(None, value.split("/")) if part.endswith("+}") else (value,)
            parts.append("/".join(unquote(piece).replace("/", "%2F") for piece in pieces))
            position += 1
        else:
            parts.append(part)
    return "/".join(parts)


def denied(error: AccessDeniedException, stage: StageFacts) -> Refusal:
    """Give the refusal for an IAM refusal, the account hidden but for four digits as AWS does it."""
    hidden = f":{'*' * (len(stage.account_id) - 4)}{stage.account_id[-4:]}:{stage.api_id}/"
    message = error.message.replace(f":{stage.account_id}:{stage.api_id}/", hidden)
    return Refusal(ACCESS_DENIED, message=message, detail=error.detail or error.message, evidence=error.evidence)


def policy_document(text: str, stage: StageFacts) -> str:
    """Check a resource policy and write its short resources (`execute-api:/prod/GET/*`) as ARNs.

    Raises: MappingError when it is no valid resource policy.
    """
    return expanded_policy(
        text, f"arn:aws:execute-api:{stage.region}:{stage.account_id}:{stage.api_id}/", "the resource policy"
    )


def expanded_policy(text: str, prefix: str, what: str) -> str:
    """Check a policy and write its short resources as ARNs that begin with `prefix`.

    Raises: MappingError when it is no valid resource policy.
    Source: "For Resource […] use the simplified syntax execute-api:/…",
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-create-attach.html
    """
    try:
        document = orjson.loads(text)
        statements = document["Statement"]
        for statement in [statements] if isinstance(statements, dict) else statements:
            for key in ("Resource", "NotResource"):
                if key in statement:
                    statement[key] = _expanded(statement[key], prefix)
        whole = orjson.dumps(document).decode()
        parse_policy(whole, "resource")
    except (orjson.JSONDecodeError, KeyError, TypeError, PolicyError) as error:
        raise MappingError(f"{what} cannot be read: {type(error).__name__}: {error}") from error
    return whole


def _expanded(resources: Any, prefix: str) -> Any:
    if isinstance(resources, list):
        return [_expanded(resource, prefix) for resource in resources]
    if isinstance(resources, str) and resources.startswith(_SHORT):
        return f"{prefix}{resources[len(_SHORT) :]}"
    return resources


def for_deployment(
    deployment: Deployment, stage: StageFacts, authorization: PolicyDecisions | None
) -> ResourcePolicyGuard | None:
    """Make the guard when the API has a resource policy. Raises: MappingError when it cannot work."""
    if not deployment.resource_policy:
        return None
    if authorization is None:
        raise MappingError("the API has a resource policy: this gateway was built without authorization")
    return ResourcePolicyGuard(authorization, stage, policy_document(deployment.resource_policy, stage))


def denies_for_deployment(
    deployment: Deployment, stage: StageFacts, authorization: PolicyDecisions | None
) -> ExplicitDenyGuard | None:
    """Make the guard that comes before a Lambda authorizer. Raises: MappingError when it cannot work."""
    if not deployment.resource_policy:
        return None
    if authorization is None:
        raise MappingError("the API has a resource policy: this gateway was built without authorization")
    return ExplicitDenyGuard(authorization, stage, policy_document(deployment.resource_policy, stage))
