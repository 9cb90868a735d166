"""The #names and :values of a request: checked, measured, and each used by some expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from gatepost.kernel.errors import ValidationException
from gatepost.languages.item_expressions import Used
from gatepost.languages.item_expressions_paths import Values
from gatepost.languages.item_expressions_tree import ExpressionError
from gatepost.languages.item_values import ItemValueError, measure

VALUES_BYTES_MAX: Final = 2 * 1024 * 1024
_NAME_KEY: Final = re.compile(r"#[A-Za-z0-9_]+")
_VALUE_KEY: Final = re.compile(r":[A-Za-z0-9_]+")
_EMPTY: Final[Mapping[str, Any]] = {}

Result = TypeVar("Result")


class Placeholders:
    """What a request's expressions may refer to. Building one checks that. Raises: ValidationException."""

    __slots__ = ("names", "values")

    def __init__(self, params: Mapping[str, Any], expressions: tuple[str, ...]) -> None:
        """`expressions` are the names of the expression parameters that this operation takes."""
        self.names: Mapping[str, str] = _EMPTY
        self.values: Values = _EMPTY
        names, values = params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
        if names is None and values is None:
            return
        given = [expression for expression in expressions if expression in params]
        if names is not None:
            if not given:
                raise ValidationException("ExpressionAttributeNames can only be specified when using expressions")
            self.names = _names(names)
        if values is not None:
            with_values = [expression for expression in expressions if expression != "ProjectionExpression"]
            if not any(expression in params for expression in with_values):
                verb = "is" if len(with_values) == 1 else "are"
                raise ValidationException(
                    "ExpressionAttributeValues can only be specified when using expressions: "
                    f"{' and '.join(with_values)} {verb} null"
                )
            self.values = _values(values)

    def check_used(self, used: Iterable[Used]) -> None:
        """Refuse names and values that no expression uses. Raises: ValidationException."""
        if not self.names and not self.values:
            return
        all_used = list(used)
        for given, member in ((self.names, "names"), (self.values, "values")):
            unused = set(given).difference(*(getattr(one, member) for one in all_used))
            if unused:
                raise ValidationException(
                    f"Value provided in ExpressionAttribute{member.capitalize()} unused in expressions: "
                    f"keys: {{{', '.join(sorted(unused))}}}"
                )


def _names(names: Mapping[str, str]) -> Mapping[str, str]:
    if not names:
        raise ValidationException("ExpressionAttributeNames must not be empty")
    for key, name in names.items():
        if _NAME_KEY.fullmatch(key) is None:
            raise ValidationException(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{key}"')
        if not name:
            raise ValidationException(
                f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}"
            )
    return names


def _values(values: Values) -> Values:
    if not values:
        raise ValidationException("ExpressionAttributeValues must not be empty")
    total = 0
    for key, value in values.items():
        if _VALUE_KEY.fullmatch(key) is None:
            raise ValidationException(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{key}"')
        try:
            total += measure(value)
        except ItemValueError as error:
            raise ValidationException(
                f"ExpressionAttributeValues contains invalid value: {error} for key {key}"
            ) from error
    if total > VALUES_BYTES_MAX:
        raise ValidationException(
            f"ExpressionAttributeValues exceeds max size; size: {total}, max size: {VALUES_BYTES_MAX}"
        )
    return values


def invalid(error: ItemValueError | ExpressionError) -> ValidationException:
    """Say to the caller what is wrong with a value or an expression."""
    return ValidationException(str(error))
