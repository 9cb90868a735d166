"""DynamoDB's attribute values in their wire form, `{"S": "text"}`: checked, made canonical, measured, compared.

Values stay in wire form from request to disk to answer, because converting them would cost more than
everything else that happens to them. `measure` makes a value canonical in place: numbers in their one text,
sets sorted, base64 re-encoded. From then on `==` of two values is DynamoDB's equality.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from gatepost.languages.item_numbers import NumberError, canonical_number, decimal_of, number_bytes

Value = dict[str, Any]
Item = dict[str, Value]

DEPTH_MAX: Final = 32
TYPES: Final = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})
ORDERED_TYPES: Final = frozenset({"S", "N", "B"})
SET_TYPES: Final = frozenset({"SS", "NS", "BS"})

EMPTY_VALUE: Final = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
MANY_VALUES: Final = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)
INVALID: Final = "One or more parameter values were invalid: "
TOO_DEEP: Final = "Nesting Levels have exceeded supported limits: Attributes nested deeper than 32 levels"


class ItemValueError(ValueError):
    """A value breaks DynamoDB's rules. The text is AWS's."""


def type_of(value: Value) -> str:
    """Give the type tag of a checked value: S, N, B, SS, NS, BS, M, L, NULL or BOOL."""
    for tag in value:
        return tag
    raise ItemValueError(EMPTY_VALUE)


def text_bytes(text: str) -> int:
    """Give the length of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def binary_of(text: str) -> bytes:
    """Give the bytes of canonical base64 text."""
    return binascii.a2b_base64(text)


def measure(value: Value, depth: int = 0) -> int:
    """Check a value, make it canonical in place, and give its size in bytes as DynamoDB counts it.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    Raises: ItemValueError.
    """
    if len(value) != 1:
        raise ItemValueError(MANY_VALUES if value else EMPTY_VALUE)
    for tag, content in value.items():
        if tag == "S" and type(content) is str:
            return len(content) if content.isascii() else len(content.encode())
        if tag == "N" and type(content) is str:
            try:
                value["N"] = number = canonical_number(content)
            except NumberError as error:
                raise ItemValueError(str(error)) from error
            return number_bytes(number)
        measurer = _MEASURERS.get(tag)
        if measurer is None:
            raise ItemValueError(EMPTY_VALUE)
        return measurer(value, content, depth)
    raise ItemValueError(EMPTY_VALUE)


def measure_item(item: Item) -> int:
    """Check an item's attributes, make them canonical in place, and give the item's size in bytes.

    Raises: ItemValueError.
    """
    return _measure_members(item, 0)


def _measure_members(members: Item, depth: int) -> int:
    """Measure names and values. Most values are texts, so these are not handed on."""
    size = 0
    for name, value in members.items():
        size += len(name) if name.isascii() else len(name.encode())
        if len(value) == 1 and type(text := value.get("S")) is str:
            size += len(text) if text.isascii() else len(text.encode())
        else:
            size += measure(value, depth)
    return size


def item_bytes(item: Item) -> int:
    """Give the size in bytes of an item that is canonical already."""
    return sum(text_bytes(name) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Value) -> int:
    """Give the size in bytes of a canonical value."""
    for tag, content in value.items():
        if tag == "S":
            return text_bytes(content)
        if tag == "N":
            return number_bytes(content)
        if tag == "M":
            return 3 + sum(text_bytes(name) + value_bytes(element) + 1 for name, element in content.items())
        if tag == "L":
            return 3 + sum(value_bytes(element) + 1 for element in content)
        if tag == "B":
            return _binary_bytes(content)
        if tag == "SS":
            return sum(map(text_bytes, content))
        if tag == "NS":
            return sum(map(number_bytes, content))
        if tag == "BS":
            return sum(map(_binary_bytes, content))
    return 1


def compare(left: Value, right: Value) -> int | None:
    """Order two canonical values of one ordered type: negative, 0 or positive; None when they have no order."""
    tag = type_of(left)
    if tag not in ORDERED_TYPES or tag not in right:
        return None
    a: Any = left[tag]
    b: Any = right[tag]
    if a == b:
        return 0
    if tag == "N":
        a, b = decimal_of(a), decimal_of(b)
    elif tag == "B":
        a, b = binary_of(a), binary_of(b)
    return -1 if a < b else 1


def native_item(item: Item) -> dict[str, Any]:
    """Copy an item with its binaries as bytes, as boto3 would show it."""
    return {name: _native(value) for name, value in item.items()}


