"""The legacy parameters of 2012, which expressions replaced: refused by name.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ValidationException

LEGACY: Final = {
    "AttributesToGet": "ProjectionExpression",
    "AttributeUpdates": "UpdateExpression",
    "ConditionalOperator": "AND and OR in an expression",
    "Expected": "ConditionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
}
_NAMES: Final = frozenset(LEGACY)


def refuse_legacy(params: Mapping[str, Any]) -> None:
    """Refuse what Gatepost does not have of the old ways. Raises: ValidationException."""
    if _NAMES.isdisjoint(params):
        return
    name = next(name for name in params if name in _NAMES)
    raise ValidationException(f"{name} is a legacy parameter that Gatepost does not have: use {LEGACY[name]}")
