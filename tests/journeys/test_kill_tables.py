"""The services role is killed while tables are written, indexed, expired and backed up: all still agree."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.journeys.test_kill import pid_of
from tests.support.item_stores import disagreements
from tests.support.platform import start_platform

KILLS = 3
KILLS_SOAK = 40
TOKENS = 7  # every so many writes are one transaction of two items
KEYS = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


class Writers:
    """Threads that write again and again, and remember what was acknowledged."""

    def __init__(self, platform: Any, count: int) -> None:
        self.acknowledged: dict[str, int] = {}
        self._stopping = threading.Event()
        self._clients = [platform.client("dynamodb", **platform.boto_key()) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._write_on, args=(client, number))
            for number, client in enumerate(self._clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _write_on(self, client: Any, writer: int) -> None:
        version = 0
        while not self._stopping.is_set():
            version += 1
            pk = f"w{writer}-{version % 40}"
            try:
                item = {"pk": {"S": pk}, "v": {"N": str(version)}, "color": {"S": "red"}}
                if version % TOKENS:
                    client.put_item(TableName="things", Item=item)
                else:
                    self._write_both(client, item)
            except (ClientError, BotoCoreError):
                time.sleep(0.05)
                continue
            self.acknowledged[pk] = version

    @staticmethod
    def _write_both(client: Any, item: Any) -> None:
        """Write an item and its twin, all or none; a twin has expired long ago."""
        twin = {**item, "pk": {"S": item["pk"]["S"] + "-twin"}, "until": {"N": str(int(time.time()) - 60)}}
        puts = [{"Put": {"TableName": "things", "Item": one}} for one in (item, twin)]
        client.transact_write_items(TransactItems=puts)


def until(check: Any) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            if found := check():
                return found
        except (ClientError, BotoCoreError):
            pass
        assert time.monotonic() < deadline, "it does not come to an end"
        time.sleep(0.05)


def add_index(dynamodb: Any) -> Any:
    index = {
        "IndexName": "by_color",
        "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [*KEYS["AttributeDefinitions"], {"AttributeName": "color", "AttributeType": "S"}]
    change = [{"Create": index}]
    return dynamodb.update_table(
        TableName="things", AttributeDefinitions=attributes, GlobalSecondaryIndexUpdates=change
    )


def remove_index(dynamodb: Any) -> Any:
    """Take the index away once it is there; True when it is gone."""
    indexes = dynamodb.describe_table(TableName="things")["Table"].get("GlobalSecondaryIndexes", [])
    if not indexes:
        return True
    if indexes[0]["IndexStatus"] == "ACTIVE":
        change = [{"Delete": {"IndexName": "by_color"}}]
        dynamodb.update_table(TableName="things", GlobalSecondaryIndexUpdates=change)
    return False


def is_available(dynamodb: Any, arn: str) -> bool:
    described = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
    return bool(described["BackupDetails"]["BackupStatus"] == "AVAILABLE")


def items_of(dynamodb: Any, **params: Any) -> dict[str, int]:
    pages = dynamodb.get_paginator("scan").paginate(TableName="things", **params)
    return {item["pk"]["S"]: int(item["v"]["N"]) for page in pages for item in page["Items"]}


def replayed(platform: Any, arn: str) -> dict[str, int]:
    streams = platform.client("dynamodbstreams")
    state: dict[str, int] = {}
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        while at:
            page = streams.get_records(ShardIterator=at)
            for record in page["Records"]:
                change = record["dynamodb"]
                pk, old = change["Keys"]["pk"]["S"], change.get("OldImage")
                assert (None if old is None else int(old["v"]["N"])) == state.get(pk)
                if record["eventName"] == "REMOVE":
                    assert record["userIdentity"]["PrincipalId"] == "dynamodb.amazonaws.com"
                    del state[pk]
                else:
                    state[pk] = int(change["NewImage"]["v"]["N"])
            at = page.get("NextShardIterator") if page["Records"] else None
    return state


def test_stream_index_and_backup_agree_with_the_table_after_kills(tmp_path: Any) -> None:
    kill_again_and_again(tmp_path, KILLS)


@pytest.mark.soak
def test_stream_index_and_backup_agree_with_the_table_after_many_kills(tmp_path: Any) -> None:
    kill_again_and_again(tmp_path, KILLS_SOAK)


def kill_again_and_again(tmp_path: Any, kills: int) -> None:
    platform = start_platform(tmp_path / "data", "--durability", "process")
    try:
        dynamodb = platform.client("dynamodb")
        view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        dynamodb.create_table(TableName="things", BillingMode="PAY_PER_REQUEST", StreamSpecification=view, **KEYS)
        expiry = {"AttributeName": "until", "Enabled": True}
        dynamodb.update_time_to_live(TableName="things", TimeToLiveSpecification=expiry)
        arn = dynamodb.describe_table(TableName="things")["Table"]["LatestStreamArn"]
        writers = Writers(platform, 3)
        writers.start()
        try:
            for number in range(kills):
                time.sleep(0.3)
                if number % 3 == 1:
                    until(partial(add_index, dynamodb))
                backup = until(lambda: dynamodb.create_backup(TableName="things", BackupName="taken"))
                os.kill(pid_of(platform, "services"), signal.SIGKILL)
                pid_of(platform, "services")
                until(partial(is_available, dynamodb, backup["BackupDetails"]["BackupArn"]))
                if number % 3 == 0 and number:
                    until(partial(remove_index, dynamodb))
        finally:
            writers.stop()
        standing = items_of(dynamodb)
        assert {pk: standing[pk] >= version for pk, version in writers.acknowledged.items()} == dict.fromkeys(
            writers.acknowledged, True
        )
        assert all(standing[pk.removesuffix("-twin")] >= version for pk, version in standing.items())
        until(lambda: replayed(platform, arn) == items_of(dynamodb))  # an item may expire between the two
        until(
            lambda: all(
                one["IndexStatus"] == "ACTIVE"
                for one in dynamodb.describe_table(TableName="things")["Table"]["GlobalSecondaryIndexes"]
            )
        )
        until(lambda: items_of(dynamodb, IndexName="by_color") == items_of(dynamodb))
    finally:
        platform.stop()
    assert disagreements(platform.data / "store" / "items.db", tmp_path) == []
