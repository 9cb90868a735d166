"""Tables in a cluster (`--tables URL`): a second platform is the cluster, boto3 the client."""

from __future__ import annotations

import json
import time

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.platform import REGION, start_platform

THEIR_ACCOUNT = "111122223333"
OURS = "arn:aws:dynamodb:us-east-1:000000000000:table/"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    data = tmp_path_factory.mktemp("cluster") / "data"
    running = start_platform(data, "--durability", "process", "--account-id", THEIR_ACCOUNT)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def front(cluster, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEPOST_TABLES_ACCESS_KEY_ID", cluster.key["access_key_id"])
        patch.setenv("GATEPOST_TABLES_SECRET_ACCESS_KEY", cluster.key["secret_access_key"])
        data = tmp_path_factory.mktemp("front") / "data"
        running = start_platform(data, "--durability", "process", "--tables", cluster.aws)
    yield running
    running.stop()


def a_table(front, name, **options):
    client = front.client("dynamodb")
    client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "tag", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-tag",
                "KeySchema": [{"AttributeName": "tag", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        **options,
    )
    return client


def a_user(front, name, *statements):
    iam = front.client("iam")
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_user_policy(UserName=name, PolicyName="tables", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def code_of(error):
    return error.value.response["Error"]["Code"]


def test_tables_and_items_live_in_the_cluster(front, cluster):
    client = a_table(front, "orders")
    table = boto3.resource(
        "dynamodb",
        endpoint_url=front.aws,
        region_name=REGION,
        config=Config(retries={"max_attempts": 1}),
        **front.boto_key(),
    ).Table("orders")
    for number in range(3):
        table.put_item(Item={"pk": "ann", "sk": number, "tag": "new", "blob": b"\x00\xff", "n": {"deep": [1, None]}})
    assert table.get_item(Key={"pk": "ann", "sk": 1})["Item"]["blob"].value == b"\x00\xff"
    assert table.query(KeyConditionExpression=Key("pk").eq("ann") & Key("sk").gt(0))["Count"] == 2
    assert table.query(IndexName="by-tag", KeyConditionExpression=Key("tag").eq("new"))["Count"] == 3
    assert table.scan(FilterExpression=Attr("sk").eq(2))["Count"] == 1
    table.update_item(
        Key={"pk": "ann", "sk": 0}, UpdateExpression="ADD hits :one", ExpressionAttributeValues={":one": 1}
    )
    with table.batch_writer() as batch:
        batch.put_item(Item={"pk": "ben", "sk": 1})
        batch.delete_item(Key={"pk": "ann", "sk": 2})
    there = cluster.client("dynamodb").scan(TableName="orders", Select="COUNT")["Count"]
    assert there == client.scan(TableName="orders", Select="COUNT")["Count"] == 3


def test_callers_see_this_platforms_arns_and_may_use_them(front, cluster):
    client = a_table(front, "named", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    described = client.describe_table(TableName="named")["Table"]
    assert described["TableArn"] == OURS + "named"
    assert described["GlobalSecondaryIndexes"][0]["IndexArn"] == OURS + "named/index/by-tag"
    assert described["LatestStreamArn"].startswith(OURS + "named/stream/")
    theirs = cluster.client("dynamodb").describe_table(TableName="named")["Table"]["TableArn"]
    assert theirs.split(":")[4] == THEIR_ACCOUNT
    client.tag_resource(ResourceArn=OURS + "named", Tags=[{"Key": "team", "Value": "shop"}])
    assert client.list_tags_of_resource(ResourceArn=OURS + "named")["Tags"] == [{"Key": "team", "Value": "shop"}]
    client.put_item(TableName=OURS + "named", Item={"pk": {"S": "a"}, "sk": {"N": "1"}})
    assert client.get_item(TableName="named", Key={"pk": {"S": "a"}, "sk": {"N": "1"}})["Item"]
    with pytest.raises(ClientError) as foreign:
        client.list_tags_of_resource(ResourceArn=theirs)
    assert code_of(foreign) == "AccessDeniedException"  # another account's, as far as anyone here knows


def test_streams_are_read_through_the_platform(front):
    client = a_table(front, "watched", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    client.put_item(TableName="watched", Item={"pk": {"S": "a"}, "sk": {"N": "1"}})
    streams = front.client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName="watched")["Streams"]
    (shard,) = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    page = streams.get_records(ShardIterator=iterator)
    assert [record["dynamodb"]["NewImage"]["pk"] for record in page["Records"]] == [{"S": "a"}]
    assert streams.get_records(ShardIterator=page["NextShardIterator"])["Records"] == []
    with pytest.raises(ClientError) as forged:
        streams.get_records(ShardIterator=iterator[:-8] + "AAAAAAA=")
    assert code_of(forged) == "ValidationException"


def test_an_iterator_is_authorized_by_the_stream_that_it_reads(front):
    client = a_table(front, "secret", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    stream_arn = client.describe_table(TableName="secret")["Table"]["LatestStreamArn"]
    streams = front.client("dynamodbstreams")
    shard = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard, ShardIteratorType="LATEST")
    key = a_user(
        front, "reader", {"Effect": "Allow", "Action": "dynamodb:GetRecords", "Resource": OURS + "other/stream/*"}
    )
    with pytest.raises(ClientError) as denied:
        front.client("dynamodbstreams", **key).get_records(ShardIterator=iterator["ShardIterator"])
    assert code_of(denied) == "AccessDeniedException"


def test_the_platforms_policies_decide_with_conditions_on_keys(front):
    client = a_table(front, "private")
    for name in ("ann", "ben"):
        client.put_item(TableName="private", Item={"pk": {"S": name}, "sk": {"N": "1"}, "tag": {"S": "t"}})
    key = a_user(
        front,
        "ann",
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PartiQLSelect", "dynamodb:BatchGetItem"],
            "Resource": [OURS + "private", OURS + "private/index/*"],
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ann"]}},
        },
    )
    ann = front.client("dynamodb", **key)
    assert ann.get_item(TableName="private", Key={"pk": {"S": "ann"}, "sk": {"N": "1"}})["Item"]
    values = {":k": {"S": "ann"}}
    assert (
        ann.query(TableName="private", KeyConditionExpression="pk = :k", ExpressionAttributeValues=values)["Count"] == 1
    )
    other = {"pk": {"S": "ben"}, "sk": {"N": "1"}}
    refused = [
        lambda: ann.get_item(TableName="private", Key=other),
        lambda: ann.batch_get_item(RequestItems={"private": {"Keys": [other]}}),
        lambda: ann.put_item(TableName="private", Item=other),
        lambda: ann.execute_statement(Statement="SELECT * FROM private WHERE pk = 'ben'"),
        lambda: ann.query(
            TableName="private",
            IndexName="by-tag",
            KeyConditionExpression="tag = :k",
            ExpressionAttributeValues={":k": {"S": "t"}},
        ),
    ]
    for attempt in refused:
        with pytest.raises(ClientError) as denied:
            attempt()
        assert code_of(denied) == "AccessDeniedException"
    unreadable = [
        lambda: ann.get_item(TableName="private", Key={"other": {"S": "ben"}, "sk": {"N": "1"}}),
        lambda: ann.query(TableName="private", KeyConditionExpression="((", ExpressionAttributeValues=values),
        lambda: ann.query(
            TableName="private", IndexName="new", KeyConditionExpression="pk = :k", ExpressionAttributeValues=values
        ),
        lambda: ann.execute_statement(Statement="SELECT ** FROM private"),
    ]
    for attempt in unreadable:
        with pytest.raises(ClientError) as refusal:
            attempt()
        assert code_of(refusal) == "ValidationException"


def test_the_clusters_errors_reach_the_caller_with_their_members(front):
    client = a_table(front, "errors")
    item = {"pk": {"S": "a"}, "sk": {"N": "1"}, "blob": {"B": b"\x01"}}
    client.put_item(TableName="errors", Item=item)
    with pytest.raises(ClientError) as failed:
        client.put_item(
            TableName="errors",
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert code_of(failed) == "ConditionalCheckFailedException"
    assert failed.value.response["Item"]["blob"]["B"] == b"\x01"
    put = {"TableName": "errors", "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Put": put}])
    assert cancelled.value.response["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="nowhere", Key={"pk": {"S": "a"}})
    with pytest.raises(ClientError) as odd:
        client.update_item(TableName="errors", Key={"pk": {"S": "a"}, "sk": {"N": "1"}}, UpdateExpression="SET a = ")
    assert code_of(odd) == "ValidationException"


def test_what_would_reach_beyond_the_table_is_not_sent_on(front):
    client = a_table(front, "bounded")
    for change in (
        {"ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]},
        {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/x"}},
    ):
        with pytest.raises(ClientError) as refused:
            client.update_table(TableName="bounded", **change)
        assert code_of(refused) == "ValidationException"
    elsewhere = boto3.client("dynamodb", endpoint_url=front.aws, region_name="eu-west-1", **front.boto_key())
    with pytest.raises(ClientError) as other_region:
        elsewhere.list_tables()
    assert code_of(other_region) == "ValidationException"
    with pytest.raises(ClientError) as unsupported:
        client.put_resource_policy(ResourceArn=OURS + "bounded", Policy="{}")
    assert code_of(unsupported) == "NotImplemented"


def test_a_template_makes_its_table_in_the_cluster(front, cluster):
    template = {
        "Resources": {
            "T": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": "from-template",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "StreamSpecification": {"StreamViewType": "KEYS_ONLY"},
                    "TimeToLiveSpecification": {"AttributeName": "at", "Enabled": True},
                    "Tags": [{"Key": "a", "Value": "b"}],
                },
            }
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["T", "Arn"]}}},
    }
    stacks = front.client("cloudformation")
    stacks.create_stack(StackName="elsewhere", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="elsewhere", WaiterConfig={"Delay": 1})
    (stack,) = stacks.describe_stacks(StackName="elsewhere")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == OURS + "from-template"
    assert "from-template" in cluster.client("dynamodb").list_tables()["TableNames"]
    stacks.delete_stack(StackName="elsewhere")
    deadline = time.monotonic() + 20
    while "from-template" in cluster.client("dynamodb").list_tables()["TableNames"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_lost_or_wrong_cluster_is_told_without_blaming_the_caller(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("GATEPOST_TABLES_ACCESS_KEY_ID", cluster.key["access_key_id"])
    monkeypatch.setenv("GATEPOST_TABLES_SECRET_ACCESS_KEY", "wrong")
    wrong = start_platform(tmp_path / "wrong", "--tables", cluster.aws)
    try:
        with pytest.raises(ClientError) as refused:
            wrong.client("dynamodb").list_tables()
        assert code_of(refused) == "InternalServerError"
        assert "key" in refused.value.response["Error"]["Message"]
        assert "wrong" not in refused.value.response["Error"]["Message"]
    finally:
        wrong.stop()
    lost = start_platform(tmp_path / "lost", "--tables", "http://127.0.0.1:9")
    try:
        with pytest.raises(ClientError) as unreachable:
            lost.client("dynamodb").list_tables()
        assert unreachable.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert "nothing was changed" in unreachable.value.response["Error"]["Message"]
    finally:
        lost.stop()
