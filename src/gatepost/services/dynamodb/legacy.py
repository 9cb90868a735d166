"""The parameters of 2012, which expressions replaced: rewritten as the expressions that mean the same.

What is rewritten is then checked, authorized, compiled and carried out like any expression. The rules that only the
old parameters have (how many operands, of which types) are checked here, in AWS's words (unverified where the
developer guide does not give them). Names and values get placeholders `#0` and `:0`.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ValidationException
from gatepost.languages.item_values import SET_TYPES, ItemValueError, Value, compare, measure, type_of

INVALID: Final = "One or more parameter values were invalid: "
LEGACY: Final = {
    "AttributesToGet": "ProjectionExpression",
    "AttributeUpdates": "UpdateExpression",
    "ConditionalOperator": "",
    "Expected": "ConditionExpression",
    "KeyConditions": "KeyConditionExpression",
    "QueryFilter": "FilterExpression",
    "ScanFilter": "FilterExpression",
}
EXPRESSIONS: Final = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
LEGACY_NAMES: Final = frozenset(LEGACY)
_CONDITIONS: Final = ("Expected", "QueryFilter", "ScanFilter")
_ORDERED: Final = frozenset({"S", "N", "B"})
_COMPARATORS: Final = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
_COUNTS: Final = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_TYPES: Final = {
    "LE": _ORDERED,
    "LT": _ORDERED,
    "GE": _ORDERED,
    "GT": _ORDERED,
    "BETWEEN": _ORDERED,
    "IN": _ORDERED,
    "CONTAINS": _ORDERED,
    "NOT_CONTAINS": _ORDERED,
    "BEGINS_WITH": frozenset({"S", "B"}),
}
_INDEXABLE: Final = frozenset({"EQ", "LE", "LT", "GE", "GT", "BEGINS_WITH", "BETWEEN"})

Params = Mapping[str, Any]


def modern(params: Params) -> Params:
    """Give a request with expressions in the place of its legacy parameters, which stay beside them.

    A request without any is given back as it is. Raises: ValidationException.
    """
    if LEGACY_NAMES.isdisjoint(params):
        return params
    _refuse_mixture(params)
    rewriting = _Rewriting()
    expressions: dict[str, str] = {}
    has_condition = False
    for parameter in _CONDITIONS:
        if parameter in params:
            conditions = rewriting.conditions(parameter, params[parameter], params.get("ConditionalOperator"))
            has_condition = True
            if conditions:
                expressions[LEGACY[parameter]] = conditions
    if "ConditionalOperator" in params and not has_condition:
        raise ValidationException(INVALID + "ConditionalOperator cannot be used without Filter or Expected")
    if "KeyConditions" in params:
        expressions["KeyConditionExpression"] = rewriting.key_conditions(params["KeyConditions"])
    if "AttributesToGet" in params:
        expressions["ProjectionExpression"] = rewriting.projection(params["AttributesToGet"])
    if params.get("AttributeUpdates"):
        expressions["UpdateExpression"] = rewriting.update(params["AttributeUpdates"])
    rewritten: dict[str, Any] = {**params, **expressions}
    if rewriting.names:
        rewritten["ExpressionAttributeNames"] = rewriting.names
    if rewriting.values:
        rewritten["ExpressionAttributeValues"] = rewriting.values
    return rewritten


def _refuse_mixture(params: Params) -> None:
    expressions = [name for name in EXPRESSIONS if name in params]
    if expressions:
        legacy = sorted(name for name in params if name in LEGACY_NAMES)
        raise ValidationException(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(legacy)}}} Expression parameters: {{{', '.join(expressions)}}}"
        )
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if name in params:
            raise ValidationException(f"{name} can only be specified when using expressions")


class _Rewriting:
    """One request's placeholders, and the texts that use them."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Value] = {}

    def _name(self, name: str) -> str:
        placeholder = f"#{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def _value(self, value: Value) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def conditions(self, parameter: str, conditions: Mapping[str, Params], operator: str | None) -> str:
        """Rewrite Expected or a filter."""
        if operator is not None and len(conditions) < 2:
            raise ValidationException(
                INVALID + "ConditionalOperator can only be used when Filter or Expected has two or more elements"
            )
        texts = []
        for name, condition in conditions.items():
            told = _expected(name, condition) if parameter == "Expected" else condition
            texts.append(self._condition(name, told))
        return f" {operator or 'AND'} ".join(texts)

    def key_conditions(self, conditions: Mapping[str, Params]) -> str:
        """Rewrite KeyConditions."""
        if len(conditions) not in (1, 2):
            raise ValidationException("Conditions can be of length 1 or 2 only")
        texts = []
        for name, condition in conditions.items():
            if condition["ComparisonOperator"] not in _COMPARATORS.keys() | _TYPES.keys() | _COUNTS.keys():
                raise ValidationException(f"Unknown ComparisonOperator: {condition['ComparisonOperator']}")
            text = self._condition(name, condition)
            if condition["ComparisonOperator"] not in _INDEXABLE:
                raise ValidationException("Attempted conditional constraint is not an indexable operation")
            texts.append(text)
        return " AND ".join(texts)

    def _condition(self, name: str, condition: Params) -> str:
        operator: str = condition["ComparisonOperator"]
        values: list[Value] = condition.get("AttributeValueList", [])
        _check_operands(operator, values)
        path = self._name(name)
        operands = [self._value(value) for value in values]
        if operator in _COMPARATORS:
            return f"{path} {_COMPARATORS[operator]} {operands[0]}"
        match operator:
            case "NULL":
                return f"attribute_not_exists({path})"
            case "NOT_NULL":
                return f"attribute_exists({path})"
            case "BETWEEN":
                return f"{path} BETWEEN {operands[0]} AND {operands[1]}"
            case "IN":
                return f"{path} IN ({','.join(operands)})"
            case "BEGINS_WITH":
                return f"begins_with({path},{operands[0]})"
            case "CONTAINS":
                return f"contains({path},{operands[0]})"
            case _:
                return f"NOT contains({path},{operands[0]})"

    def projection(self, names: list[str]) -> str:
        """Rewrite AttributesToGet: whole attributes, whatever characters are in their names."""
        for name in names:
            if names.count(name) > 1:
                raise ValidationException(INVALID + f"Duplicate value in attribute name: {name}")
        return ",".join(self._name(name) for name in names)

    def update(self, updates: Mapping[str, Params]) -> str:
        """Rewrite AttributeUpdates."""
        clauses: dict[str, list[str]] = {}
        for name, update in updates.items():
            action, value = update.get("Action", "PUT"), update.get("Value")
            if value is None:
                if action != "DELETE":
                    raise ValidationException(
                        INVALID + "Only DELETE action is allowed when no attribute value is specified"
                    )
                clauses.setdefault("REMOVE", []).append(self._name(name))
                continue
            tag = type_of(_checked(value))
            path, operand = self._name(name), self._value(value)
            if action == "PUT":
                clauses.setdefault("SET", []).append(f"{path}={operand}")
            elif action == "DELETE":
                if tag not in SET_TYPES:
                    raise ValidationException(INVALID + f"DELETE action with value is not supported for the type {tag}")
                clauses.setdefault("DELETE", []).append(f"{path} {operand}")
            elif tag == "L":
                nothing = self._value({"L": []})
                clauses.setdefault("SET", []).append(f"{path}=list_append(if_not_exists({path},{nothing}),{operand})")
            elif tag == "N" or tag in SET_TYPES:
                clauses.setdefault("ADD", []).append(f"{path} {operand}")
            else:
                raise ValidationException(INVALID + f"ADD action is not supported for the type {tag}")
        return " ".join(f"{clause} {','.join(actions)}" for clause, actions in clauses.items())


