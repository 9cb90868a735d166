"""Why a decision came out as it did: every statement that could have had a say, and where each failed.

Nothing here runs when requests are decided. Evidence is two references; when someone asks, the statements are looked at
once more, one by one, with the values that the request's condition keys had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.languages.iam_policy import Policy, Statement
from gatepost.languages.iam_policy_conditions import AnyCondition, Condition
from gatepost.languages.iam_policy_evaluation import (
    BOUNDARY,
    IDENTITY,
    RESOURCE,
    SESSION,
    TRUST,
    Layer,
    Policies,
    Question,
    decide,
)
from gatepost.languages.iam_policy_patterns import KeyValue

STATEMENTS_MAX: Final = 50
TEXT_CHARACTERS_MAX: Final = 256
REDACTED_KEYS: Final = frozenset({"sts:externalid"})
REDACTED: Final = "(redacted)"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked, and which policies had a say."""

    question: Question
    policies: Policies

    def explain(self) -> dict[str, Any]:
        """Give the decision, the statements about the action, and what would have allowed it, as JSON values."""
        question = self.question
        decision = decide(question, self.policies)
        statements = list(_statements(question, self.policies))
        if question.subject.kind == "anonymous":
            principal = "anonymous"
        else:
            principal = question.subject.arn or "the authorizer's caller"
        return {
            "principal": principal,
            "action": question.action,
            "resource": question.resource,
            "allowed": decision.is_allowed,
            "decidedBy": _decided_by(
                decision.layer, decision.policy, decision.statement, is_explicit=decision.is_explicit
            ),
            "statements": statements[:STATEMENTS_MAX],
            "wouldHaveAllowed": "" if decision.is_allowed else _advice(question, decision.layer, statements),
        }


def _decided_by(layer: str, policy: str, statement: str, *, is_explicit: bool) -> str:
    if not is_explicit:
        return f"no {layer} allows it"
    named = f"statement {statement} of {policy or 'the ' + layer}" if statement else layer
    return f"{named} ({layer})" if policy else named


def _layers(policies: Policies) -> Iterator[tuple[Layer, Policy]]:
    for policy in policies.identity:
        yield IDENTITY, policy
    if policies.boundary is not None:
        yield BOUNDARY, policies.boundary
    for policy in policies.session or ():
        yield SESSION, policy
    if policies.resource is not None:
        yield (TRUST if policies.is_trust else RESOURCE), policies.resource


def _statements(question: Question, policies: Policies) -> Iterator[dict[str, Any]]:
    """Give each statement about the action: what of it fits, and which conditions do not hold."""
    for layer, policy in _layers(policies):
        for statement in policy.statements:
            if statement.names_action(question.action.lower()):
                yield _traced(question, layer, policy, statement)


def _traced(question: Question, layer: Layer, policy: Policy, statement: Statement) -> dict[str, Any]:
    failed: list[str] = []
    if statement.principals is not None:
        named = statement.principals.grant(question.subject) if statement.is_allow else None
        is_named = bool(named) if named is not None else statement.principals.denies(question.subject)
        if not is_named:
            failed.append("Principal")
    if not statement.names_resource(question.resource, question.keys):
        failed.append("NotResource" if statement.is_not_resource else "Resource")
    conditions = [_condition(question, one) for one in statement.conditions]
    failed += [f"Condition {one['operator']} {one['key']}" for one in conditions if not one["holds"]]
    return {
        "layer": layer,
        "policy": policy.name,
        "statement": statement.label,
        "effect": "Allow" if statement.is_allow else "Deny",
        "applies": not failed,
        "failed": failed,
        "conditions": conditions,
    }


def _condition(question: Question, condition: AnyCondition) -> dict[str, Any]:
    told: dict[str, Any] = {"key": condition.key, "holds": condition.holds(question.keys)}
    if isinstance(condition, Condition):
        quantifier = f"{condition.quantifier}:" if condition.quantifier else ""
        told["operator"] = f"{quantifier}{condition.operator.name}{'IfExists' if condition.is_if_exists else ''}"
        told["wanted"] = [REDACTED if condition.key in REDACTED_KEYS else _short(text) for text in condition.texts]
    else:
        told["operator"] = "Null"
        told["wanted"] = sorted(str(one).lower() for one in condition.wanted)
    told["seen"] = _seen(condition.key, question.keys.get(condition.key))
    return told


def _seen(key: str, value: KeyValue | None) -> str | list[str] | None:
    if value is None:
        return None
    if key in REDACTED_KEYS:
        return REDACTED
    return _short(value) if isinstance(value, str) else [_short(one) for one in value]


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS_MAX else f"{text[:TEXT_CHARACTERS_MAX]}…"


def _advice(question: Question, layer: str, statements: list[dict[str, Any]]) -> str:
    """Say what would have allowed it: no deny, conditions that nearly held, or a statement that is missing."""
    denies = [one for one in statements if one["effect"] == "Deny" and one["applies"]]
    if denies:
        one = denies[0]
        conditions = _unmet(one, held=True)
        without = f"; its conditions held: {conditions}" if conditions else ""
        return f"{_name(one)} denies it whatever else allows it{without}"
    near = [
        one
        for one in statements
        if one["effect"] == "Allow" and one["failed"] and all(text.startswith("Condition") for text in one["failed"])
    ]
    if near:
        return f"{_name(near[0])} would allow it if {_unmet(near[0], held=False)}"
    where = layer or IDENTITY
    return f"an Allow for {question.action} on {question.resource} in a {where}".replace(" a identity", " an identity")


def _unmet(statement: dict[str, Any], *, held: bool) -> str:
    parts = []
    for one in statement["conditions"]:
        if one["holds"] is held:
            seen = "absent" if one["seen"] is None else one["seen"]
            parts.append(f"{one['key']} {one['operator']} {', '.join(one['wanted'])} (seen: {seen})")
    return " and ".join(parts)


def _name(statement: dict[str, Any]) -> str:
    return f"statement {statement['statement']} of {statement['policy'] or 'the ' + statement['layer']}"


@dataclass(frozen=True, slots=True)
class JointEvidence:
    """Several questions that were asked about one request, and had to be answered together."""

    parts: tuple[Evidence, ...] = field(default=())

    def explain(self) -> dict[str, Any]:
        """Give the first part's explanation with the statements of all."""
        told = [part.explain() for part in self.parts]
        first = dict(told[0])
        first["statements"] = [one for part in told for one in part["statements"]][:STATEMENTS_MAX]
        denied = [part for part in told if not part["allowed"] and "denies" in part["wouldHaveAllowed"]]
        first["allowed"] = not denied and any(part["allowed"] for part in told)
        first["wouldHaveAllowed"] = (denied or told)[0]["wouldHaveAllowed"]
        if denied:
            first["decidedBy"] = denied[0]["decidedBy"]
        return first
