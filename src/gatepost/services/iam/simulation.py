"""The policy simulator: the evaluator on policies and condition keys that the caller hands in.

Condition keys come from ContextEntries alone. `SourcePolicyType` is as AWS's clients show it (`unverified`).
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
from gatepost.services.iam.policy_texts import PolicyTexts

PAIRS_MAX: Final = 10_000  # actions times resources of one simulation
_SOURCE_TYPES: Final = {
    "resource-based policy": "Resource Policy",
    "permissions boundary": "IAM Policy",
    "identity-based policy": "IAM Policy",
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
        return _simulate(params, subject, identity, boundaries[0] if boundaries else None, _texts(params))

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
        texts = {**_texts(params), **self._held_texts(holder)}
        return _simulate(params, subject, identity, boundaries[0] if boundaries else own.boundary, texts)

    @operation("GetContextKeysForCustomPolicy")
    def get_context_keys_for_custom_policy(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List the condition keys that policies read. Raises: InvalidInput."""
        policies = _parsed(params["PolicyInputList"], "identity", "PolicyInputList")
        return _context_keys(policies, params["PolicyInputList"])

    @operation("GetContextKeysForPrincipalPolicy")
    def get_context_keys_for_principal_policy(self, call: Call, params: Params) -> Answer:
        """List the condition keys that a principal's policies read. Raises: NoSuchEntity, InvalidInput."""
        holder = self._source(call, params["PolicySourceArn"])
        own = self._directory.held_policies(holder)
        more = _parsed(params.get("PolicyInputList", ()), "identity", "PolicyInputList")
        texts = [*self._held_texts(holder).values(), *params.get("PolicyInputList", ())]
        return _context_keys(own.identity + more, texts)

    def _held_texts(self, holder: Holder) -> dict[str, str]:
        """Give the documents of what a user (with its groups), group or role holds, by name or ARN."""
        holders: list[Holder] = [holder]
        if isinstance(holder, User):
            groups = (self._directory.group(holder.account_id, name) for name in holder.groups)
            holders.extend(group for group in groups if group is not None)
        texts: dict[str, str] = {}
        for one in holders:
            texts.update(one.policies.inline)
            policies = map(self._directory.managed_policy, one.policies.attached)
            texts.update({policy.arn: policy.document for policy in policies if policy is not None})
        return texts

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


def _texts(params: Params) -> dict[str, str]:
    """Give the documents of a request by the names that they are parsed under."""
    texts = {f"PolicyInputList.{n}": text for n, text in enumerate(params.get("PolicyInputList", ()), start=1)}
    if "ResourcePolicy" in params:
        texts["ResourcePolicy.1"] = params["ResourcePolicy"]
    return texts


def _context_keys(policies: Sequence[Policy], texts: Sequence[str]) -> Answer:
    keys: set[str] = set()
    for policy in policies:
        keys |= policy.keys_read()
    named = {str(number): text for number, text in enumerate(texts)}
    return {"ContextKeyNames": PolicyTexts(named).spelled(keys)}


def _simulate(
    params: Params,
    subject: Subject,
    identity: tuple[Policy, ...],
    boundary: Policy | None,
    texts: Mapping[str, str],
) -> Answer:
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
    written = PolicyTexts(texts)
    missing = written.spelled({key for policy in identity for key in policy.keys_read()} - set(keys))
    owner = params.get("ResourceOwner", subject.arn).split(":")[4:5]
    results = []
    for action, resource in pairs:
        account_id = (resource.split(":")[4:5] or [""])[0] or (owner[0] if owner else subject.account_id)
        decision = decide(Question(subject, action, resource, account_id, keys), policies)
        matched = _matched(decision, written)
        results.append(_result(action, resource, decision, matched, missing, has_boundary=boundary is not None))
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


def _matched(decision: Decision, texts: PolicyTexts) -> list[dict[str, object]]:
    """Give the statement that decided, if any, with its place in the policy's text."""
    if not decision.policy:
        return []
    name = decision.policy.rpartition("/")[2] if decision.policy.startswith("arn:") else decision.policy
    positions = texts.positions(decision.policy, decision.statement)
    return [{"SourcePolicyId": name, "SourcePolicyType": _source_type(decision), **positions}]


def _result(
    action: str,
    resource: str,
    decision: Decision,
    matched: list[dict[str, object]],
    missing: list[str],
    *,
    has_boundary: bool,
) -> dict[str, object]:
    answer = "allowed" if decision.is_allowed else "explicitDeny" if decision.is_explicit else "implicitDeny"
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
    return _SOURCE_TYPES.get(decision.layer, "none")
