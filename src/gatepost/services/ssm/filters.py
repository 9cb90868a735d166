"""Which parameters DescribeParameters and GetParametersByPath are about.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gatepost.services.ssm.errors import InvalidFilterKey, InvalidFilterOption, InvalidFilterValue
from gatepost.services.ssm.model import TYPES, Parameter
from gatepost.services.ssm.names import check_path

Texts = Callable[[Parameter], Sequence[str]]

_TEXTS: Final[Mapping[str, Texts]] = {
    "Name": lambda one: [one.name],
    "Type": lambda one: [one.type],
    "KeyId": lambda one: [one.current.key_id] if one.current.key_id else [],
    "Tier": lambda one: [one.current.tier],
    "DataType": lambda one: [one.current.data_type],
    "Label": lambda one: [label for version in one.versions for label in version.labels],
}
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Name": ("BeginsWith", "Contains", "Equals"),
    "Path": ("Recursive", "OneLevel"),
}
_USUAL: Final = ("BeginsWith", "Equals")
BY_PATH: Final = ("Type", "KeyId", "Label")
DESCRIBED: Final = ("Path", "Name", "Type", "KeyId", "Tier", "DataType")
_TAG: Final = "tag:"


def check_filters(filters: Sequence[Mapping[str, Any]], allowed: tuple[str, ...]) -> None:
    """Refuse filters that there are not.

    Raises: InvalidFilterKey, InvalidFilterOption, InvalidFilterValue, ValidationException (no path).
    """
    seen: set[str] = set()
    for one in filters:
        key = one["Key"]
        if key not in allowed and not (key.startswith(_TAG) and "Name" in allowed):
            raise InvalidFilterKey(
                f"The following filter key is not valid: {key}. Valid filter keys include: [{', '.join(allowed)}]."
            )
        if key in seen:
            raise InvalidFilterKey(
                f"The following filter is duplicated in the request: {key}. A request can contain only one occurrence "
                "of a specific filter."
            )
        seen.add(key)
        _check_values(key, one.get("Option"), one.get("Values"))


def _check_values(key: str, option: str | None, values: Sequence[str] | None) -> None:
    if not values and not key.startswith(_TAG):
        raise InvalidFilterValue(f"The following filter values are missing : null for filter key {key}.")
    options = _OPTIONS.get(key, _USUAL)
    if option is not None and option not in options:
        raise InvalidFilterOption(
            f"The following filter option is not valid: {option}. Valid options include: [{', '.join(options)}]."
        )
    for value in values or ():
        if key == "Path":
            check_path(value)
        elif key == "Type" and option in (None, "Equals") and value not in TYPES:
            raise InvalidFilterValue(
                f"The following filter value is not valid: {value}. Valid values include: [{', '.join(TYPES)}]."
            )


def matching(parameter: Parameter, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a parameter passes every filter by one of its values."""
    return all(_passes(parameter, one) for one in filters)


def _passes(parameter: Parameter, one: Mapping[str, Any]) -> bool:
    key, values = one["Key"], one.get("Values", ())
    if key == "Path":
        is_recursive = one.get("Option", "OneLevel") == "Recursive"
        return any(is_below(parameter.name, value, is_recursive=is_recursive) for value in values)
    if key.startswith(_TAG):
        tag = parameter.tags.get(key[len(_TAG) :])
        return tag is not None and (not values or tag in values)
    option = one.get("Option", "Equals")
    return any(_fits(text, value, option) for text in _TEXTS[key](parameter) for value in values)


def _fits(text: str, value: str, option: str) -> bool:
    if option == "BeginsWith":
        return text.startswith(value)
    return value in text if option == "Contains" else text == value


def is_below(name: str, path: str, *, is_recursive: bool) -> bool:
    """Say whether a name lies below a path, one level deep or however deep; one without a slash lies below the root."""
    name = name if name.startswith("/") else f"/{name}"
    prefix = path if path.endswith("/") else f"{path}/"
    return name.startswith(prefix) and (is_recursive or "/" not in name[len(prefix) :])
