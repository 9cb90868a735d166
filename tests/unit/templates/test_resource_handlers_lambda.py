"""AWS::Lambda types by the real operations: versions, aliases, concurrency."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.templates.acceptance import Acceptance
from gatepost.templates.resources.inline_code import inline_zip
from gatepost.templates.resources.lambda_events import named
from gatepost.templates.resources.lambda_layers import version_of
from gatepost.templates.resources.lambda_urls import Url
from gatepost.templates.resources.lambda_versions import routing
from tests.support.templates import compiled, refusals
from tests.unit.templates.test_resource_handlers import goes_through, run

TRUST = (
    "{Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, "
    "Action: sts:AssumeRole}]}"
)
FUNCTION = f"""
  Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {TRUST}}}}}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: orders
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      ReservedConcurrentExecutions: 2
      Code: {{ZipFile: "def handler(e, c): return 1"}}
"""
TEMPLATE = f"""
Resources:
{FUNCTION}
  One: {{Type: AWS::Lambda::Version, Properties: {{FunctionName: !Ref Fn, Description: one}}}}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {{FunctionName: !Ref Fn, Name: live, FunctionVersion: !GetAtt One.Version}}
Outputs:
  Arn: {{Value: !Ref Live}}
"""
CANARY = (
    TEMPLATE.replace("return 1", "return 2")
    .replace("ReservedConcurrentExecutions: 2", "Timeout: 4")
    .replace(
        "FunctionVersion: !GetAtt One.Version",
        "FunctionVersion: !GetAtt One.Version, RoutingConfig: {AdditionalVersionWeights: "
        "[{FunctionVersion: !GetAtt Two.Version, FunctionWeight: 0.1}]}",
    )
    .replace("  Live:\n", "  Two: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Fn}}\n  Live:\n", 1)
)


def test_versions_and_aliases_come_change_and_go(tmp_path) -> None:
    async def scenario(world):
        steps = goes_through(world, TEMPLATE, CANARY)
        stack = await anext(steps)
        arn = stack["Outputs"][0]["OutputValue"]
        alias = await world.do("lambda", "GetAlias", FunctionName="orders", Name="live")
        assert (alias["AliasArn"], alias["FunctionVersion"]) == (arn, "1")
        reserved = await world.do("lambda", "GetFunctionConcurrency", FunctionName="orders")
        assert reserved == {"ReservedConcurrentExecutions": 2}
        await anext(steps)
        alias = await world.do("lambda", "GetAlias", FunctionName="orders", Name="live")
        assert (alias["FunctionVersion"], alias["RoutingConfig"]["AdditionalVersionWeights"]) == ("1", {"2": 0.1})
        assert await world.do("lambda", "GetFunctionConcurrency", FunctionName="orders") == {}
        versions = await world.do("lambda", "ListVersionsByFunction", FunctionName="orders")
        assert [(one["Version"], one["Timeout"]) for one in versions["Versions"]] == [
            ("$LATEST", 4),
            ("1", 3),
            ("2", 4),
        ]
        assert [one async for one in steps] == []

    run(tmp_path, scenario)


def test_a_second_version_of_the_same_code_is_refused_as_by_cloudformation(tmp_path) -> None:
    same = TEMPLATE.replace(
        "  Live:\n",
        "  Two: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Fn}, DependsOn: One}\n  Live:\n",
    )

    async def scenario(world):
        stack = await world.deploy(same)
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert "A version for this Lambda function exists ( 1 )" in str(await world.events())

    run(tmp_path, scenario)


def test_weights_are_declared_as_a_list_and_sent_by_version() -> None:
    declared = {"RoutingConfig": {"AdditionalVersionWeights": [{"FunctionVersion": "2", "FunctionWeight": 0.5}]}}
    assert routing(declared) == {"AdditionalVersionWeights": {"2": 0.5}}
    assert routing({}) == {"AdditionalVersionWeights": {}}


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"FunctionName": "orders", "Qualifier": "live"}, {"FunctionName": "orders", "Qualifier": "live"}),
        ({"FunctionName": "orders", "Qualifier": ""}, {"FunctionName": "orders"}),
        (
            {"FunctionName": "arn:aws:lambda:r:1:function:orders:live"},
            {"FunctionName": "arn:aws:lambda:r:1:function:orders:live"},
        ),
    ],
)
def test_a_qualifier_that_is_not_declared_is_not_sent(declared, expected) -> None:
    assert named(declared) == expected


def test_layers_are_published_shared_and_deleted(tmp_path) -> None:
    async def scenario(world):
        sha256 = await world.assets.put(inline_zip("A = 1", "python3.12"))
        layered = f"""
