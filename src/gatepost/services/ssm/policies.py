"""Policies of parameters: when one expires, and when someone is told before, or of one that nobody changes.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-policies.html
The words of refusals are `unverified`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ValidationException
from gatepost.services.ssm.errors import (
    IncompatiblePolicyException,
    InvalidPolicyAttributeException,
    InvalidPolicyTypeException,
    PoliciesLimitExceededException,
)

EXPIRATION: Final = "Expiration"
BEFORE: Final = "ExpirationNotification"
UNCHANGED: Final = "NoChangeNotification"
POLICIES_MAX: Final = 10
AMOUNT_MAX: Final = 10_000  # days or hours of a notification
_UNITS_MS: Final = {"Days": 86_400_000, "Hours": 3_600_000}


@dataclass(frozen=True, slots=True)
class ParameterPolicy:
    """One policy, as it was given, and when it is due. A notification is done once it was sent."""

    text: str
    type: str
    due_at_ms: int
    is_done: bool = False

    def to_aws(self) -> dict[str, str]:
        """Give AWS's ParameterInlinePolicy."""
        status = "Finished" if self.is_done else "Pending"
        return {"PolicyText": self.text, "PolicyType": self.type, "PolicyStatus": status}


def parse_policies(text: str, changed_at_ms: int) -> tuple[ParameterPolicy, ...]:
    """Read the policies of a parameter whose value is as old as `changed_at_ms`.

    Raises: ValidationException, InvalidPolicyTypeException, InvalidPolicyAttributeException,
    IncompatiblePolicyException, PoliciesLimitExceededException.
    """
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValidationException("Policies is not a list of policies in JSON.") from error
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ValidationException("Policies is not a list of policies in JSON.")
    return policies_of([one for one in given if one], changed_at_ms)


def renewed(policies: Sequence[ParameterPolicy], changed_at_ms: int) -> tuple[ParameterPolicy, ...]:
    """Give a version's policies as the next version has them: notifications are due anew."""
    return policies_of([orjson.loads(one.text) for one in policies], changed_at_ms)


def policies_of(given: Sequence[Mapping[str, Any]], changed_at_ms: int) -> tuple[ParameterPolicy, ...]:
    """Check policies together and say when each is due. Raises: as `parse_policies`."""
    if len(given) > POLICIES_MAX:
        raise PoliciesLimitExceededException(f"A parameter has at most {POLICIES_MAX} policies.")
    expirations = [_timestamp(one) for one in given if one.get("Type") == EXPIRATION]
    if len(expirations) > 1:
        raise IncompatiblePolicyException("A parameter has at most one Expiration policy.")
    return tuple(_policy(one, expirations, changed_at_ms) for one in given)


def _policy(one: Mapping[str, Any], expirations: Sequence[int], changed_at_ms: int) -> ParameterPolicy:
    kind = one.get("Type")
    if kind == EXPIRATION:
        due_at_ms = expirations[0]
    elif kind == BEFORE:
        if not expirations:
            raise IncompatiblePolicyException(f"{BEFORE} needs an {EXPIRATION} policy.")
        due_at_ms = expirations[0] - _span_ms(one, "Before")
    elif kind == UNCHANGED:
        due_at_ms = changed_at_ms + _span_ms(one, "After")
    else:
        raise InvalidPolicyTypeException(f"{kind} is no type of policy: use {EXPIRATION}, {BEFORE} or {UNCHANGED}.")
    return ParameterPolicy(orjson.dumps(one).decode(), kind, due_at_ms)


def _attributes(one: Mapping[str, Any]) -> Mapping[str, Any]:
    attributes = one.get("Attributes")
    return attributes if isinstance(attributes, dict) else {}


def _timestamp(one: Mapping[str, Any]) -> int:
    text = _attributes(one).get("Timestamp")
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise InvalidPolicyAttributeException(f"{text} is no Timestamp of ISO 8601.") from error
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _span_ms(one: Mapping[str, Any], name: str) -> int:
    attributes = _attributes(one)
    amount, unit = str(attributes.get(name, "")), attributes.get("Unit")
    if not (amount.isascii() and amount.isdigit() and 0 < int(amount) <= AMOUNT_MAX) or unit not in _UNITS_MS:
        raise InvalidPolicyAttributeException(f"{name} has to be a number, and Unit Days or Hours.")
    return int(amount) * _UNITS_MS[unit]
