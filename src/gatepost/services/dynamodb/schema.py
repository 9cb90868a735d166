"""CreateTable's and UpdateTable's parameters, checked and turned into a definition.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html and the developer
guide's page of quotas. What Gatepost does not do yet is refused here, by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.kernel.errors import ValidationException
from gatepost.kernel.ids import stable_id
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.model import (
    PAY_PER_REQUEST,
    PROVISIONED,
    IndexDefinition,
    TableDefinition,
    Throughput,
)
from gatepost.storage.items_keys import KeyAttribute, KeySchema

INVALID: Final = "One or more parameter values were invalid: "
LOCAL_INDEXES_MAX: Final = 5
GLOBAL_INDEXES_MAX: Final = 20
PROJECTED_ATTRIBUTES_MAX: Final = 100
REFUSED_CREATE: Final = {
    "WarmThroughput": "warm throughput",
    "GlobalTableSourceArn": "global tables",
    "GlobalTableSettingsReplicationMode": "global tables",
    "VectorIndexes": "vector indexes",
}
REFUSED_UPDATE: Final = {
    "ReplicaUpdates": "global tables",
    "MultiRegionConsistency": "global tables",
    "GlobalTableWitnessUpdates": "global tables",
    "GlobalTableSettingsReplicationMode": "global tables",
    "WarmThroughput": "warm throughput",
    "DisassociationProtectionEnabled": "disassociation protection",
    "VectorIndexUpdates": "vector indexes",
}
_HEXADECIMAL: Final = "0123456789abcdef"


def refuse(params: Mapping[str, Any], refused: Mapping[str, str]) -> None:
    """Refuse the parameters that Gatepost does not do. Raises: ValidationException."""
    for parameter, noun in refused.items():
        if parameter in params:
            raise ValidationException(f"{parameter}: Gatepost does not have {noun} yet. Leave it out")


def key_arn_of(call: Call, specification: Mapping[str, Any]) -> str:
    """Give the ARN of the key that an SSESpecification names; empty: AWS's own, which nobody sees.

    The key is recorded and described. There is no KMS, so a table's files are as they are without it.

    Raises: ValidationException (its words are unverified).
    """
    key = specification.get("KMSMasterKeyId", "")
    if specification.get("SSEType") == "AES256":
        raise ValidationException(INVALID + "SSEType AES256 is not supported")
    if not specification.get("Enabled"):
        if key or "SSEType" in specification:
            raise ValidationException(INVALID + "SSEType and KMSMasterKeyId can only be given when SSE is enabled")
        return ""
    key = key or "alias/aws/dynamodb"
    if key.startswith("arn:"):
        return str(key)
    return call.arn(key if key.startswith("alias/") else f"key/{key}", service="kms")


def definition_of(call: Call, name: str, params: Mapping[str, Any]) -> TableDefinition:
    """Read CreateTable's parameters. Raises: ValidationException."""
    refuse(params, REFUSED_CREATE)
    types = attribute_types(params.get("AttributeDefinitions", ()))
    if "KeySchema" not in params:
        raise ValidationException(INVALID + "KeySchema must be specified")
    keys = key_schema(params["KeySchema"], types)
    billing_mode = params.get("BillingMode", PROVISIONED)
    throughput = throughput_of(params, billing_mode, "table")
    indexes = _indexes(params, keys, types, billing_mode)
    unused_attributes(types, keys, indexes)
    definition = TableDefinition(
        account_id=call.account_id,
        region=call.region,
        name=name,
        table_id=table_uuid(call.account_id, call.region, name),
        attribute_types=tuple(types.items()),
        keys=keys,
        billing_mode=billing_mode,
        created_at_ms=call.now_ms,
        indexes=tuple(indexes),
        throughput=throughput,
        deletion_protection_enabled=params.get("DeletionProtectionEnabled", False),
        table_class=params.get("TableClass", ""),
        key_arn=key_arn_of(call, params.get("SSESpecification", {})),
        tags=tuple((tag["Key"], tag["Value"]) for tag in params.get("Tags", ())),
        next_index_id=len(indexes) + 1,
        billing_mode_set_at_ms=call.now_ms if billing_mode == PAY_PER_REQUEST else 0,
    )
    specification = params.get("StreamSpecification")
    return definition if specification is None else streamed(call, definition, specification)