Resources:
{FUNCTION.replace("      Code:", "      Layers: [!Ref Tools]" + chr(10) + "      Code:")}
  Tools:
    Type: AWS::Lambda::LayerVersion
    Properties:
      Content: {{S3Bucket: gatepost-assets, S3Key: {sha256}}}
      CompatibleRuntimes: [python3.12]
      LayerName: tools
      Description: one
  Shared:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: {{Action: "lambda:GetLayerVersion", LayerVersionArn: !Ref Tools, Principal: "*"}}
"""
        steps = goes_through(world, layered, layered.replace("Description: one", "Description: two"))
        await anext(steps)
        arn = (await world.resources())["Tools"]
        function = await world.do("lambda", "GetFunctionConfiguration", FunctionName="orders")
        assert [layer["Arn"] for layer in function["Layers"]] == [arn]
        policy = await world.do("lambda", "GetLayerVersionPolicy", **version_of(arn))
        assert "lambda:GetLayerVersion" in policy["Policy"]
        await anext(steps)
        changed = (await world.resources())["Tools"]
        function = await world.do("lambda", "GetFunctionConfiguration", FunctionName="orders")
        assert [layer["Arn"] for layer in function["Layers"]] == [changed]
        assert changed.endswith(":2")
        assert [one async for one in steps] == []
        assert await world.do("lambda", "ListLayers") == {"Layers": []}

    run(tmp_path, scenario)


MAY_INVOKE = "{Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'lambda:InvokeFunction', Resource: '*'}]}"
ASYNCHRONOUS = f"""
Resources:
{FUNCTION.replace("{Assume", f"{{Policies: [{{PolicyName: p, PolicyDocument: {MAY_INVOKE}}}], Assume")}
  Config:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Fn
      Qualifier: $LATEST
      MaximumRetryAttempts: 1
      DestinationConfig: {{OnSuccess: {{Destination: !GetAtt Fn.Arn}}}}
"""


def test_asynchronous_invocation_is_set_changed_and_reset(tmp_path) -> None:
    async def scenario(world):
        steps = goes_through(
            world,
            ASYNCHRONOUS,
            ASYNCHRONOUS.replace("MaximumRetryAttempts", "MaximumEventAgeInSeconds").replace(": 1\n", ": 60\n"),
        )
        await anext(steps)
        found = await world.do("lambda", "GetFunctionEventInvokeConfig", FunctionName="orders")
        assert found["MaximumRetryAttempts"] == 1
        assert found["DestinationConfig"]["OnSuccess"]["Destination"].endswith(":function:orders")
        await anext(steps)
        found = await world.do("lambda", "GetFunctionEventInvokeConfig", FunctionName="orders")
        assert (found.get("MaximumRetryAttempts"), found["MaximumEventAgeInSeconds"]) == (None, 60)
        assert [one async for one in steps] == []

    run(tmp_path, scenario)


QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"


def test_destinations_elsewhere_need_their_endpoint_named() -> None:
    queued = ASYNCHRONOUS.replace("!GetAtt Fn.Arn", QUEUE)
    lettered = ASYNCHRONOUS.replace("      Code:", f"      DeadLetterConfig: {{TargetArn: {QUEUE}}}\n      Code:")
    for template in (queued, lettered):
        assert "there is no sqs here: name its endpoint with --service sqs=" in "\n".join(refusals(template))
        compiled(template, acceptance=Acceptance(forwarded=frozenset({"sqs"})))
    assert refusals(lettered.replace("sqs", "lambda"))


ADDRESSED = f"""
Resources:
{FUNCTION}
  Url:
    Type: AWS::Lambda::Url
    Properties: {{AuthType: NONE, TargetFunctionArn: !Ref Fn, Cors: {{AllowOrigins: ["*"]}}}}
  May:
    Type: AWS::Lambda::Permission
    Properties:
      {{Action: "lambda:InvokeFunctionUrl", FunctionName: !Ref Fn, Principal: "*", FunctionUrlAuthType: NONE}}
  MayInvoke:
    Type: AWS::Lambda::Permission
    Properties:
      {{Action: "lambda:InvokeFunction", FunctionName: !Ref Fn, Principal: "*", InvokedViaFunctionUrl: true}}
Outputs:
  Url: {{Value: !GetAtt Url.FunctionUrl}}
"""


def test_a_function_url_has_no_name_of_its_own() -> None:
    assert not Url().is_named({"TargetFunctionArn": "orders"})


def test_a_function_url_is_made_changed_and_deleted(tmp_path) -> None:
    async def scenario(world):
        changed = ADDRESSED.replace("AuthType: NONE, T", "AuthType: AWS_IAM, T").replace(
            ', Cors: {AllowOrigins: ["*"]}', ""
        )
        steps = goes_through(world, ADDRESSED, changed)
        stack = await anext(steps)
        url = await world.do("lambda", "GetFunctionUrlConfig", FunctionName="orders")
        assert stack["Outputs"][0]["OutputValue"] == url["FunctionUrl"]
        assert (url["AuthType"], url["Cors"]) == ("NONE", {"AllowOrigins": ["*"]})
        policy = await world.do("lambda", "GetPolicy", FunctionName="orders")
        assert "lambda:FunctionUrlAuthType" in policy["Policy"]
        assert '"lambda:InvokedViaFunctionUrl":"true"' in policy["Policy"]
        await anext(steps)
        url = await world.do("lambda", "GetFunctionUrlConfig", FunctionName="orders")
        assert (url["AuthType"], url.get("Cors")) == ("AWS_IAM", None)
        assert [one async for one in steps] == []

    run(tmp_path, scenario)


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Tools: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: {Bucket: gatepost-assets, Key: SHA}}}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(e, c): return 1"
      AutoPublishAlias: live
      Layers: [!Ref Tools]
      ReservedConcurrentExecutions: 2
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}
      FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ["*"]}}
      EventInvokeConfig: {MaximumRetryAttempts: 0}
"""


def test_what_sam_makes_of_a_function_is_all_enforced() -> None:
    found = compiled(SAM.replace("SHA", "a" * 64))
    types = sorted(resource.declaration.type for resource in found.resources.values())
    assert types == [
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Lambda::Version",
    ]


SCHEDULED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(e, c): return 1"
      Events:
        Nightly: {Type: Schedule, Properties: {Schedule: "rate(1 hour)", Input: '{"a":1}', Enabled: true}}
"""


def test_a_schedule_of_sam_is_a_rule_that_may_invoke_its_function(tmp_path) -> None:
    async def scenario(world):
        steps = goes_through(world, SCHEDULED, SCHEDULED.replace("rate(1 hour)", "cron(0 3 * * ? *)"))
        await anext(steps)
        (rule,) = (await world.do("events", "ListRules"))["Rules"]
        assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 hour)", "ENABLED")
        world.clock.advance(ms=3_600_000)
        world.functions.handlers["orders"] = seen.append
        await world.eventbridge.scheduler.fire_due()
        while not seen:
            await asyncio.sleep(0)
        await anext(steps)
        (rule,) = (await world.do("events", "ListRules"))["Rules"]
        assert rule["ScheduleExpression"] == "cron(0 3 * * ? *)"
        assert [one async for one in steps] == []
        assert (await world.do("events", "ListRules"))["Rules"] == []

    seen: list = []
    run(tmp_path, scenario)
    assert seen == [{"a": 1}]


STREAMED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      InlineCode: "def handler(e, c): return 1"
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 5
            FilterCriteria: {Filters: [{Pattern: '{"eventName":["INSERT"]}'}]}
"""


def test_a_stream_event_of_sam_is_a_mapping(tmp_path) -> None:
    async def scenario(world):
        changed = STREAMED.replace("BatchSize: 5", "MaximumRetryAttempts: 1")
        steps = goes_through(world, STREAMED, changed)
        await anext(steps)
        (mapping,) = (await world.do("lambda", "ListEventSourceMappings"))["EventSourceMappings"]
        assert (mapping["State"], mapping["BatchSize"], mapping["StartingPosition"]) == ("Enabled", 5, "TRIM_HORIZON")
        await anext(steps)
        (mapping,) = (await world.do("lambda", "ListEventSourceMappings"))["EventSourceMappings"]
        assert (mapping["BatchSize"], mapping["MaximumRetryAttempts"]) == (100, 1)
        assert [one async for one in steps] == []
        assert (await world.do("lambda", "ListEventSourceMappings"))["EventSourceMappings"] == []

    run(tmp_path, scenario)


def test_other_sources_are_refused() -> None:
    queue = STREAMED.replace("!GetAtt Table.StreamArn", "arn:aws:kinesis:us-east-1:000000000000:stream/x")
    assert any("use the ARN of a DynamoDB stream" in refusal for refusal in refusals(queue))
