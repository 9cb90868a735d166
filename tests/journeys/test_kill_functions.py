"""Roles are killed while streams and events reach functions: nothing is lost, and keys keep their order."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.journeys.test_kill import pid_of
from tests.support.platform import RunningPlatform, start_platform

# botocore drops connections that broke without closing them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
KILLS = 3
KILLS_SOAK = 60
KEYS = 5
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {{Runtime: {OWN_RUNTIME}, Timeout: 10, CodeUri: code/}}
Resources:
  Changes:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: changes
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: pk, AttributeType: S}}]
      KeySchema: [{{AttributeName: pk, KeyType: HASH}}]
      StreamSpecification: {{StreamViewType: NEW_IMAGE}}
  Seen:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: seen
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{AttributeName: pk, AttributeType: S}}]
      KeySchema: [{{AttributeName: pk, KeyType: HASH}}]
  Stream:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.stream
      Policies: [{{DynamoDBCrudPolicy: {{TableName: !Ref Seen}}}}]
      Events:
        Changes:
          Type: DynamoDB
          Properties: {{Stream: !GetAtt Changes.StreamArn, StartingPosition: TRIM_HORIZON, BatchSize: 20,
                       ParallelizationFactor: 2}}
  Later:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: later
      Handler: app.later
      Policies: [{{DynamoDBCrudPolicy: {{TableName: !Ref Seen}}}}]
"""
CODE = """
import boto3
seen = boto3.resource("dynamodb").Table("seen")


def note(pk, value):
    seen.update_item(
        Key={"pk": pk},
        UpdateExpression="SET told = list_append(if_not_exists(told, :none), :value)",
        ExpressionAttributeValues={":none": [], ":value": [value]},
    )


def stream(event, context):
    for record in event["Records"]:
        image = record["dynamodb"]["NewImage"]
        note(image["pk"]["S"], int(image["n"]["N"]))


def later(event, context):
    note("later-" + str(event["n"] % 7), event["n"])
"""


class Senders:
    """Threads that write changes and send events, and remember what was acknowledged."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.changes: dict[str, list[int]] = {}
        self.events: list[int] = []
        self._stopping = threading.Event()
        self._tables = platform.client("dynamodb", **platform.boto_key())
        self._functions = platform.client("lambda", **platform.boto_key())
        self._threads = [threading.Thread(target=self._change), threading.Thread(target=self._send)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        self._tables.close()
        self._functions.close()

    @property
    def count(self) -> int:
        return len(self.events) + sum(map(len, self.changes.values()))

    def _change(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            pk = f"key-{number % KEYS}"
            try:
                self._tables.put_item(TableName="changes", Item={"pk": {"S": pk}, "n": {"N": str(number)}})
            except (ClientError, BotoCoreError):
                time.sleep(0.05)
                continue
            self.changes.setdefault(pk, []).append(number)
            time.sleep(0.005)

    def _send(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            try:
                payload = json.dumps({"n": number}).encode()
                self._functions.invoke(FunctionName="later", InvocationType="Event", Payload=payload)
            except (ClientError, BotoCoreError):
                time.sleep(0.05)
                continue
            self.events.append(number)
            time.sleep(0.02)


def told(platform: RunningPlatform) -> dict[str, list[int]]:
    """Give what functions were told, by key, in the order in which they were."""
    pages = platform.client("dynamodb").get_paginator("scan").paginate(TableName="seen", ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    return {item["pk"]["S"]: [int(value["N"]) for value in item["told"]["L"]] for item in items}


def untold(platform: RunningPlatform, senders: Senders) -> list[Any]:
    found = told(platform)
    later = {number for pk, numbers in found.items() if pk.startswith("later-") for number in numbers}
    changes = [
        (pk, number) for pk, numbers in senders.changes.items() for number in set(numbers) - set(found.get(pk, []))
    ]
    return [*changes, *(number for number in senders.events if number not in later)]


def first_times(numbers: list[int]) -> list[int]:
    """Give numbers in the order of their first delivery: later ones are repetitions."""
    return list(dict.fromkeys(numbers))


def functions_hear_of_everything(folder: Path, *, kills: int, chance: random.Random) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(CODE)
    (folder / "template.yaml").write_text(TEMPLATE)
    platform = start_platform(folder / "data", str(folder / "template.yaml"), command="up")
    ports = tuple(int(url.rsplit(":", 1)[1]) for url in (platform.public, "0:0", platform.aws))
    senders = Senders(platform)
    senders.start()
    try:
        for number in range(kills):
            wanted = senders.count + 40
            deadline = time.monotonic() + 60
            while senders.count < wanted:
                assert time.monotonic() < deadline, "nothing comes through any more"
                time.sleep(0.02)
            time.sleep(chance.random() * 0.2)
            victim = ("gateway", "services", "supervisor", "gateway")[number % 4]
            if victim == "supervisor":
                platform.process.kill()
                platform.process.wait()
                for client in platform.clients.values():
                    client.close()
                platform = start_platform(folder / "data", str(folder / "template.yaml"), command="up", ports=ports)
            else:
                with suppress(ProcessLookupError):  # the status may still tell of one that was killed
                    os.kill(pid_of(platform, victim), signal.SIGKILL)
    finally:
        senders.stop()
    deadline = time.monotonic() + 150  # an event whose function was killed is tried again after a minute
    while missing := untold(platform, senders):
        assert time.monotonic() < deadline, missing[:20]
        time.sleep(0.2)
    for pk, numbers in told(platform).items():
        if pk.startswith("key-"):
            assert first_times(numbers) == sorted(set(numbers)), pk
    platform.stop()
    gc.collect()  # here, where their warnings are expected


def test_nothing_is_lost_and_keys_keep_their_order_when_roles_are_killed(tmp_path: Path) -> None:
    functions_hear_of_everything(tmp_path, kills=KILLS, chance=random.Random(3))


@pytest.mark.soak
def test_nothing_is_lost_when_roles_are_killed_again_and_again(tmp_path: Path) -> None:
    functions_hear_of_everything(tmp_path, kills=KILLS_SOAK, chance=random.Random(int(time.time())))
