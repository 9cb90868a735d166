"""`gatepost explain`: one request's way through its plan, rendered when someone asks.

A request leaves references only (its plan's line of guards, the verdicts of those that had something to say). Here they
become JSON values: each guard in its order with "passed", "refused" or "not reached", what an authorizer found out, the
statements and condition values that decided, and what would have let the request in. Tokens, keys and the values of an
authorizer's context are never part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from gatepost.gateway.authorizer_result import AuthorizerResult
from gatepost.gateway.backends.refusal import AlwaysRefuses
from gatepost.gateway.responses import Verdict

PASSED: Final = "passed"
REFUSED: Final = "refused"
NOT_REACHED: Final = "not reached"
ANSWERED: Final = "answered"

# What would have let a request in, by refusal. A policy's refusal has better advice of its own.
_ADVICE: Final[Mapping[str, str]] = {
    "UNAUTHORIZED": "send what the authorizer asks for: see its identity source and the reason above",
    "AUTHORIZER_FAILURE": "the authorizer's function has to return a policy: see its log group",
    "AUTHORIZER_CONFIGURATION_ERROR": "the authorizer cannot work as it is configured: see the reason above",
    "ACCESS_DENIED": "a policy has to allow it",
    "MISSING_AUTHENTICATION_TOKEN": "sign the request with AWS Signature Version 4",
    "INCOMPLETE_SIGNATURE": "send all parts of the signature",
    "INVALID_SIGNATURE": "sign exactly what is sent, for service execute-api and the API's region, within 5 minutes",
    "UNRECOGNIZED_CLIENT": "sign with an access key of this platform (gatepost env)",
    "EXPIRED_TOKEN": "get new temporary credentials",
    "INVALID_API_KEY": "send an enabled API key of a usage plan that has this stage, in x-api-key",
    "THROTTLED": "send fewer requests a second, or raise the limit that is named above",
    "QUOTA_EXCEEDED": "wait for the usage plan's next period, or raise its quota",
    "FORBIDDEN": "ask where the API answers: see the reason above",
    "WAF_FILTERED": "the firewall's rule that is named above blocks it",
    "BAD_REQUEST_BODY": "send a body that the method's model allows",
    "BAD_REQUEST_PARAMETERS": "send the parameters that the method requires",
}
# What would have, where no guard was asked: AWS's words for a request that nothing answers are those of other refusals.
_NOWHERE: Final[Mapping[str, str]] = {
    "MISSING_AUTHENTICATION_TOKEN": "check path and HTTP method: no method of the deployed stage is there",
    "FORBIDDEN": "check API id, stage and host: no stage answers there (private APIs do at the private port only)",
}


@runtime_checkable
class Explains(Protocol):
    """Evidence that can say why."""

    def explain(self) -> dict[str, Any]:
        """Give it as JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A plan's guards in their order, and its backend."""

    guards: Sequence[object] = ()
    backend: object = None


def explain(line: Line, decisions: Sequence[tuple[object, object]] | None, *, reached_backend: bool) -> dict[str, Any]:
    """Give the path of a request: what each part of its plan said, and what would have changed it."""
    told = list(decisions or ())
    refusal = next(((part, verdict) for part, verdict in reversed(told) if isinstance(verdict, Verdict)), None)
    path: list[dict[str, Any]] = []
    is_over = False
    for guard in line.guards:
        step: dict[str, Any] = {"guard": repr(guard)}
        is_refusing = refusal is not None and refusal[0] is guard
        step["verdict"] = NOT_REACHED if is_over else REFUSED if is_refusing else PASSED
        results = [verdict for part, verdict in told if part is guard and isinstance(verdict, AuthorizerResult)]
        if results:
            step["authorizer"] = _result(results[-1])
        if is_refusing:
            step |= _refused(refusal)
        is_over = is_over or is_refusing
        path.append(step)
    if line.backend is not None:
        is_refusing = refusal is not None and refusal[0] is line.backend
        verdict = NOT_REACHED if is_over else REFUSED if is_refusing else ANSWERED if reached_backend else PASSED
        path.append({"backend": repr(line.backend), "verdict": verdict, **(_refused(refusal) if is_refusing else {})})
    answer: dict[str, Any] = {"guards": path}
    if refusal is not None:
        if not any(step["verdict"] == REFUSED for step in path):
            path.append({"part": repr(refusal[0]), "verdict": REFUSED, **_refused(refusal)})
        found = refusal[1]
        assert isinstance(found, Verdict)
        answer["refusal"] = found.kind.name
        answer["wouldHaveAllowed"] = _advice(found, refusal[0])
    return answer


def _refused(refusal: tuple[object, object] | None) -> dict[str, Any]:
    verdict = refusal[1] if refusal is not None else None
    if not isinstance(verdict, Verdict):
        return {}
    told: dict[str, Any] = {"refusal": verdict.kind.name, "status": verdict.kind.status, "reason": verdict.detail}
    if isinstance(verdict.evidence, Explains):
        told["policies"] = verdict.evidence.explain()
    return told


def _advice(verdict: Verdict, part: object) -> str:
    if isinstance(verdict.evidence, Explains):
        found = str(verdict.evidence.explain().get("wouldHaveAllowed", ""))
        if found:
            return found
    nowhere = _NOWHERE.get(verdict.kind.name, "") if isinstance(part, AlwaysRefuses) else ""
    return nowhere or _ADVICE.get(verdict.kind.name, "")


def _result(result: AuthorizerResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": result.authorizer_id,
        "contextKeys": sorted(result.context if result.claims is None else result.claims),
    }
    if result.claims is None:
        told |= {"principalId": result.principal_id, "latencyMs": result.latency_ms}
        told["fromCache"] = result.is_remembered
    return told