def _checked(value: Value) -> Value:
    try:
        measure(value)
    except ItemValueError as error:
        raise ValidationException(str(error)) from error
    return value


def _expected(name: str, expected: Params) -> Params:
    """Give an element of Expected as a condition. Raises: ValidationException."""
    exists, value = expected.get("Exists"), expected.get("Value")
    operator, values = expected.get("ComparisonOperator"), expected.get("AttributeValueList")
    of = f" for Attribute: {name}"
    if operator is not None:
        if exists is not None:
            raise ValidationException(INVALID + "Exists and ComparisonOperator cannot be used together" + of)
        if value is not None and values is not None:
            raise ValidationException(INVALID + "Value and AttributeValueList cannot be used together" + of)
        if value is None and values is None and _COUNTS.get(operator) != 0:
            raise ValidationException(
                INVALID + f"Value or AttributeValueList must be used with ComparisonOperator: {operator}{of}"
            )
        operands = [value] if value is not None else values or []
        return {"ComparisonOperator": operator, "AttributeValueList": operands}
    if values is not None:
        raise ValidationException(INVALID + "AttributeValueList can only be used with a ComparisonOperator" + of)
    if exists is False:
        if value is not None:
            raise ValidationException(INVALID + "Value cannot be used when Exists is set to false" + of)
        return {"ComparisonOperator": "NULL"}
    if value is None:
        said = "true" if exists else "null"
        raise ValidationException(INVALID + f"Value must be provided when Exists is {said}{of}")
    return {"ComparisonOperator": "EQ", "AttributeValueList": [value]}


def _check_operands(operator: str, values: list[Value]) -> None:
    count = _COUNTS.get(operator, 1)
    if len(values) != count and not (operator == "IN" and values):
        raise ValidationException(INVALID + f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    tags = [type_of(_checked(value)) for value in values]
    allowed = _TYPES.get(operator)
    for tag in tags:
        if allowed is not None and tag not in allowed:
            raise ValidationException(
                INVALID + f"ComparisonOperator {operator} is not valid for {tag} AttributeValue type"
            )
    if len(set(tags)) > 1:
        raise ValidationException(INVALID + "AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and (compare(values[0], values[1]) or 0) > 0:
        raise ValidationException(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )
