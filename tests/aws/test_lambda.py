"""Functions by boto3 on a running platform: create, invoke, read the log, be refused."""

from __future__ import annotations

import http.client
import io
import json
import time
import urllib.error
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from tests.support.platform import ask

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
CODE = """
import json, logging, os
import boto3
logging.getLogger().setLevel("INFO")
def handler(event, context):
    logging.info("asked for %s", event)
    if event.get("fail"):
        raise ValueError("as asked")
    if event.get("who"):
        return boto3.client("sts").get_caller_identity()["Arn"]
    if event.get("list"):
        return boto3.client("lambda").list_functions()
    return {"echo": event, "id": context.aws_request_id}
"""


def a_zip(code: str = CODE) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", code)
    return content.getvalue()


@pytest.fixture(scope="module")
def function(platform):
    iam, aws = platform.client("iam"), platform.client("lambda")
    role = iam.create_role(RoleName="lambda-tests", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.attach_role_policy(
        RoleName="lambda-tests", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    made = aws.create_function(
        FunctionName="lambda-tests", Runtime="python3.11", Handler="app.handler", Role=role, Code={"ZipFile": a_zip()},
        Timeout=10, MemorySize=256,
    )  # fmt: skip
    aws.get_waiter("function_active_v2").wait(FunctionName="lambda-tests")
    return made


def invoke(platform, event, **params):
    answer = platform.client("lambda").invoke(FunctionName="lambda-tests", Payload=json.dumps(event).encode(), **params)
    return answer, json.loads(answer["Payload"].read() or b"null")


def test_a_function_answers(platform, function) -> None:
    answer, value = invoke(platform, {"a": 1}, LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert value["echo"] == {"a": 1}
    assert value["id"] == answer["ResponseMetadata"]["RequestId"]
    assert "FunctionError" not in answer
    assert answer["LogResult"]


def test_a_function_that_fails_says_so(platform, function) -> None:
    answer, value = invoke(platform, {"fail": True})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (value["errorType"], value["errorMessage"]) == ("ValueError", "as asked")


def test_a_function_is_its_role_and_may_no_more(platform, function) -> None:
    _, arn = invoke(platform, {"who": True})
    assert arn == "arn:aws:sts::000000000000:assumed-role/lambda-tests/lambda-tests"
    answer, value = invoke(platform, {"list": True})
    assert answer["FunctionError"] == "Unhandled"
    assert "AccessDenied" in value["errorMessage"]
    assert "not authorized to perform: lambda:ListFunctions" in value["errorMessage"]


def test_an_event_is_run_later_and_logged(platform, function) -> None:
    answer, _ = invoke(platform, {"later": "please"}, InvocationType="Event")
    assert answer["StatusCode"] == 202
    logs = platform.client("logs")
    end = time.monotonic() + 10
    found = []
    while not found and time.monotonic() < end:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/lambda-tests", filterPattern="later")["events"]
        except logs.exceptions.ResourceNotFoundException:
            pass
        time.sleep(0.05)
    assert found[0]["message"].endswith("asked for {'later': 'please'}\n")


def test_what_is_wrong_is_refused_as_on_aws(platform, function) -> None:
    aws = platform.client("lambda")
    with pytest.raises(ClientError) as error:
        aws.get_function(FunctionName="lost")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError) as error:
        aws.create_function(
            FunctionName="bad", Runtime="python3.11", Handler="app.handler", Code={"ZipFile": a_zip()},
            Role="arn:aws:iam::000000000000:role/nobody",
        )  # fmt: skip
    assert error.value.response["Error"]["Message"].startswith("The role defined for the function cannot be assumed")
    with pytest.raises(ClientError) as error:
        aws.get_function_recursion_config(FunctionName="lambda-tests")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_new_code_runs_at_once(platform, function) -> None:
    aws = platform.client("lambda")
    arguments = {"Runtime": "python3.11", "Handler": "app.handler", "Role": function["Role"]}
    code = "def handler(event, context): return {}\n"
    aws.create_function(FunctionName="changing", Code={"ZipFile": a_zip(code.format(1))}, **arguments)
    for number in range(2, 5):
        aws.update_function_code(FunctionName="changing", ZipFile=a_zip(code.format(number)))
        assert json.loads(aws.invoke(FunctionName="changing")["Payload"].read()) == number
    aws.delete_function(FunctionName="changing")
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.invoke(FunctionName="changing")


VERSIONED = "def handler(event, context): return [{}, context.function_version, context.invoked_function_arn]\n"


def test_versions_and_aliases_answer_by_their_qualifier(platform, function) -> None:
    aws = platform.client("lambda")
    arguments = {"Runtime": "python3.11", "Handler": "app.handler", "Role": function["Role"], "Publish": True}
    made = aws.create_function(FunctionName="versioned", Code={"ZipFile": a_zip(VERSIONED.format(1))}, **arguments)
    assert made["Version"] == "1"
    code = a_zip(VERSIONED.format(2))
    assert aws.update_function_code(FunctionName="versioned", ZipFile=code, Publish=True)["Version"] == "2"
    alias = aws.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")

    def executed(**params):
        answer = aws.invoke(FunctionName="versioned", **params)
        value = json.loads(answer["Payload"].read())
        assert value[1] == answer["ExecutedVersion"]
        return value

    assert executed() == [2, "$LATEST", alias["AliasArn"].removesuffix(":live")]
    assert executed(Qualifier="live") == [1, "1", alias["AliasArn"]]
    routing = {"AdditionalVersionWeights": {"2": 1.0}}
    aws.update_alias(FunctionName="versioned", Name="live", RoutingConfig=routing)
    assert executed(Qualifier="live") == [2, "2", alias["AliasArn"]]
    aws.delete_function(FunctionName="versioned")


def test_concurrency_is_reserved_and_provisioned(platform, function) -> None:
    aws = platform.client("lambda")
    arguments = {"Runtime": "python3.11", "Handler": "app.handler", "Role": function["Role"], "Publish": True}
    code = "import os\ndef handler(event, context): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n"
    aws.create_function(FunctionName="busy", Code={"ZipFile": a_zip(code)}, **arguments)
    aws.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)
    with pytest.raises(aws.exceptions.TooManyRequestsException) as error:
        aws.invoke(FunctionName="busy")
    assert error.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    aws.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=2)
    target = {"FunctionName": "busy", "Qualifier": "1"}
    aws.put_provisioned_concurrency_config(**target, ProvisionedConcurrentExecutions=1)
    end = time.monotonic() + 10
    while (found := aws.get_provisioned_concurrency_config(**target))["Status"] != "READY":
        assert time.monotonic() < end, found
        time.sleep(0.05)
    assert json.loads(aws.invoke(**target)["Payload"].read()) == "provisioned-concurrency"
    aws.delete_function(FunctionName="busy")


def test_a_layer_is_importable(platform, function) -> None:
    aws = platform.client("lambda")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/shop_tools.py", "NAME = 'from the layer'\n")
    layer = aws.publish_layer_version(LayerName="shop-tools", Content={"ZipFile": content.getvalue()})
    code = "import shop_tools\ndef handler(event, context): return [shop_tools.NAME, shop_tools.__file__]\n"
    aws.create_function(
        FunctionName="layered", Runtime="python3.11", Handler="app.handler", Role=function["Role"],
        Code={"ZipFile": a_zip(code)}, Layers=[layer["LayerVersionArn"]],
    )  # fmt: skip
    name, path = json.loads(aws.invoke(FunctionName="layered")["Payload"].read())
    assert name == "from the layer"
    assert path.endswith("/python/shop_tools.py")
    aws.delete_function(FunctionName="layered")


def test_what_came_of_an_event_goes_to_its_destination(platform, function) -> None:
    aws, iam = platform.client("lambda"), platform.client("iam")
    iam.put_role_policy(
        RoleName="lambda-tests", PolicyName="destinations",
        PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}],
        }),
    )  # fmt: skip
    made = aws.create_function(
        FunctionName="receiver", Runtime="python3.11", Handler="app.handler", Role=function["Role"],
        Code={"ZipFile": a_zip("import json\ndef handler(event, context): print('received', json.dumps(event))\n")},
    )  # fmt: skip
    aws.put_function_event_invoke_config(
        FunctionName="lambda-tests", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": made["FunctionArn"]}},
    )  # fmt: skip
    aws.invoke(FunctionName="lambda-tests", InvocationType="Event", Payload=b'{"fail": true}')
    logs, found, end = platform.client("logs"), [], time.monotonic() + 10
    while not found and time.monotonic() < end:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/receiver", filterPattern="received")["events"]
        except logs.exceptions.ResourceNotFoundException:
            pass
        time.sleep(0.05)
    record = json.loads(found[0]["message"].removeprefix("received "))
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "as asked"
    aws.delete_function_event_invoke_config(FunctionName="lambda-tests")
    aws.delete_function(FunctionName="receiver")


def test_a_function_url_answers_by_host_and_by_path(platform, function) -> None:
    aws = platform.client("lambda")
    code = "def handler(event, context): return {'statusCode': 201, 'body': event['rawPath'], 'cookies': ['a=1']}\n"
    aws.create_function(
        FunctionName="addressed", Runtime="python3.11", Handler="app.handler", Role=function["Role"],
        Code={"ZipFile": a_zip(code)},
    )  # fmt: skip
    url = aws.create_function_url_config(FunctionName="addressed", AuthType="NONE")["FunctionUrl"]
    host = url.removeprefix("http://").rstrip("/")
    url_id, _, port = host.partition(".")[0], "", host.rpartition(":")[2]

    def get(path: str, **headers: str) -> tuple[int, bytes, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.getheader("set-cookie")
        connection.close()
        return found

    assert get("/shop", Host=host)[0] == 403
    grant = {"FunctionName": "addressed", "Principal": "*"}
    aws.add_permission(
        **grant, StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"
    )  # fmt: skip
    aws.add_permission(**grant, StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    assert get("/shop/1", Host=host) == (201, b"/shop/1", "a=1")
    assert get(f"/_aws/lambda-url/{url_id}/shop/1") == (201, b"/shop/1", "a=1")
    aws.delete_function(FunctionName="addressed")
    assert get("/shop/1", Host=host)[0] in (403, 404)


def test_a_tables_changes_reach_a_function_in_order(platform, function) -> None:
    aws, iam, tables = platform.client("lambda"), platform.client("iam"), platform.client("dynamodb")
    iam.put_role_policy(
        RoleName="lambda-tests", PolicyName="streams",
        PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}],
        }),
    )  # fmt: skip
    stream = tables.create_table(
        TableName="streamed", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]["LatestStreamArn"]  # fmt: skip
    code = (
        "def handler(event, context):\n"
        "    for record in event['Records']:\n"
        "        print('changed', record['eventName'], record['dynamodb']['NewImage']['n']['N'])\n"
    )
    aws.create_function(
        FunctionName="streaming", Runtime="python3.11", Handler="app.handler", Role=function["Role"],
        Code={"ZipFile": a_zip(code)},
    )  # fmt: skip
    mapping = aws.create_event_source_mapping(
        FunctionName="streaming", EventSourceArn=stream, StartingPosition="TRIM_HORIZON", BatchSize=10
    )
    assert mapping["State"] == "Enabled"
    for number in range(25):
        tables.put_item(TableName="streamed", Item={"id": {"S": "a"}, "n": {"N": str(number)}})
    logs, found, end = platform.client("logs"), [], time.monotonic() + 15
    while len(found) < 25 and time.monotonic() < end:
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName="/aws/lambda/streaming", filterPattern="changed"
            )
            found = [event["message"].strip() for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            pass
        time.sleep(0.1)
    assert found == ["changed INSERT 0", *(f"changed MODIFY {number}" for number in range(1, 25))]
    aws.delete_event_source_mapping(UUID=mapping["UUID"])
    aws.delete_function(FunctionName="streaming")
    tables.delete_table(TableName="streamed")


def test_a_functions_code_can_be_downloaded_again(platform, function) -> None:
    aws = platform.client("lambda")
    code = a_zip("def handler(event, context): return 'downloaded'\n")
    aws.create_function(
        FunctionName="downloaded", Runtime="python3.11", Handler="app.handler", Role=function["Role"],
        Code={"ZipFile": code},
    )  # fmt: skip
    location = aws.get_function(FunctionName="downloaded")["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=10) as answer:
        assert answer.read() == code
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(location[:-3] + "abc", timeout=10)
    aws.delete_function(FunctionName="downloaded")


def test_an_api_invokes_the_alias_that_its_stage_names(platform, function) -> None:
    aws, apis = platform.client("lambda"), platform.client("apigateway")
    code = "def handler(event, context): return {{'statusCode': 200, 'body': '{} ' + context.invoked_function_arn}}\n"
    arguments = {"Runtime": "python3.11", "Handler": "app.handler", "Role": function["Role"], "Publish": True}
    arn = aws.create_function(FunctionName="staged", Code={"ZipFile": a_zip(code.format("one"))}, **arguments)[
        "FunctionArn"
    ].removesuffix(":1")
    aws.update_function_code(FunctionName="staged", ZipFile=a_zip(code.format("two")), Publish=True)
    aws.create_alias(FunctionName="staged", Name="blue", FunctionVersion="1")
    aws.create_alias(FunctionName="staged", Name="green", FunctionVersion="2")
    api = apis.create_rest_api(name="staged")
    root = apis.get_resources(restApiId=api["id"])["items"][0]["id"]
    apis.put_method(restApiId=api["id"], resourceId=root, httpMethod="GET", authorizationType="NONE")
    apis.put_integration(
        restApiId=api["id"], resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST",
        uri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        f"{arn}:${{stageVariables.alias}}/invocations",
    )  # fmt: skip
    for stage in ("blue", "green"):
        apis.create_deployment(restApiId=api["id"], stageName=stage, variables={"alias": stage})

    def get(stage: str) -> tuple[int, str]:
        answer = ask("GET", platform.stage_url(api["id"], stage) + "/")
        return answer.status, answer.body.decode()

    def permit(qualifier: str) -> None:
        aws.add_permission(
            FunctionName="staged", Qualifier=qualifier, StatementId="api", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )  # fmt: skip

    permit("blue")
    assert get("blue") == (200, f"one {arn}:blue")
    assert get("green")[0] == 500  # the permission is the other alias's
    permit("green")
    assert get("green") == (200, f"two {arn}:green")
    apis.delete_rest_api(restApiId=api["id"])
    aws.delete_function(FunctionName="staged")
