"""boto3 against API keys, usage plans and usage: as AWS documents it, signed, serialized and read back by botocore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatepost.services.apigateway.provider import ApiGateway
from tests.support.aws_accounts import AwsAccount, an_aws_account

VALUE = "a-key-of-twenty-characters"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AwsAccount]:
    with an_aws_account(
        tmp_path, lambda world: ApiGateway(world.records, world.heard, world.authorizer, world.seal)
    ) as made:
        yield made


@pytest.fixture
def apigateway(account: AwsAccount) -> Any:
    return account.client("apigateway")


def failure(call: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def a_stage(apigateway: Any) -> dict[str, str]:
    api_id = apigateway.create_rest_api(name="orders")["id"]
    place = {"restApiId": api_id, "resourceId": apigateway.get_rest_api(restApiId=api_id)["rootResourceId"]}
    apigateway.put_method(**place, httpMethod="GET", authorizationType="NONE", apiKeyRequired=True)
    apigateway.put_integration(**place, httpMethod="GET", type="MOCK")
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    return {"apiId": api_id, "stage": "prod"}


def test_a_key_lives_its_life(apigateway: Any) -> None:
    made = apigateway.create_api_key(
        name="partner",
        description="d",
        enabled=True,
        generateDistinctId=True,
        value=VALUE,
        customerId="c",
        tags={"a": "b"},
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["value"] == VALUE
    assert abs((datetime.now(UTC) - made["createdDate"]).total_seconds()) < 10_000_000_000
    found = apigateway.get_api_key(apiKey=made["id"])
    assert "value" not in found
    assert (found["name"], found["description"], found["customerId"], found["tags"]) == (
        "partner",
        "d",
        "c",
        {"a": "b"},
    )
    assert apigateway.get_api_key(apiKey=made["id"], includeValue=True)["value"] == VALUE
    assert [each["id"] for each in apigateway.get_api_keys(nameQuery="part", includeValues=True)["items"]] == [
        made["id"]
    ]
    patches = [{"op": "replace", "path": "/enabled", "value": "false"}]
    assert apigateway.update_api_key(apiKey=made["id"], patchOperations=patches)["enabled"] is False
    assert apigateway.delete_api_key(apiKey=made["id"])["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert failure(apigateway.get_api_key, apiKey=made["id"]) == (
        "NotFoundException",
        404,
        "Invalid API Key identifier specified",
    )


def test_a_file_of_keys_is_imported_and_a_single_key_is_not_taken_for_one(apigateway: Any) -> None:
    body = b"name,key,enabled\none,0123456789abcdefghij,true\ntwo,short,true\n"
    imported = apigateway.import_api_keys(body=body, format="csv")
    assert len(imported["ids"]) == 1
    assert imported["warnings"] == ["Line 3: API Key value should be at least 20 characters"]
    assert failure(apigateway.import_api_keys, body=body, format="csv", failOnWarnings=True)[:2] == (
        "BadRequestException",
        400,
    )
    apigateway.create_api_key(name="three")
    assert {each["name"] for each in apigateway.get_api_keys()["items"]} == {"one", "three"}


def test_keys_are_paged_by_botocores_own_paginator(apigateway: Any) -> None:
    ids = {apigateway.create_api_key(name=str(number))["id"] for number in range(7)}
    pages = list(apigateway.get_paginator("get_api_keys").paginate(PaginationConfig={"PageSize": 3}))
    assert len(pages) == 3
    assert {each["id"] for page in pages for each in page["items"]} == ids


def test_a_plan_its_keys_and_their_usage(apigateway: Any) -> None:
    stage = a_stage(apigateway)
    plan = apigateway.create_usage_plan(
        name="gold",
        apiStages=[{**stage, "throttle": {"//GET": {"rateLimit": 1.5, "burstLimit": 2}}}],
        throttle={"rateLimit": 10.0, "burstLimit": 20},
        quota={"limit": 100, "period": "MONTH"},
    )
    assert plan["apiStages"][0]["throttle"] == {"//GET": {"rateLimit": 1.5, "burstLimit": 2}}
    key = apigateway.create_api_key(enabled=True)
    member = apigateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert (member["id"], member["type"], member["value"]) == (key["id"], "API_KEY", key["value"])
    assert [each["id"] for each in apigateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]] == [key["id"]]
    assert apigateway.get_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])["id"] == key["id"]
    usage = apigateway.get_usage(usagePlanId=plan["id"], startDate="2025-10-08", endDate="2025-10-09")
    assert usage["items"] == {key["id"]: [[0, 100], [0, 100]]}
    patches = [{"op": "replace", "path": "/remaining", "value": "7"}]
    today = apigateway.update_usage(usagePlanId=plan["id"], keyId=key["id"], patchOperations=patches)
    assert today["items"] == {key["id"]: [[0, 7]]}
    name = f"{stage['apiId']}:prod"
    patches = [
        {"op": "replace", "path": f"/apiStages/{name}/throttle/~1/GET/rateLimit", "value": "3"},
        {"op": "replace", "path": "/quota/limit", "value": "50"},
    ]
    changed = apigateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=patches)
    assert changed["apiStages"][0]["throttle"]["//GET"]["rateLimit"] == 3.0
    assert changed["quota"]["limit"] == 50
    assert failure(apigateway.delete_usage_plan, usagePlanId=plan["id"])[:2] == ("BadRequestException", 400)
    patches = [{"op": "remove", "path": "/apiStages", "value": name}]
    apigateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=patches)
    assert apigateway.delete_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])["ResponseMetadata"][
        "HTTPStatusCode"
    ] == (202)
    apigateway.delete_usage_plan(usagePlanId=plan["id"])
    assert apigateway.get_usage_plans()["items"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"value": "short"}, "BadRequestException"),
        ({"value": "x" * 1_000_000}, "BadRequestException"),
        ({"name": "a\u0000b"}, "BadRequestException"),
        ({"stageKeys": [{"restApiId": "a/../b", "stageName": "*"}]}, "BadRequestException"),
    ],
)
def test_a_key_that_cannot_be_is_refused(apigateway: Any, params: dict[str, Any], code: str) -> None:
    assert failure(apigateway.create_api_key, **params)[0] == code


def test_the_same_value_twice_is_a_conflict(apigateway: Any) -> None:
    apigateway.create_api_key(value=VALUE)
    assert failure(apigateway.create_api_key, value=VALUE) == ("ConflictException", 409, "API Key already exists")


def test_who_may_read_keys_may_not_make_them(account: AwsAccount) -> None:
    statement = {"Effect": "Allow", "Action": "apigateway:GET", "Resource": "arn:aws:apigateway:us-east-1::/apikeys*"}
    iam = account.client("iam")
    iam.create_user(UserName="reader")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=document)
    reader = account.client("apigateway", iam.create_access_key(UserName="reader")["AccessKey"])
    assert reader.get_api_keys()["items"] == []
    assert failure(reader.create_api_key, name="x")[0] == "AccessDeniedException"
    assert failure(reader.get_usage_plans)[0] == "AccessDeniedException"
