"""Resource policies: one for each function, version and alias, changed by who has seen the latest."""

from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.functions import LambdaControl, with_lambda

GRANT = {"FunctionName": "orders", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}


def sids(answer: dict) -> list[str]:
    return [statement["Sid"] for statement in json.loads(answer["Policy"])["Statement"]]


def test_an_alias_has_a_policy_of_its_own(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        await aws("AddPermission", StatementId="all", **GRANT)
        await aws("AddPermission", StatementId="live", Qualifier="live", **GRANT)
        await aws("RemovePermission", FunctionName="orders", StatementId="all")
        with pytest.raises(ServiceError) as gone:
            await aws("GetPolicy", FunctionName="orders")
        return await aws("GetPolicy", FunctionName="orders", Qualifier="live"), gone.value.code

    policy, code = with_lambda(tmp_path, scenario)
    assert sids(policy) == ["live"]
    assert code == "ResourceNotFoundException"


def test_each_change_gives_a_new_revision_and_needs_the_latest_when_it_names_one(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws("AddPermission", StatementId="a", **GRANT)
        first = await aws("GetPolicy", FunctionName="orders")
        await aws("AddPermission", StatementId="b", RevisionId=first["RevisionId"], **GRANT)
        with pytest.raises(ServiceError) as stale:
            await aws("RemovePermission", FunctionName="orders", StatementId="a", RevisionId=first["RevisionId"])
        return await aws("GetPolicy", FunctionName="orders"), stale.value.code

    policy, code = with_lambda(tmp_path, scenario)
    assert sids(policy) == ["a", "b"]
    assert code == "PreconditionFailedException"


@pytest.mark.parametrize(
    ("operation", "params", "said"),
    [
        ("AddPermission", {**GRANT, "StatementId": "a", "Qualifier": "$LATEST"}, "$LATEST"),
        ("RemovePermission", {"FunctionName": "orders", "StatementId": "a"}, "No policy is associated"),
        ("GetPolicy", {"FunctionName": "orders"}, "does not exist"),
        ("AddPermission", {**GRANT, "StatementId": "a", "Qualifier": "9"}, ":orders:9"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, operation: str, params: dict, said: str) -> None:
    async def scenario(aws: LambdaControl) -> None:
        await aws.a_function()
        await aws(operation, **params)

    with pytest.raises(ServiceError) as refused:
        with_lambda(tmp_path, scenario)
    assert said in refused.value.message
