"""DynamoDB as boto3 sees it: client and resource, waiters, paginators, errors, policies."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from tests.support.platform import RunningPlatform


@pytest.fixture
def dynamodb(platform: RunningPlatform) -> Any:
    return platform.client("dynamodb")


@pytest.fixture
def table(platform: RunningPlatform, dynamodb: Any) -> Any:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "status", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "number", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    resource = boto3.resource("dynamodb", endpoint_url=platform.aws, region_name="us-east-1", **platform.boto_key())
    yield resource.Table(name)
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def code_of(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def test_every_type_comes_back_as_it_went(table: Any) -> None:
    item = {
        "customer": "ann",
        "number": 1,
        "price": Decimal("12.50"),
        "photo": b"\x00\xff",
        "tags": {"a", "b"},
        "sizes": {Decimal(1), Decimal("2.5")},
        "blobs": {b"x", b"y"},
        "lines": [{"sku": "s", "count": 2}, None, True, ""],
        "address": {"street": {"name": "Main", "lines": []}},
    }
    table.put_item(Item=item)
    found = table.get_item(Key={"customer": "ann", "number": 1})["Item"]
    assert found.pop("photo").value == b"\x00\xff"
    assert {blob.value for blob in found.pop("blobs")} == {b"x", b"y"}
    assert found == {name: value for name, value in item.items() if name not in {"photo", "blobs"}}


def test_queries_page_through_an_index_in_order(table: Any, dynamodb: Any) -> None:
    with table.batch_writer() as batch:
        for number in range(60):
            batch.put_item(Item={"customer": f"c{number % 7}", "number": number, "status": "open"})
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table.name,
        IndexName="by-status",
        KeyConditionExpression="#s = :s AND #n >= :n",
        ExpressionAttributeNames={"#s": "status", "#n": "number"},
        ExpressionAttributeValues={":s": {"S": "open"}, ":n": {"N": "10"}},
        PaginationConfig={"PageSize": 7},
        ScanIndexForward=False,
    )
    numbers = [int(item["number"]["N"]) for page in pages for item in page["Items"]]
    assert numbers == list(range(59, 9, -1))
    found = table.query(
        KeyConditionExpression=Key("customer").eq("c1") & Key("number").between(8, 30),
        FilterExpression=Attr("status").eq("open") & ~Attr("number2").exists(),
    )
    assert [int(item["number"]) for item in found["Items"]] == [8, 15, 22, 29]
    assert table.scan(Select="COUNT")["Count"] == 60


def test_a_failed_condition_shows_the_item_with_its_binaries(table: Any) -> None:
    table.put_item(Item={"customer": "ann", "number": 1, "photo": b"hi"})
    with pytest.raises(ClientError) as caught:
        table.put_item(
            Item={"customer": "ann", "number": 1},
            ConditionExpression="attribute_not_exists(customer)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert code_of(caught.value) == "ConditionalCheckFailedException"
    assert caught.value.response["Error"]["Message"] == "The conditional request failed"
    assert caught.value.response["Item"]["photo"] == {"B": b"hi"}


def test_a_cancelled_transaction_gives_its_reasons(table: Any, dynamodb: Any) -> None:
    key = {"customer": {"S": "ann"}, "number": {"N": "1"}}
    dynamodb.put_item(TableName=table.name, Item={**key, "photo": {"B": b"hi"}})
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table.name, "Item": {**key, "number": {"N": "2"}}}},
                {
                    "ConditionCheck": {
                        "TableName": table.name,
                        "Key": key,
                        "ConditionExpression": "attribute_not_exists(customer)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        )
    fine, failed = caught.value.response["CancellationReasons"]
    assert fine == {"Code": "None"}
    assert failed["Code"] == "ConditionalCheckFailed"
    assert failed["Item"]["photo"] == {"B": b"hi"}
    assert "Item" not in dynamodb.get_item(TableName=table.name, Key={**key, "number": {"N": "2"}})


def test_updates_and_their_errors(table: Any) -> None:
    answer = table.update_item(
        Key={"customer": "ann", "number": 1},
        UpdateExpression="SET basket = list_append(if_not_exists(basket, :none), :line) ADD amount :price",
        ExpressionAttributeValues={":none": [], ":line": ["x"], ":price": Decimal("9.99")},
        ReturnValues="ALL_NEW",
    )
    assert (answer["Attributes"]["basket"], answer["Attributes"]["amount"]) == (["x"], Decimal("9.99"))
    with pytest.raises(ClientError) as caught:
        table.update_item(
            Key={"customer": "ann", "number": 1},
            UpdateExpression="SET status = :s",
            ExpressionAttributeValues={":s": "x"},
        )
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status",
    }


def test_clients_that_race_for_the_last_one_sell_it_once(table: Any) -> None:
    table.put_item(Item={"customer": "stock", "number": 1, "left": 5})

    def buy(_: int) -> bool:
        try:
            table.update_item(
                Key={"customer": "stock", "number": 1},
                UpdateExpression="SET #l = #l - :one",
                ConditionExpression="#l >= :one",
                ExpressionAttributeNames={"#l": "left"},
                ExpressionAttributeValues={":one": 1},
            )
        except table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(buy, range(20))) == 5
    assert table.get_item(Key={"customer": "stock", "number": 1})["Item"]["left"] == 0


def test_the_model_is_checked_before_the_table(dynamodb: Any) -> None:
    with pytest.raises(ClientError) as caught:
        dynamodb.get_item(TableName="x", Key={"a": {"S": "b"}})
    assert code_of(caught.value) in {"ValidationException", "ResourceNotFoundException"}
    with pytest.raises(ClientError) as caught:
        dynamodb.describe_table(TableName="nothing-there")
    assert caught.value.response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Requested resource not found: Table: nothing-there not found",
    }


def test_leading_keys_keep_a_user_in_their_own_partition(table: Any, platform: RunningPlatform) -> None:
    iam = platform.client("iam")
    name = f"shopper-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table.name}"
    statement = {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "Resource": arn,
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ann"]}},
    }
    iam.put_user_policy(
        UserName=name, PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    client = platform.client(
        "dynamodb", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    mine, theirs = ({"customer": {"S": who}, "number": {"N": "1"}} for who in ("ann", "bob"))
    client.put_item(TableName=table.name, Item=mine)
    assert client.get_item(TableName=table.name, Key=mine)["Item"] == mine
    for refused in (
        lambda: client.get_item(TableName=table.name, Key=theirs),
        lambda: client.put_item(TableName=table.name, Item=theirs),
        lambda: client.scan(TableName=table.name),
    ):
        with pytest.raises(ClientError) as caught:
            refused()
        assert code_of(caught.value) == "AccessDeniedException"


def test_a_template_makes_a_table_with_everything_on_it(platform: RunningPlatform, dynamodb: Any) -> None:
    cloudformation = platform.client("cloudformation")
    stack = f"tables-{uuid.uuid4().hex[:8]}"
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    properties = {
        "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": units,
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("sk", "S"), ("n", "N"))
        ],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "local",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
                "ProvisionedThroughput": units,
            }
        ],
        "TimeToLiveSpecification": {"AttributeName": "n", "Enabled": True},
        "SSESpecification": {"SSEEnabled": False},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False},
        "Tags": [{"Key": "team", "Value": "orders"}],
    }

    def body() -> str:
        return json.dumps(
            {
                "Resources": {"Orders": {"Type": "AWS::DynamoDB::Table", "Properties": properties}},
                "Outputs": {"Name": {"Value": {"Ref": "Orders"}}},
            }
        )

    cloudformation.create_stack(StackName=stack, TemplateBody=body())
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    name = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["LocalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert table["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"] == ["x"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "1"}})

    del properties["GlobalSecondaryIndexes"]
    del properties["TimeToLiveSpecification"]
    properties["BillingMode"] = "PAY_PER_REQUEST"
    del properties["ProvisionedThroughput"]
    cloudformation.update_stack(StackName=stack, TemplateBody=body())
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert "GlobalSecondaryIndexes" not in table
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ItemCount"] == 1
    status = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    assert status == "DISABLED"
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.describe_table(TableName=name)


def test_legacy_parameters_still_work(table: Any) -> None:
    client, name = table.meta.client, table.name
    client.put_item(TableName=name, Item={"customer": "old", "number": 1, "status": "new"})
    missing = {"customer": {"Exists": False}}
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(TableName=name, Item={"customer": "old", "number": 1}, Expected=missing)
    changes = {"status": {"Action": "PUT", "Value": "paid"}, "visits": {"Action": "ADD", "Value": 2}}
    key = {"customer": "old", "number": 1}
    told = client.update_item(TableName=name, Key=key, AttributeUpdates=changes, ReturnValues="ALL_NEW")
    assert told["Attributes"] == {**key, "status": "paid", "visits": 2}
    equal = {"customer": {"ComparisonOperator": "EQ", "AttributeValueList": ["old"]}}
    assert client.query(TableName=name, KeyConditions=equal, AttributesToGet=["status"])["Items"] == [
        {"status": "paid"}
    ]


def test_a_stream_tells_boto3_what_changed(platform: RunningPlatform, table: Any) -> None:
    streams = platform.client("dynamodbstreams")
    view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    table.meta.client.update_table(TableName=table.name, StreamSpecification=view)
    table.put_item(Item={"customer": "s", "number": 1, "photo": b"\x00\xff"})
    table.delete_item(Key={"customer": "s", "number": 1})
    table.load()
    arn = table.latest_stream_arn
    assert [one["StreamArn"] for one in streams.list_streams(TableName=table.name)["Streams"]] == [arn]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=at["ShardIterator"])["Records"]
    assert [one["eventName"] for one in records] == ["INSERT", "REMOVE"]
    assert records[0]["dynamodb"]["NewImage"]["photo"] == {"B": b"\x00\xff"}
    with pytest.raises(streams.exceptions.ResourceNotFoundException):
        streams.describe_stream(StreamArn=arn[:-1] + "x")


def test_a_stack_knows_its_tables_stream(platform: RunningPlatform) -> None:
    cloudformation = platform.client("cloudformation")
    name = f"streamed-{uuid.uuid4().hex[:8]}"
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
        },
    }
    output = {"Stream": {"Value": {"Fn::GetAtt": ["Table", "StreamArn"]}}}
    body = json.dumps({"Resources": {"Table": table}, "Outputs": output})
    cloudformation.create_stack(StackName=name, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.2})
    (told,) = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    described = platform.client("dynamodbstreams").describe_stream(StreamArn=told["OutputValue"])
    assert described["StreamDescription"]["StreamViewType"] == "KEYS_ONLY"
    cloudformation.delete_stack(StackName=name)


def test_boto3_executes_statements(table: Any, dynamodb: Any) -> None:
    name = table.name
    for number in range(3):
        dynamodb.execute_statement(
            Statement=f"INSERT INTO \"{name}\" VALUE {{'customer': ?, 'number': {number}, 'photo': ?}}",
            Parameters=[{"S": "q"}, {"B": b"\x00\xff"}],
        )
    with pytest.raises(dynamodb.exceptions.DuplicateItemException):
        dynamodb.execute_statement(Statement=f"INSERT INTO \"{name}\" VALUE {{'customer': 'q', 'number': 0}}")
    select = f"SELECT number, photo FROM \"{name}\" WHERE customer = 'q' AND number >= 1"
    first = dynamodb.execute_statement(Statement=select, Limit=1)
    rest = dynamodb.execute_statement(Statement=select, NextToken=first["NextToken"])
    assert first["Items"] + rest["Items"] == [{"number": {"N": str(n)}, "photo": {"B": b"\x00\xff"}} for n in (1, 2)]
    told = dynamodb.batch_execute_statement(
        Statements=[{"Statement": f"DELETE FROM \"{name}\" WHERE customer = 'q' AND number = {n}"} for n in range(3)]
    )
    assert told["Responses"] == [{"TableName": name}] * 3
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.execute_transaction(
            TransactStatements=[
                {"Statement": f"INSERT INTO \"{name}\" VALUE {{'customer': 'q', 'number': 9}}"},
                {"Statement": f"UPDATE \"{name}\" SET n = 1 WHERE customer = 'q' AND number = 8"},
            ]
        )
    codes = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]


def test_boto3_restores_a_table(table: Any, dynamodb: Any) -> None:
    name = table.name
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    table.put_item(Item={"customer": "r", "number": 1})
    backup = dynamodb.create_backup(TableName=name, BackupName="before")["BackupDetails"]["BackupArn"]
    while (
        dynamodb.describe_backup(BackupArn=backup)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "CREATING"
    ):
        pass
    table.delete_item(Key={"customer": "r", "number": 1})
    targets = {f"{name}-backup": 1, f"{name}-now": 0}
    dynamodb.restore_table_from_backup(TargetTableName=f"{name}-backup", BackupArn=backup)
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=name, TargetTableName=f"{name}-now", UseLatestRestorableTime=True
    )
    for target, count in targets.items():
        dynamodb.get_waiter("table_exists").wait(TableName=target, WaiterConfig={"Delay": 1})
        assert dynamodb.scan(TableName=target)["Count"] == count
        dynamodb.delete_table(TableName=target)
    dynamodb.delete_backup(BackupArn=backup)


def test_a_tables_policy_lets_a_user_in(platform: RunningPlatform, table: Any, dynamodb: Any) -> None:
    iam, name = platform.client("iam"), f"reader-{uuid.uuid4().hex[:8]}"
    user = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    reader = platform.client(
        "dynamodb", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    request = {"TableName": table.name, "Key": {"customer": {"S": "p"}, "number": {"N": "1"}}}
    with pytest.raises(ClientError) as refused:
        reader.get_item(**request)
    assert code_of(refused.value) == "AccessDeniedException"
    table.load()
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": user},
        "Action": "dynamodb:GetItem",
        "Resource": table.table_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    dynamodb.put_resource_policy(ResourceArn=table.table_arn, Policy=policy)
    assert "Item" not in reader.get_item(**request)
    with pytest.raises(ClientError):
        reader.delete_item(**request)
    dynamodb.delete_resource_policy(ResourceArn=table.table_arn)
    with pytest.raises(ClientError):
        reader.get_item(**request)
