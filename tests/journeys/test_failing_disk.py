"""The disk fails under a running platform: no write is acknowledged that is not there, and all goes on afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.journeys.test_kill import pid_of
from tests.support.failing_disk import FailingDisk, has_compiler
from tests.support.platform import start_platform

pytestmark = pytest.mark.skipif(not has_compiler(), reason="gcc makes the disk that fails")
KEYS = {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "color", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_color",
            "KeySchema": [{"AttributeName": "color", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


class Writers:
    """Threads that write all the time: what was acknowledged, and what was refused with which status."""

    def __init__(self, platform: Any, count: int) -> None:
        self.acknowledged: dict[str, int] = {}
        self.attempted: dict[str, int] = {}
        self.refused: list[int] = []
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._write_on, args=(platform.client("dynamodb", **platform.boto_key()), number))
            for number in range(count)
        ]
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
            pk = f"w{writer}-{version % 20}"
            item = {"pk": {"S": pk}, "v": {"N": str(version)}, "color": {"S": f"c{version % 3}"}}
            self.attempted[pk] = version
            try:
                if version % 5:
                    client.put_item(TableName="things", Item=item)
                else:
                    check = {"TableName": "things", "Item": {**item, "pk": {"S": pk + "-twin"}}}
                    client.transact_write_items(
                        TransactItems=[{"Put": {"TableName": "things", "Item": item}}, {"Put": check}]
                    )
            except ClientError as error:
                self.refused.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
                continue
            self.acknowledged[pk] = version


def items_of(dynamodb: Any, **params: Any) -> dict[str, int]:
    pages = dynamodb.get_paginator("scan").paginate(TableName="things", **params)
    return {item["pk"]["S"]: int(item["v"]["N"]) for page in pages for item in page["Items"]}


def until(check: Any) -> None:
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    disk = FailingDisk(tmp_path)
    for name, value in disk.environment.items():
        monkeypatch.setenv(name, value)
    return disk


def test_failing_syncs_and_writes_are_never_acknowledged_and_writing_goes_on_afterwards(tmp_path, disk):
    platform = start_platform(tmp_path / "data")
    try:
        dynamodb = platform.client("dynamodb")
        dynamodb.create_table(TableName="things", BillingMode="PAY_PER_REQUEST", **KEYS)
        writers = Writers(platform, 3)
        for what in ("sync", "write", "space", "write sync open"):
            until(lambda: len(writers.acknowledged) >= 40)
            with disk.fails(what):
                before = len(writers.refused)
                until(lambda count=before: len(writers.refused) >= count + 6)
                assert dynamodb.get_item(TableName="things", Key={"pk": {"S": "w0-1"}})["Item"]  # reads go on
            writers.acknowledged.clear()
        until(lambda: len(writers.acknowledged) >= 40)
        writers.stop()
        assert set(writers.refused) <= {500, 503}
        standing = items_of(dynamodb)
        for pk, version in writers.acknowledged.items():
            assert version <= standing[pk] <= writers.attempted[pk]
        assert items_of(dynamodb, IndexName="by_color") == standing
        assert all(standing[pk.removesuffix("-twin")] >= version for pk, version in standing.items())
        # The next process finds the same: what was refused may have been written, but then wholly.
        os.kill(pid_of(platform, "services"), signal.SIGKILL)
        pid_of(platform, "services")
        until(lambda: _is_there(platform))
        assert items_of(dynamodb) == standing == items_of(dynamodb, IndexName="by_color")
    finally:
        platform.stop()


def _is_there(platform: Any) -> bool:
    try:
        platform.client("dynamodb").list_tables()
    except Exception:
        return False
    return True


def test_a_store_that_cannot_be_opened_is_opened_once_it_can(tmp_path, disk):
    platform = start_platform(tmp_path / "data")
    try:
        dynamodb = platform.client("dynamodb")
        dynamodb.create_table(TableName="things", BillingMode="PAY_PER_REQUEST", **KEYS)
        with disk.fails("sync open"):
            for _ in range(3):
                with pytest.raises(ClientError) as refused:
                    dynamodb.put_item(TableName="things", Item={"pk": {"S": "a"}, "v": {"N": "1"}})
                assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "b"}, "v": {"N": "1"}})
        assert items_of(dynamodb) == {"b": 1}
    finally:
        platform.stop()
