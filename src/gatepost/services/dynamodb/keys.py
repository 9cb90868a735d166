"""Items and keys held against a table's schema: the checks come in AWS's words, the answer is the key's bytes.

Source of the limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.kernel.errors import ValidationException
from gatepost.languages.item_values import Item, ItemValueError, Value, binary_of, measure, text_bytes, type_of
from gatepost.services.dynamodb.model import ItemRejected, Table
from gatepost.storage.items_keys import (
    PARTITION_KEY_BYTES_MAX,
    SORT_KEY_BYTES_MAX,
    KeyAttribute,
    KeySchema,
    index_key,
    table_key,
)

MISMATCH: Final = "The provided key element does not match the schema"
_INVALID: Final = "One or more parameter values were invalid: "
_NOT_VALID: Final = "One or more parameter values are not valid. "


def key_bytes(table: Table, key: Item) -> bytes:
    """Check a Key parameter, make it canonical and give its bytes. Raises: ItemRejected."""
    keys = table.items.keys
    partition, sort = keys.partition, keys.sort
    if len(key) != (1 if sort is None else 2):
        raise _odd_key(key)
    _check_key_value(partition, key.get(partition.name), key, PARTITION_KEY_BYTES_MAX)
    if sort is not None:
        _check_key_value(sort, key.get(sort.name), key, SORT_KEY_BYTES_MAX)
    return table_key(keys, key)


def _odd_key(key: Item) -> ItemRejected:
    for value in key.values():
        try:
            measure(value)
        except ItemValueError as error:
            return ItemRejected(str(error))
    return ItemRejected("The number of conditions on the keys is invalid")


def _check_key_value(attribute: KeyAttribute, value: Value | None, key: Item, bytes_max: int) -> None:
    if value is None:
        raise _odd_or_mismatch(key)
    try:
        size = measure(value)
    except ItemValueError as error:
        raise ItemRejected(str(error)) from error
    if attribute.type not in value:
        raise ItemRejected(MISMATCH)
    if not size:
        raise _empty(attribute, value)
    if size > bytes_max:
        raise _too_long(bytes_max)


def _odd_or_mismatch(key: Item) -> ItemRejected:
    odd = _odd_key(key)
    return ItemRejected(MISMATCH) if odd.message.startswith("The number of conditions") else odd


def _empty(attribute: KeyAttribute, value: Value) -> ItemRejected:
    noun = "string" if type_of(value) == "S" else "binary"
    return ItemRejected(
        f"{_NOT_VALID}The AttributeValue for a key attribute cannot contain an empty {noun} value. "
        f"Key: {attribute.name}"
    )


def _too_long(bytes_max: int) -> ItemRejected:
    if bytes_max == PARTITION_KEY_BYTES_MAX:
        return ItemRejected(f"{_INVALID}Size of hashkey has exceeded the maximum size limit of{bytes_max} bytes")
    return ItemRejected(f"{_INVALID}Aggregated size of all range keys has exceeded the size limit of {bytes_max} bytes")


def item_key_bytes(table: Table, item: Item) -> bytes:
    """Check the key attributes of a canonical item and give the key's bytes. Raises: ItemRejected."""
    keys = table.items.keys
    for attribute, bytes_max in _limits(keys):
        value = item.get(attribute.name)
        if value is None:
            raise ItemRejected(f"{_INVALID}Missing the key {attribute.name} in the item")
        if attribute.type not in value:
            raise ItemRejected(
                f"{_INVALID}Type mismatch for key {attribute.name} expected: {attribute.type} actual: {type_of(value)}"
            )
        size = _key_size(attribute.type, value[attribute.type])
        if not size:
            raise _empty(attribute, value)
        if size > bytes_max:
            raise _too_long(bytes_max)
    return table_key(keys, item)


def check_index_keys(table: Table, item: Item) -> None:
    """Check those attributes of a canonical item that are keys of an index. Raises: ItemRejected."""
    for index in table.items.indexes:
        for attribute, bytes_max in _limits(index.keys):
            value = item.get(attribute.name)
            if value is None:
                continue
            if attribute.type not in value:
                raise ItemRejected(
                    f"{_INVALID}Type mismatch for Index Key {attribute.name} Expected: {attribute.type} "
                    f"Actual: {type_of(value)} IndexName: {index.name}"
                )
            size = _key_size(attribute.type, value[attribute.type])
            if not size:
                noun = "string" if attribute.type == "S" else "binary"
                raise ItemRejected(
                    f"{_NOT_VALID}A value specified for a secondary index key is not supported. The AttributeValue for "
                    f"a key attribute cannot contain an empty {noun} value. IndexName: {index.name}, "
                    f"IndexKey: {attribute.name}"
                )
            if size > bytes_max:
                raise _too_long(bytes_max)


def _limits(keys: KeySchema) -> tuple[tuple[KeyAttribute, int], ...]:
    if keys.sort is None:
        return ((keys.partition, PARTITION_KEY_BYTES_MAX),)
    return ((keys.partition, PARTITION_KEY_BYTES_MAX), (keys.sort, SORT_KEY_BYTES_MAX))


def _key_size(kind: str, content: str) -> int:
    if kind == "S":
        return text_bytes(content)
    return 1 if kind == "N" else len(binary_of(content))


def start_key_bytes(table: Table, keys: KeySchema, start: Item, *, in_index: bool) -> bytes:
    """Check an ExclusiveStartKey and give the bytes of the row that it names. Raises: ValidationException."""
    names = {*table.items.keys.names, *keys.names}
    types: Mapping[str, str] = {
        attribute.name: attribute.type
        for schema in (table.items.keys, keys)
        for attribute in (schema.partition, schema.sort)
        if attribute is not None
    }
    try:
        for value in start.values():
            measure(value)
    except ItemValueError as error:
        raise ValidationException(f"The provided starting key is invalid: {error}") from error
    if set(start) != names or any(types[name] not in value for name, value in start.items()):
        raise ValidationException(f"The provided starting key is invalid: {MISMATCH}")
    for schema in (table.items.keys, keys):
        for attribute, bytes_max in _limits(schema):
            if not 0 < _key_size(attribute.type, start[attribute.name][attribute.type]) <= bytes_max:
                raise ValidationException(f"The provided starting key is invalid: {MISMATCH}")
    base = table_key(table.items.keys, start)
    key = index_key(keys, start, base) if in_index else base
    if key is None:
        raise ValidationException(f"The provided starting key is invalid: {MISMATCH}")
    return key


def pick_keys(item: Item, *schemas: KeySchema) -> Item:
    """Give an item's key attributes, for LastEvaluatedKey."""
    return {name: item[name] for schema in schemas for name in schema.names}
