"""boto3 against a running platform: what the gateway counts can be read by anyone who knows CloudWatch."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.platform import REGION, RunningPlatform, ask, gatepost, start_platform

NAMESPACE = "AWS/ApiGateway"


@pytest.fixture
def cloudwatch(platform: RunningPlatform) -> Any:
    return platform.client("cloudwatch")


def a_served_api(platform: RunningPlatform, name: str) -> str:
    """Deploy a MOCK on the root to stage prod; gives its address."""
    client = platform.client("apigateway")
    api = client.create_rest_api(name=name)
    key = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    client.put_method(**key, authorizationType="NONE")
    client.put_method_response(**key, statusCode="200")
    client.put_integration(**key, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    client.put_integration_response(**key, statusCode="200")
    client.create_deployment(restApiId=api["id"], stageName="prod")
    detailed = [{"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"}]
    client.update_stage(restApiId=api["id"], stageName="prod", patchOperations=detailed)
    return platform.stage_url(api["id"], "prod")


def the_last_hour() -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    return {"StartTime": now - dt.timedelta(hours=1), "EndTime": now + dt.timedelta(minutes=2)}


def dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def statistic(client: Any, metric: str, name: str, **of: str) -> float | None:
    """Give one statistic over the last hour; None when there is nothing."""
    extended = name.startswith("p")
    answer = client.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=dimensions(**of),
        Period=7200,
        **({"ExtendedStatistics": [name]} if extended else {"Statistics": [name]}),
        **the_last_hour(),
    )
    if not answer["Datapoints"]:
        return None
    (point,) = answer["Datapoints"]
    return point["ExtendedStatistics"][name] if extended else point[name]  # type: ignore[no-any-return]


def until(found: Callable[[], Any], expected: Any, *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while (last := found()) != expected:
        assert time.monotonic() < deadline, f"{last} instead of {expected}"
        time.sleep(0.05)


def test_what_an_api_serves_is_counted_by_api_stage_and_method(platform: RunningPlatform, cloudwatch: Any) -> None:
    url = a_served_api(platform, "counted")
    statuses = [ask("GET", url + path).status for path in ["/"] * 20 + ["/nothing"] * 5]
    assert statuses == [200] * 20 + [403] * 5
    until(lambda: statistic(cloudwatch, "Count", "Sum", ApiName="counted"), 25)
    assert statistic(cloudwatch, "Count", "SampleCount", ApiName="counted", Stage="prod") == 25
    assert statistic(cloudwatch, "4XXError", "Sum", ApiName="counted", Stage="prod") == 5
    assert statistic(cloudwatch, "4XXError", "Average", ApiName="counted") == 0.2
    assert statistic(cloudwatch, "5XXError", "Sum", ApiName="counted") == 0
    method = {"ApiName": "counted", "Stage": "prod", "Resource": "/", "Method": "GET"}
    assert statistic(cloudwatch, "Count", "Sum", **method) == 20
    assert statistic(cloudwatch, "4XXError", "Sum", **method) == 0


def test_latencies_have_percentiles_by_either_operation(platform: RunningPlatform, cloudwatch: Any) -> None:
    url = a_served_api(platform, "timed")
    for _ in range(30):
        ask("GET", url + "/")
    until(lambda: statistic(cloudwatch, "Latency", "SampleCount", ApiName="timed", Stage="prod"), 30)
    of = {"ApiName": "timed", "Stage": "prod"}
    found = [statistic(cloudwatch, "Latency", name, **of) for name in ("Minimum", "p50", "p90", "p99", "Maximum")]
    assert None not in found
    assert found == sorted(found, key=float)
    assert 0 < float(found[-1] or 0) < 5_000, "milliseconds"
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": "Latency", "Dimensions": dimensions(**of)},
                "Period": 7200,
                "Stat": stat,
            },
        }
        for number, stat in enumerate(("Minimum", "p50", "p90", "p99", "Maximum"))
    ]
    paginator = cloudwatch.get_paginator("get_metric_data")
    pages = paginator.paginate(MetricDataQueries=queries, **the_last_hour())
    results = [result for page in pages for result in page["MetricDataResults"]]
    assert [result["Values"] for result in results] == [[value] for value in found]
    assert {result["StatusCode"] for result in results} == {"Complete"}
    listed = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=NAMESPACE, Dimensions=dimensions(ApiName="timed"), RecentlyActive="PT3H"
    )
    names = {metric["MetricName"] for page in listed for metric in page["Metrics"]}
    assert names == {"Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"}


def text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def a_client_of(platform: RunningPlatform, protocol: str) -> Any:
    """Give a boto3 client that speaks `protocol` to CloudWatch, as older and newer ones do."""
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def load_service_model(service: str, kind: str, *arguments: Any, **options: Any) -> Any:
        model = load(service, kind, *arguments, **options)
        if kind == "service-2":
            model["metadata"] |= {"protocols": [protocol], "protocol": protocol}
        return model

    loader.load_service_model = load_service_model
    return boto3.Session(botocore_session=session).client(
        "cloudwatch",
        endpoint_url=platform.aws,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}),
        **platform.boto_key(),
    )


@pytest.mark.parametrize(
    ("protocol", "sent"),
    [
        ("smithy-rpc-v2-cbor", "application/cbor"),
        ("json", "application/x-amz-json-1.0"),
        ("query", "application/x-www-form-urlencoded; charset=utf-8"),
    ],
)
def test_every_protocol_that_clients_speak_is_understood(platform: RunningPlatform, protocol: str, sent: str) -> None:
    client = a_client_of(platform, protocol)
    types = []
    client.meta.events.register(
        "before-send.*", lambda request, **_: types.append(text(request.headers["Content-Type"]))
    )
    namespace = f"Shop/{protocol}"
    of = dimensions(City="Graz")
    datum = {"MetricName": "Orders", "Dimensions": of, "Unit": "Count", "Timestamp": dt.datetime.now(dt.UTC)}
    data = [
        {**datum, "Value": 1.5},
        {**datum, "Values": [2.0, 4.0], "Counts": [3.0, 1.0]},
        {**datum, "StatisticValues": {"SampleCount": 1, "Sum": 8, "Minimum": 8, "Maximum": 8}},
    ]
    client.put_metric_data(Namespace=namespace, MetricData=data)
    asked = {"Namespace": namespace, "MetricName": "Orders", "Dimensions": of, "Period": 7200} | the_last_hour()
    (plain,) = client.get_metric_statistics(**asked, Statistics=["SampleCount", "Sum", "Maximum"])["Datapoints"]
    assert (plain["SampleCount"], plain["Sum"], plain["Maximum"], plain["Unit"]) == (6, 19.5, 8, "Count")
    assert abs(dt.datetime.now(dt.UTC) - plain["Timestamp"]) < dt.timedelta(hours=2)
    (percentiles,) = client.get_metric_statistics(**asked, ExtendedStatistics=["p50", "p99"])["Datapoints"]
    assert percentiles["ExtendedStatistics"] == {"p50": 2, "p99": 8}
    metric = {"Namespace": namespace, "MetricName": "Orders", "Dimensions": of}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 7200, "Stat": "Sum"}}
    (result,) = client.get_metric_data(MetricDataQueries=[query], **the_last_hour())["MetricDataResults"]
    assert (result["Values"], result["Label"], len(result["Timestamps"])) == ([19.5], "Orders", 1)
    assert client.list_metrics(Namespace=namespace)["Metrics"] == [metric]
    with pytest.raises(client.exceptions.InvalidParameterCombinationException, match="mutually exclusive"):
        client.put_metric_data(Namespace=namespace, MetricData=[{**data[0], "Values": [1.0]}])
    with pytest.raises(ClientError) as refused:
        client.get_metric_stream(Name="stream")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert {kind.lower() for kind in types} == {sent}


def test_a_large_call_comes_packed(platform: RunningPlatform, cloudwatch: Any) -> None:
    data = [
        {"MetricName": f"m{number}", "Value": number, "Dimensions": dimensions(Name="x" * 50)} for number in range(500)
    ]
    answers = []
    cloudwatch.meta.events.register(
        "before-send.cloudwatch.PutMetricData",
        lambda request, **_: answers.append(text(request.headers.get("Content-Encoding"))),
    )
    cloudwatch.put_metric_data(Namespace="Packed", MetricData=data)
    assert answers == ["gzip"]
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Packed")
    assert sum(len(page["Metrics"]) for page in pages) == 500


def test_a_form_signed_by_hand_is_answered_in_xml(platform: RunningPlatform) -> None:
    body = urllib.parse.urlencode({"Action": "ListMetrics", "Version": "2010-08-01", "Namespace": "Nobody's"})
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest("POST", platform.aws + "/", data=body, headers=headers)
    key = platform.boto_key()
    credentials = Credentials(key["aws_access_key_id"], key["aws_secret_access_key"])
    SigV4Auth(credentials, "monitoring", REGION).add_auth(request)
    answer = ask("POST", platform.aws + "/", body, dict(request.headers))
    assert answer.status == 200
    assert b"<ListMetricsResult>" in answer.body
    assert b"http://monitoring.amazonaws.com/doc/2010-08-01/" in answer.body


def test_a_policy_can_name_the_namespace(platform: RunningPlatform) -> None:
    iam = platform.client("iam")
    iam.create_user(UserName="publisher")
    policy = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "cloudwatch:PutMetricData",'
        ' "Resource": "*", "Condition": {"StringEquals": {"cloudwatch:namespace": "Mine"}}}}'
    )
    iam.put_user_policy(UserName="publisher", PolicyName="p", PolicyDocument=policy)
    made = iam.create_access_key(UserName="publisher")["AccessKey"]
    client = platform.client(
        "cloudwatch", aws_access_key_id=made["AccessKeyId"], aws_secret_access_key=made["SecretAccessKey"]
    )
    client.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    for refused in (
        lambda: client.put_metric_data(Namespace="Yours", MetricData=[{"MetricName": "m", "Value": 1}]),
        client.list_metrics,
    ):
        with pytest.raises(ClientError) as error:
            refused()
        assert error.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}


def test_a_reset_leaves_nothing_of_the_running_minute(tmp_path: Any) -> None:
    platform = start_platform(tmp_path / "data", "--ephemeral")
    try:
        client = platform.client("cloudwatch")
        for _ in range(4):
            ask("GET", a_served_api(platform, "reset") + "/")
        until(lambda: statistic(client, "Count", "Sum", ApiName="reset"), 4)
        assert ask("POST", platform.aws + "/_gatepost/reset").status in {200, 204}
        assert client.list_metrics()["Metrics"] == []
        ask("GET", a_served_api(platform, "reset") + "/")
        until(lambda: statistic(client, "Count", "Sum", ApiName="reset"), 1)
    finally:
        platform.stop()


def test_neither_a_kill_of_services_nor_a_restart_loses_a_count(tmp_path: Any) -> None:
    data = tmp_path / "data"
    platform = start_platform(data, "--durability", "process")
    try:
        client = platform.client("cloudwatch")
        url = a_served_api(platform, "survivor")
        ask("GET", url + "/")
        until(lambda: statistic(client, "Count", "Sum", ApiName="survivor"), 1)
        os.kill(role_pid(platform, "services"), signal.SIGKILL)
        for _ in range(9):
            assert ask("GET", url + "/").status == 200
        until(lambda: count_or_none(client), 10, within_s=20)
        ask("GET", url + "/")
    finally:
        platform.stop()
    again = start_platform(data, "--durability", "process")
    try:
        client = again.client("cloudwatch")
        until(lambda: statistic(client, "Count", "Sum", ApiName="survivor"), 11)
        ask("GET", again.public + url.removeprefix(platform.public) + "/")
        until(lambda: statistic(client, "Count", "Sum", ApiName="survivor", Stage="prod"), 12)
    finally:
        again.stop()


def role_pid(platform: RunningPlatform, role: str) -> int:
    status = json.loads(gatepost("status", "--json", "--data", str(platform.data)).stdout)
    return next(each["pid"] for each in status["roles"] if each["role"] == role)  # type: ignore[no-any-return]


def count_or_none(client: Any) -> float | None:
    try:
        return statistic(client, "Count", "Sum", ApiName="survivor")
    except (BotoCoreError, ClientError):
        return None


def test_a_query_finds_what_was_logged(platform: RunningPlatform) -> None:
    logs = platform.client("logs")
    logs.create_log_group(logGroupName="insights")
    logs.create_log_stream(logGroupName="insights", logStreamName="s")
    now = dt.datetime.now(dt.UTC)
    events = [{"timestamp": int(now.timestamp() * 1000), "message": f'{{"ms": {ms}}}'} for ms in (5, 50, 500)]
    logs.put_log_events(logGroupName="insights", logStreamName="s", logEvents=events)
    times = {"startTime": int(now.timestamp()) - 60, "endTime": int(now.timestamp()) + 60}
    text = "filter ms > 10 | stats count(*) as slow, max(ms) as most"
    query = logs.start_query(logGroupName="insights", queryString=text, **times)["queryId"]
    deadline = now + dt.timedelta(seconds=10)
    while (found := logs.get_query_results(queryId=query))["status"] != "Complete":
        assert dt.datetime.now(dt.UTC) < deadline, found
    assert found["results"] == [[{"field": "slow", "value": "2"}, {"field": "most", "value": "500"}]]
