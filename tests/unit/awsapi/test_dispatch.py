"""Calls from within are checked and authorized like any other, and speak native values."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.awsapi.dispatch import Dispatcher, as_service_error
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import (
    AccessDeniedException,
    ServiceError,
    ServiceUnavailable,
    StoreFull,
    StoreUnavailable,
    UnsupportedOperation,
    ValidationException,
)
from tests.support.toys import ACCOUNT, ADMINISTRATOR, STRANGER, StrangersMayNothing, a_provider


def a_dispatcher(*providers: Any) -> Dispatcher:
    return Dispatcher(
        providers, authorization=StrangersMayNothing(), clock=FixedClock(), account_id=ACCOUNT, region="us-east-1"
    )


def invoked(dispatcher: Dispatcher, service: str, operation: str, params: Any = None, **options: Any) -> Any:
    principal = options.pop("principal", ADMINISTRATOR)
    return asyncio.run(dispatcher.invoke(principal, service, operation, params or {}, **options))


@pytest.mark.parametrize("wire_json", [False, True])
def test_a_call_from_within_gives_and_gets_native_values(wire_json: bool) -> None:
    got = []

    def get_item(call: Any, params: Any) -> Any:
        got.append(params)
        return {"Item": {"a": {"B": "Ag==" if wire_json else b"\x02"}}, "ConsumedCapacity": None}

    dispatcher = a_dispatcher(a_provider("dynamodb", wire_json=("GetItem",) if wire_json else (), GetItem=get_item))
    result = invoked(dispatcher, "dynamodb", "GetItem", {"TableName": "t", "Key": {"a": {"B": b"\x01"}}})
    assert got == [{"TableName": "t", "Key": {"a": {"B": "AQ==" if wire_json else b"\x01"}}}]
    assert result == {"Item": {"a": {"B": b"\x02"}}}


def test_times_are_milliseconds_from_within() -> None:
    dispatcher = a_dispatcher(
        a_provider("dynamodb", DescribeTable=lambda call, params: {"Table": {"CreationDateTime": call.now_ms}})
    )
    table = invoked(dispatcher, "dynamodb", "DescribeTable", {"TableName": "t"})["Table"]
    assert table == {"CreationDateTime": FixedClock().now_ms()}


def test_a_method_may_be_async_from_within() -> None:
    async def list_tables(call: Any, params: Any) -> Any:
        return {"TableNames": [call.region, *call.called_via]}

    dispatcher = a_dispatcher(a_provider("dynamodb", ListTables=list_tables))
    result = invoked(
        dispatcher, "dynamodb", "ListTables", region="eu-west-1", called_via=("cloudformation.amazonaws.com",)
    )
    assert result == {"TableNames": ["eu-west-1", "cloudformation.amazonaws.com"]}


def test_an_operation_without_output_gives_an_empty_result() -> None:
    dispatcher = a_dispatcher(a_provider("logs", DeleteLogGroup=lambda call, params: None))
    assert invoked(dispatcher, "logs", "DeleteLogGroup", {"logGroupName": "g"}) == {}


@pytest.mark.parametrize(
    "params", [{"Limit": 0}, {"Limit": "1"}, {"limit": 1}, {"ExclusiveStartTableName": "t", "Nonsense": 1}]
)
def test_calls_from_within_are_checked_strictly(params: Any) -> None:
    dispatcher = a_dispatcher(a_provider("dynamodb", ListTables=lambda call, params: {}))
    with pytest.raises(ServiceError):
        invoked(dispatcher, "dynamodb", "ListTables", params)


def test_calls_from_within_are_authorized() -> None:
    dispatcher = a_dispatcher(a_provider("dynamodb", ListTables=lambda call, params: {}))
    with pytest.raises(AccessDeniedException):
        invoked(dispatcher, "dynamodb", "ListTables", principal=STRANGER)


def test_what_we_lack_is_said_so_from_within() -> None:
    dispatcher = a_dispatcher(a_provider("dynamodb", ListTables=lambda call, params: {}))
    for service, operation in (("dynamodb", "DescribeLimits"), ("lambda", "ListFunctions")):
        with pytest.raises(UnsupportedOperation, match=f"Gatepost does not have {service}:{operation}"):
            invoked(dispatcher, service, operation)


def test_a_lost_store_is_said_so_from_within() -> None:
    def list_tables(call: Any, params: Any) -> Any:
        raise StoreUnavailable("disk full")

    with pytest.raises(ServiceUnavailable):
        invoked(a_dispatcher(a_provider("dynamodb", ListTables=list_tables)), "dynamodb", "ListTables")


def test_parameters_of_the_caller_are_left_as_they_were() -> None:
    params = {"TableName": "t", "Key": {"a": {"B": b"\x01"}}}
    dispatcher = a_dispatcher(a_provider("dynamodb", wire_json=("GetItem",), GetItem=lambda call, params: {}))
    invoked(dispatcher, "dynamodb", "GetItem", params)
    assert params == {"TableName": "t", "Key": {"a": {"B": b"\x01"}}}


def test_nesting_beyond_all_sense_is_refused() -> None:
    value: Any = {"S": "x"}
    for _ in range(900):
        value = {"L": [value]}
    dispatcher = a_dispatcher(a_provider("dynamodb", PutItem=lambda call, params: {}))
    with pytest.raises(ServiceError, match="nested too deeply"):
        invoked(dispatcher, "dynamodb", "PutItem", {"TableName": "t", "Item": {"a": value}})


def test_two_providers_of_one_service_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two providers"):
        a_dispatcher(a_provider("logs"), a_provider("logs"))


def test_a_service_without_a_model_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no service model"):
        a_dispatcher(a_provider("nothing"))


def test_an_operation_that_aws_lacks_is_a_mistake() -> None:
    dispatcher = a_dispatcher(a_provider("logs", MakeLogs=lambda call, params: {}))
    with pytest.raises(ValueError, match="AWS has no operation MakeLogs in logs"):
        invoked(dispatcher, "logs", "DescribeLogGroups")


def test_a_validation_error_keeps_its_class_from_within() -> None:
    dispatcher = a_dispatcher(a_provider("dynamodb", GetItem=lambda call, params: {}))
    with pytest.raises(ValidationException, match="Value null at 'tableName'"):
        invoked(dispatcher, "dynamodb", "GetItem", {"Key": {}})


def test_a_full_disk_is_told_as_such() -> None:
    error = as_service_error(StoreFull("items.db took no write"), "dynamodb", "PutItem")
    assert (error.status, error.code) == (503, "ServiceUnavailable")
    assert error.message.startswith("The disk of the data directory is full: nothing was changed; make room")