def streamed(call: Call, definition: TableDefinition, specification: Mapping[str, Any]) -> TableDefinition:
    """Read a StreamSpecification. A stream is named by when it was enabled. Raises: ValidationException."""
    view = specification.get("StreamViewType", "")
    if not specification["StreamEnabled"]:
        if view:
            raise ValidationException(INVALID + "StreamViewType can only be specified when StreamEnabled is true")
        return replace(definition, stream_view="")
    if not view:
        raise ValidationException(INVALID + "StreamViewType is required when StreamEnabled is true")
    if definition.stream_view:
        raise ValidationException(f"Table already has an enabled stream: TableName: {definition.name}")
    return replace(
        definition,
        stream_number=definition.stream_number + 1,
        stream_label=iso_8601(call.now_ms).removesuffix("Z"),
        stream_view=view,
    )


def table_uuid(account_id: str, region: str, name: str) -> str:
    """Give the table's id: the same name gives the same id, on every machine."""
    text = stable_id("dynamodb", account_id, region, name, length=32, alphabet=_HEXADECIMAL)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def attribute_types(definitions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Read AttributeDefinitions. Raises: ValidationException."""
    types: dict[str, str] = {}
    for definition in definitions:
        name, kind = definition["AttributeName"], definition["AttributeType"]
        if types.setdefault(name, kind) != kind:
            raise ValidationException(INVALID + f"Cannot redefine attribute: {name}")
    return types


def key_schema(elements: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> KeySchema:
    """Read a KeySchema. Raises: ValidationException."""
    if elements[0]["KeyType"] != "HASH":
        raise ValidationException("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(elements) > 2:
        raise ValidationException(
            f"{len(elements)} KeySchema elements: Gatepost has one HASH and at most one RANGE attribute in a key"
        )
    if len(elements) == 2:
        if elements[1]["KeyType"] != "RANGE":
            raise ValidationException("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
        if elements[0]["AttributeName"] == elements[1]["AttributeName"]:
            raise ValidationException("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    names = [element["AttributeName"] for element in elements]
    missing = [name for name in names if name not in types]
    if missing:
        raise ValidationException(
            INVALID + "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(types)}]"
        )
    attributes = [KeyAttribute(name, types[name]) for name in names]
    return KeySchema(attributes[0], attributes[1] if len(attributes) == 2 else None)


def throughput_of(
    params: Mapping[str, Any], billing_mode: str, of: str, before: Throughput | None = None
) -> Throughput:
    """Read ProvisionedThroughput, or OnDemandThroughput, against the billing mode. Raises: ValidationException.

    Of the maximum what is not given stays as it was `before`; -1 takes it away.
    """
    given = params.get("ProvisionedThroughput")
    maximum: Mapping[str, int] = params.get("OnDemandThroughput", {})
    if billing_mode == PAY_PER_REQUEST:
        if given is not None and (given["ReadCapacityUnits"], given["WriteCapacityUnits"]) != (0, 0):
            raise ValidationException(
                INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                "PAY_PER_REQUEST"
            )
        reads, writes = (0, 0) if before is None else (before.read_max, before.write_max)
        return Throughput(
            read_max=_maximum(maximum.get("MaxReadRequestUnits", reads or -1)),
            write_max=_maximum(maximum.get("MaxWriteRequestUnits", writes or -1)),
        )
    if maximum:
        raise ValidationException(
            INVALID + "OnDemandThroughput can only be specified when BillingMode is PAY_PER_REQUEST"
        )
    if given is None:
        where = "" if of == "table" else f" for index: {of}"
        raise ValidationException(
            INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            f"PROVISIONED{where}"
        )
    return Throughput(given["ReadCapacityUnits"], given["WriteCapacityUnits"])


def _maximum(units: int) -> int:
    if units == -1:
        return 0
    if units < 1:
        raise ValidationException(INVALID + f"Maximum request units must be -1 or greater than 0: {units}")
    return units


def _indexes(
    params: Mapping[str, Any], keys: KeySchema, types: Mapping[str, str], billing_mode: str
) -> list[IndexDefinition]:
    local, global_ = params.get("LocalSecondaryIndexes"), params.get("GlobalSecondaryIndexes")
    for given, name in ((local, "LocalSecondaryIndexes"), (global_, "GlobalSecondaryIndexes")):
        if given is not None and not given:
            raise ValidationException(INVALID + f"List of {name} is empty")
    if local and keys.sort is None:
        raise ValidationException(
            INVALID
            + "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    for given, most, kind in ((local, LOCAL_INDEXES_MAX, "Local"), (global_, GLOBAL_INDEXES_MAX, "Global")):
        if given and len(given) > most:
            raise ValidationException(INVALID + f"Number of {kind}SecondaryIndexes exceeds per-table limit of {most}")
    indexes: list[IndexDefinition] = []
    for given in local or ():
        index = index_definition(len(indexes) + 1, given, types, Throughput(), is_local=True)
        if index.keys.partition != keys.partition:
            raise ValidationException(
                INVALID + f"Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{index.name}. index hash key: {index.keys.partition.name}, table hash key: {keys.partition.name}"
            )
        if index.keys.sort is None:
            raise ValidationException(INVALID + f"Index KeySchema does not have a range key for index: {index.name}")
        indexes.append(index)
    for given in global_ or ():
        throughput = throughput_of(given, billing_mode, given["IndexName"])
        indexes.append(index_definition(len(indexes) + 1, given, types, throughput, is_local=False))
    names = [index.name for index in indexes]
    for name in names:
        if names.count(name) > 1:
            raise ValidationException(INVALID + f"Duplicate index name: {name}")
    projected = sum(len(index.non_key_attributes) for index in indexes)
    if projected > PROJECTED_ATTRIBUTES_MAX:
        raise ValidationException(
            INVALID + f"Number of projected attributes {projected} exceeds the limit of {PROJECTED_ATTRIBUTES_MAX}"
        )
    return indexes


def index_definition(
    index_id: int, given: Mapping[str, Any], types: Mapping[str, str], throughput: Throughput, *, is_local: bool
) -> IndexDefinition:
    """Read one secondary index. Raises: ValidationException."""
    refuse(given, {"WarmThroughput": "warm throughput"})
    keys = key_schema(given["KeySchema"], types)
    projection = given.get("Projection", {})
    projection_type = projection.get("ProjectionType")
    if projection_type is None:
        raise ValidationException(INVALID + f"Unknown ProjectionType: null for index: {given['IndexName']}")
    attributes = projection.get("NonKeyAttributes")
    if projection_type == "INCLUDE" and not attributes:
        raise ValidationException(INVALID + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if projection_type != "INCLUDE" and attributes is not None:
        raise ValidationException(INVALID + f"ProjectionType is {projection_type}, but NonKeyAttributes is specified")
    return IndexDefinition(
        index_id, given["IndexName"], keys, is_local, projection_type, tuple(attributes or ()), throughput
    )


def unused_attributes(types: Mapping[str, str], keys: KeySchema, indexes: Sequence[IndexDefinition]) -> None:
    """Refuse attribute definitions that no key uses. Raises: ValidationException."""
    used = {*keys.names}.union(*(index.keys.names for index in indexes))
    if used != set(types):
        raise ValidationException(
            INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
