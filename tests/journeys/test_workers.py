"""Several gateway processes under load: one is killed, the state is killed, and limits stay one limit for all."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journeys.test_usage_plans import a_keyed_api, pid_of, statuses, used
from tests.support.functions import a_zip
from tests.support.platform import RunningPlatform, ask, gatepost, start_platform
from tests.support.valkeys import a_valkey

FLAGS = ("--durability", "process")
WIDE = {"rateLimit": 100_000, "burstLimit": 100_000}


class Load:
    """Clients that ask again and again, each over a connection of its own that it opens anew when it is cut."""

    def __init__(self, urls: list[str], key: dict[str, Any], *, clients: int = 6) -> None:
        self.statuses: Counter[int] = Counter()
        self.cut_off = 0
        self.refused = 0
        self._key = key["value"]
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask_on, args=(urls[number % len(urls)],)) for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def wait(self, count: int) -> None:
        """Wait until `count` more answers have come."""
        goal = self.statuses.total() + count
        deadline = time.monotonic() + 20
        while self.statuses.total() < goal:
            assert time.monotonic() < deadline, "no answers come"
            time.sleep(0.01)

    def _ask_on(self, url: str) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        with closing(connection):
            self._ask_until_stopped(connection, parts.path)

    def _ask_until_stopped(self, connection: http.client.HTTPConnection, path: str) -> None:
        asked = 0
        while not self._stopping.is_set():
            asked += 1
            try:
                connection.request("GET", path, headers={"x-api-key": self._key})
                answer = connection.getresponse()
                answer.read()
            except ConnectionRefusedError:
                with self._lock:
                    self.refused += 1
                time.sleep(0.05)
                continue
            except (OSError, http.client.HTTPException):
                connection.close()
                with self._lock:
                    self.cut_off += 1
                continue
            with self._lock:
                self.statuses[answer.status] += 1
            if asked % 20 == 0:
                connection.close()  # a new connection comes to any of the processes


def state_pid(platform: RunningPlatform) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            stat = path.with_name("stat").read_text()
            command = path.read_bytes()
        except OSError:
            continue
        if b"gatepost.app.state_role" in command and int(stat.rpartition(")")[2].split()[1]) == platform.process.pid:
            return int(path.parent.name)
    raise AssertionError("there is no state role")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_killed_worker_costs_only_its_own_requests_and_limits_hold_for_all_workers_together(data: Path) -> None:
    platform = start_platform(data, *FLAGS, "--workers", "3")
    try:
        url, plan, key = a_keyed_api(platform, quota={"limit": 1_000_000, "period": "MONTH"}, throttle=WIDE)
        with Load([url], key) as load:
            load.wait(200)
            killed = pid_of(platform, "gateway-2")
            os.kill(killed, signal.SIGKILL)
            load.wait(400)
            deadline = time.monotonic() + 20
            while (back := pid_of(platform, "gateway-2")) == killed:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert back != killed
            load.wait(200)
            os.kill(state_pid(platform), signal.SIGKILL)
            load.wait(400)
        assert set(load.statuses) == {200}
        assert load.refused == 0
        assert load.cut_off <= 6  # what the killed process was doing
        counted = load.statuses.total()
        row = used(platform, plan, key, counted)
        # A killed process loses what it counted within its last second, and may have counted what it did not answer.
        assert counted - 2_000 <= row[0] <= counted + load.cut_off
        roles = {each["role"]: each["state"] for each in status(platform)["roles"]}
        assert roles == {"services": "ready", "gateway": "ready", "gateway-2": "ready", "gateway-3": "ready"}
        refused_id = ask("GET", url).headers["x-amzn-RequestId"]
        explained = gatepost("explain", refused_id, "--json", "--data", str(data))
        assert refused_id in explained.stdout
        assert sum(log.stat().st_size > 0 for log in data.glob("gateway/**/access.log")) == 3
    finally:
        assert platform.stop() == 0


def status(platform: RunningPlatform) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(gatepost("status", "--json", "--data", str(platform.data)).stdout)
    return told


def test_a_quota_is_one_for_all_workers_and_goes_on_after_everything_was_killed_and_with_fewer_of_them(
    data: Path,
) -> None:
    platform = start_platform(data, *FLAGS, "--workers", "3")
    try:
        url, plan, key = a_keyed_api(platform, quota={"limit": 90, "period": "MONTH"})
        counted = statuses(url, key, 60)
        assert counted == {200: 60}
        assert used(platform, plan, key, 60) == [60, 30]
        platform.process.kill()
        platform.process.wait(10)
        platform = start_platform(data, *FLAGS, "--workers", "2")
        url = platform.stage_url(plan["apiStages"][0]["apiId"], "prod") + "/"
        counted += statuses(url, key, 20)
        assert used(platform, plan, key, 80) == [80, 10]
        assert platform.stop() == 0
        platform = start_platform(data, *FLAGS)
        url = platform.stage_url(plan["apiStages"][0]["apiId"], "prod") + "/"
        counted += statuses(url, key, 15)
        assert counted == {200: 90, 429: 5}
        assert used(platform, plan, key, 90) == [90, 0]
    finally:
        platform.stop()


def test_four_workers_on_one_valkey_are_killed_one_by_one_with_no_server_error(data: Path) -> None:
    with ExitStack() as stack:
        valkey = stack.enter_context(a_valkey(data.parent))
        platform = start_platform(data, *FLAGS, "--workers", "4", "--state", valkey.url)
        stack.callback(platform.stop)
        url, _, key = a_keyed_api(platform, quota={"limit": 1_000_000, "period": "DAY"}, throttle=WIDE)
        with Load([url], key) as load:
            for number in (1, 2, 3, 4):
                load.wait(100)
                os.kill(pid_of(platform, "gateway" if number == 1 else f"gateway-{number}"), signal.SIGKILL)
                load.wait(100)
            valkey.kill()
            load.wait(200)
            valkey.start()
            load.wait(200)
        assert set(load.statuses) == {200}
        assert load.refused == 0


SLOW = "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    return 'done'\n"


def test_a_reservation_counts_for_all_workers_together(data: Path) -> None:
    platform = start_platform(data, *FLAGS, "--workers", "2")
    try:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = platform.client("iam").create_role(
            RoleName="worker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        aws = platform.client("lambda")
        aws.create_function(
            FunctionName="slow",
            Runtime="python3.11",
            Handler="app.handler",
            Role=role,
            Code={"ZipFile": a_zip({"app.py": SLOW})},
            Timeout=10,
        )
        aws.get_waiter("function_active_v2").wait(FunctionName="slow")
        aws.put_function_concurrency(FunctionName="slow", ReservedConcurrentExecutions=2)
        for _ in range(2):  # what was used is free again
            with ThreadPoolExecutor(6) as pool:
                outcomes = Counter(pool.map(lambda _: invoked(aws), range(6)))
            assert outcomes == {"done": 2, "ReservedFunctionConcurrentInvocationLimitExceeded": 4}
    finally:
        platform.stop()


def invoked(aws: Any) -> str:
    try:
        return str(json.loads(aws.invoke(FunctionName="slow")["Payload"].read()))
    except aws.exceptions.TooManyRequestsException as error:
        return str(error.response["Reason"])


ALLOWS = """\
import os, uuid