def _native(value: Value) -> Value:
    tag = type_of(value)
    content = value[tag]
    if tag == "B":
        return {tag: binary_of(content)}
    if tag == "BS":
        return {tag: [binary_of(element) for element in content]}
    if tag == "M":
        return {tag: native_item(content)}
    if tag == "L":
        return {tag: [_native(element) for element in content]}
    return value


def wire_item(item: Item) -> Item:
    """Copy an item whose binaries are bytes back into its wire form."""
    return {name: _wire(value) for name, value in item.items()}


def _wire(value: Value) -> Value:
    tag = type_of(value)
    content = value[tag]
    if tag == "B":
        return {tag: base64.b64encode(content).decode()}
    if tag == "BS":
        return {tag: [base64.b64encode(element).decode() for element in content]}
    if tag == "M":
        return {tag: wire_item(content)}
    if tag == "L":
        return {tag: [_wire(element) for element in content]}
    return value


def sort_set(tag: str, elements: list[str]) -> list[str]:
    """Put a set's elements in their canonical order."""
    return sorted(elements, key=_SET_ORDERS[tag])


def _number(text: str) -> str:
    try:
        return canonical_number(text)
    except NumberError as error:
        raise ItemValueError(str(error)) from error


def _canonical_base64(text: object) -> str:
    if not isinstance(text, str):
        raise ItemValueError(EMPTY_VALUE)
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError) as error:
        raise ItemValueError("One or more parameter values were invalid: A binary value is not valid base64") from error


def _binary_bytes(text: str) -> int:
    return len(text) // 4 * 3 - text.endswith("=") - text.endswith("==")


def _measure_binary(value: Value, content: object, _depth: int) -> int:
    value["B"] = text = _canonical_base64(content)
    return _binary_bytes(text)


def _measure_bool(_value: Value, content: object, _depth: int) -> int:
    if not isinstance(content, bool):
        raise ItemValueError(EMPTY_VALUE)
    return 1


def _measure_null(_value: Value, content: object, _depth: int) -> int:
    if content is not True:
        raise ItemValueError(INVALID + "Null attribute value types must have the value of true")
    return 1


def _measure_map(_value: Value, content: object, depth: int) -> int:
    if not isinstance(content, dict):
        raise ItemValueError(EMPTY_VALUE)
    if depth + 1 >= DEPTH_MAX:
        raise ItemValueError(TOO_DEEP)
    return 3 + len(content) + _measure_members(content, depth + 1)


def _measure_list(_value: Value, content: object, depth: int) -> int:
    if not isinstance(content, list):
        raise ItemValueError(EMPTY_VALUE)
    if depth + 1 >= DEPTH_MAX:
        raise ItemValueError(TOO_DEEP)
    return 3 + sum(measure(element, depth + 1) + 1 for element in content)


def _measure_set(
    tag: str, empty: str, canonical: Callable[[Any], str], size: Callable[[str], int]
) -> Callable[[Value, Any, int], int]:
    def measure_set(value: Value, content: Any, _depth: int) -> int:
        if not isinstance(content, list):
            raise ItemValueError(EMPTY_VALUE)
        if not content:
            raise ItemValueError(INVALID + empty)
        elements = [canonical(element) for element in content]
        if len(set(elements)) != len(elements):
            raise ItemValueError(f"{INVALID}Input collection [{', '.join(elements)}] contains duplicates.")
        value[tag] = elements if len(elements) == 1 else sort_set(tag, elements)
        return sum(map(size, elements))

    return measure_set


def _text(element: object) -> str:
    if not isinstance(element, str):
        raise ItemValueError(EMPTY_VALUE)
    return element


def _number_text(element: object) -> str:
    return _number(_text(element))


def _itself(text: str) -> str:
    return text


def _decimal(text: str) -> Decimal:
    return decimal_of(text)


_SET_ORDERS: Final[dict[str, Callable[[str], Any]]] = {"SS": _itself, "NS": _decimal, "BS": binary_of}

_MEASURERS: Final[dict[str, Callable[[Value, Any, int], int]]] = {
    "S": lambda _value, content, _depth: text_bytes(_text(content)),
    "N": lambda _value, content, _depth: number_bytes(_number_text(content)),
    "B": _measure_binary,
    "BOOL": _measure_bool,
    "NULL": _measure_null,
    "M": _measure_map,
    "L": _measure_list,
    "SS": _measure_set("SS", "An string set  may not be empty", _text, text_bytes),
    "NS": _measure_set("NS", "An number set  may not be empty", _number_text, number_bytes),
    "BS": _measure_set("BS", "Binary sets should not be empty", _canonical_base64, _binary_bytes),
}
