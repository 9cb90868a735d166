"""The policy simulator: the evaluator on policies and condition keys that the caller hands in.

Approximated: statements are named by policy, without line and column. Condition keys come from ContextEntries alone.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.languages.iam_policy import Policy, PolicyError, PolicyKind, parse_policy
from gatepost.languages.iam_policy_evaluation import Decision, Policies, Question, decide
from gatepost.languages.iam_policy_patterns import KeyValue
from gatepost.languages.iam_policy_principals import Subject
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import InvalidInputException, NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import Group, Holder, Role, User

PAIRS_MAX: Final = 10_000  # actions times resources of one simulation
_SOURCE_TYPES: Final = {
    "resource-based policy": "resource",
    "permissions boundary": "user",
    "identity-based policy": "user",
}


class SimulationOperations:
    """The policy simulator's operations; a part of the provider."""

    _directory: Directory

    @operation("SimulateCustomPolicy")
    def simulate_custom_policy(self, call: Call, params: Params) -> Answer:
        """Say what policies would decide. Raises: InvalidInput."""
        subject = _caller(params.get("CallerArn"), call)
        identity = _parsed(params["PolicyInputList"], "identity", "PolicyInputList")
        boundaries = _parsed(params.get("PermissionsBoundaryPolicyInputList", ()), "boundary", "PermissionsBoundary")
        return _simulate(params, subject, identity, boundaries[0] if boundaries else None)

    @operation("SimulatePrincipalPolicy")
    def simulate_principal_policy(self, call: Call, params: Params) -> Answer:
        """Say what a user's, group's or role's policies would decide. Raises: NoSuchEntity, InvalidInput."""
        holder = self._source(call, params["PolicySourceArn"])
        own = self._directory.held_policies(holder)
        excluded = params.get("PolicyExclusionList", ())
        identity = tuple(policy for policy in own.identity if policy.name not in excluded)
        identity += _parsed(params.get("PolicyInputList", ()), "identity", "PolicyInputList")
        boundaries = _parsed(params.get("PermissionsBoundaryPolicyInputList", ()), "boundary", "PermissionsBoundary")
        subject = _caller(params.get("CallerArn", holder.arn), call)
        return _simulate(params, subject, identity, boundaries[0] if boundaries else own.boundary)

    @operation("GetContextKeysForCustomPolicy")
    def get_context_keys_for_custom_policy(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List the condition keys that policies read. Raises: InvalidInput."""
        return _context_keys(_parsed(params["PolicyInputList"], "identity", "PolicyInputList"))

    @operation("GetContextKeysForPrincipalPolicy")
    def get_context_keys_for_principal_policy(self, call: Call, params: Params) -> Answer:
        """List the condition keys that a principal's policies read. Raises: NoSuchEntity, InvalidInput."""
        own = self._directory.held_policies(self._source(call, params["PolicySourceArn"]))
        more = _parsed(params.get("PolicyInputList", ()), "identity", "PolicyInputList")
        return _context_keys(own.identity + more)

    def _source(self, call: Call, arn: str) -> Holder:
        for holder in self._directory.holders(call.account_id):
            if holder.arn == arn and isinstance(holder, User | Group | Role):
                return holder
        raise NoSuchEntityException(f"Can not find entity {arn}")


def _parsed(documents: Sequence[str], kind: PolicyKind, source: str) -> tuple[Policy, ...]:
    try:
        return tuple(parse_policy(d, kind, name=f"{source}.{n}") for n, d in enumerate(documents, start=1))
    except PolicyError as error:
        raise InvalidInputException(f"Invalid Input. {error}") from error


def _caller(arn: str | None, call: Call) -> Subject:
    if arn is None:
        return Subject("user", call.account_id, f"arn:aws:iam::{call.account_id}:user/simulated")
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith(("user/", "role/", "group/")):
        raise InvalidInputException(f"Invalid Input CallerArn: {arn}")
    return Subject("user", parts[4], arn, role_arn=arn if parts[5].startswith("role/") else "")


def _context_keys(policies: Sequence[Policy]) -> Answer:
    keys: set[str] = set()
    for policy in policies:
        keys |= policy.keys_read()
    return {"ContextKeyNames": sorted(keys)}


def _simulate(params: Params, subject: Subject, identity: tuple[Policy, ...], boundary: Policy | None) -> Answer:
    for refused in ("OrderedOrganizationPolicyInputList", "ResourceHandlingOption"):
        if params.get(refused):
            raise InvalidInputException(f"{refused} is not supported by Gatepost's policy simulator.")
    resource_policy = None
    if "ResourcePolicy" in params:
        resource_policy = _parsed([params["ResourcePolicy"]], "resource", "ResourcePolicy")[0]
    keys = _keys(params.get("ContextEntries", ()))
    resources = params.get("ResourceArns") or ["*"]
    pairs = [(action, resource) for action in params["ActionNames"] for resource in resources]
    if len(pairs) > PAIRS_MAX:
        raise InvalidInputException(f"ActionNames times ResourceArns are {len(pairs)}: use at most {PAIRS_MAX}")
    policies = Policies(identity, boundary, None, resource_policy)
    missing = sorted({key for policy in identity for key in policy.keys_read()} - set(keys))
    owner = params.get("ResourceOwner", subject.arn).split(":")[4:5]
    results = []
    for action, resource in pairs:
        account_id = (resource.split(":")[4:5] or [""])[0] or (owner[0] if owner else subject.account_id)
        decision = decide(Question(subject, action, resource, account_id, keys), policies)
        results.append(_result(action, resource, decision, missing, has_boundary=boundary is not None))
    numbered = list(enumerate(results))
    page, rest = paged(numbered, params, name_of=lambda one: f"{one[0]:06d}")
    return {"EvaluationResults": [result for _, result in page], **rest}


def _keys(entries: Sequence[Mapping[str, Any]]) -> dict[str, KeyValue]:
    found: dict[str, KeyValue] = {}
    for entry in entries:
        values = tuple(entry.get("ContextKeyValues", ()))
        is_list = entry.get("ContextKeyType", "string").endswith("List")
        found[entry.get("ContextKeyName", "").lower()] = values if is_list or len(values) != 1 else values[0]
    return found


def _result(
    action: str, resource: str, decision: Decision, missing: list[str], *, has_boundary: bool
) -> dict[str, object]:
    answer = "allowed" if decision.is_allowed else "explicitDeny" if decision.is_explicit else "implicitDeny"
    matched = []
    if decision.policy:
        matched.append({"SourcePolicyId": decision.policy, "SourcePolicyType": _source_type(decision)})
    result: dict[str, object] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": answer,
        "MatchedStatements": matched,
        "MissingContextValues": missing,
    }
    if has_boundary:
        is_within = decision.is_allowed or decision.layer != "permissions boundary"
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": is_within}
    return result


def _source_type(decision: Decision) -> str:
    if decision.policy.startswith("arn:aws:iam::aws:"):
        return "aws-managed"
    if decision.policy.startswith("arn:"):
        return "user-managed"
    return _SOURCE_TYPES.get(decision.layer, "none")