def handler(event, context):
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "ana", "policyDocument": policy, "context": {"told": str(uuid.uuid4())}}
"""


def test_an_authorizers_function_is_asked_once_for_all_workers_until_it_is_flushed(data: Path) -> None:
    platform = start_platform(data, *FLAGS, "--workers", "3")
    try:
        api, url = an_authorized_api(platform)
        headers = {"Authorization": "tok"}

        def told() -> set[bytes]:  # each over a connection of its own, which comes to any of the processes
            with ThreadPoolExecutor(6) as pool:
                answers = list(pool.map(lambda _: ask("GET", url, headers=headers), range(24)))
            assert {answer.status for answer in answers} == {200}
            return {answer.body for answer in answers}

        first = ask("GET", url, headers=headers).body
        assert told() == {first}
        platform.client("apigateway").flush_stage_authorizers_cache(restApiId=api, stageName="prod")
        second = ask("GET", url, headers=headers).body
        assert second != first
        assert told() == {second}
    finally:
        assert platform.stop() == 0


def an_authorized_api(platform: RunningPlatform) -> tuple[str, str]:
    """Deploy a MOCK that answers with what its authorizer's function told; give the API's id and address."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = platform.client("iam").create_role(
        RoleName="authorizer", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    functions, apigateway = platform.client("lambda"), platform.client("apigateway")
    arn = functions.create_function(
        FunctionName="authorizer",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": a_zip({"app.py": ALLOWS})},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="authorizer")
    functions.add_permission(
        FunctionName="authorizer",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    api = apigateway.create_rest_api(name="authorized")
    authorizer = apigateway.create_authorizer(
        restApiId=api["id"],
        name="tokens",
        type="TOKEN",
        authorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        identitySource="method.request.header.Authorization",
    )
    place = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    apigateway.put_method(**place, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    apigateway.put_method_response(**place, statusCode="200")
    template = {"application/json": '{"statusCode": 200}'}
    apigateway.put_integration(**place, type="MOCK", requestTemplates=template)
    answer = {"application/json": "$context.authorizer.told"}
    apigateway.put_integration_response(**place, statusCode="200", responseTemplates=answer)
    apigateway.create_deployment(restApiId=api["id"], stageName="prod")
    return api["id"], platform.stage_url(api["id"], "prod") + "/"
