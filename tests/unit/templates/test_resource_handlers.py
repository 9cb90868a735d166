"""Resource types by their services' real operations: made, changed in place, deleted."""
# ruff: noqa: E501 - templates are wide

import asyncio
import io
import json
import zipfile
from urllib.parse import unquote

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources.apigateway_stages import stage_patches
from gatepost.templates.resources.base import ResourceFailure
from gatepost.templates.resources.inline_code import inline_zip
from gatepost.templates.resources.lambda_ import code_parameters
from tests.support.stacks import a_stack_world

TRUST = "{Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}"
POLICY = "{Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'dynamodb:GetItem', Resource: '*'}]}"


def run(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            return await scenario(world)

    return asyncio.run(whole())


async def goes_through(world, *templates, **params):
    """Deploy one template after the other, then delete; give what `look` sees after each."""
    for template in templates:
        stack = await world.deploy(template, **params)
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), await world.events()
        yield stack
    await world.cfn("DeleteStack", StackName="shop")
    stack = await world.settled(stack["StackId"])
    assert stack["StackStatus"] == "DELETE_COMPLETE", await world.events(stack["StackId"])


IDENTITIES = f"""
Resources:
  Readers: {{Type: AWS::IAM::Group, Properties: {{GroupName: readers, Path: /a/}}}}
  Ana:
    Type: AWS::IAM::User
    Properties:
      UserName: ana
      Groups: [!Ref Readers]
      Policies: [{{PolicyName: own, PolicyDocument: {POLICY}}}]
  Key: {{Type: AWS::IAM::AccessKey, Properties: {{UserName: !Ref Ana}}}}
  Role: {{Type: AWS::IAM::Role, Properties: {{RoleName: app, AssumeRolePolicyDocument: {TRUST}}}}}
  Inline: {{Type: AWS::IAM::Policy, Properties: {{PolicyName: inline, Roles: [!Ref Role], Groups: [!Ref Readers], PolicyDocument: {POLICY}}}}}
  Single: {{Type: AWS::IAM::RolePolicy, Properties: {{PolicyName: single, RoleName: !Ref Role, PolicyDocument: {POLICY}}}}}
  Managed: {{Type: AWS::IAM::ManagedPolicy, Properties: {{ManagedPolicyName: m, Roles: [!Ref Role], PolicyDocument: {POLICY}}}}}
  Profile: {{Type: AWS::IAM::InstanceProfile, Properties: {{InstanceProfileName: p, Roles: [!Ref Role]}}}}
  Bo: {{Type: AWS::IAM::User, Properties: {{UserName: bo}}}}
  Join: {{Type: AWS::IAM::UserToGroupAddition, Properties: {{GroupName: !Ref Readers, Users: [!Ref Bo]}}}}
Outputs:
  Secret: {{Value: !GetAtt Key.SecretAccessKey}}
"""


def test_identities_are_made_changed_and_deleted(tmp_path):
    async def scenario(world):
        changed = (
            IDENTITIES.replace("Groups: [!Ref Readers], PolicyDocument", "Users: [!Ref Bo], PolicyDocument")
            .replace("PolicyName: own", "PolicyName: other")
            .replace("Users: [!Ref Bo]}}", "Users: [!Ref Ana]}}")
            .replace("ManagedPolicyName: m, Roles: [!Ref Role]", "ManagedPolicyName: m, Users: [!Ref Bo]")
            .replace("dynamodb:GetItem", "dynamodb:PutItem")
        )
        steps = goes_through(world, IDENTITIES, changed)
        stack = await anext(steps)
        key = (await world.resources())["Key"]
        assert key.startswith("AKIA")
        assert world.directory.find(key, "", 0).secret_access_key == stack["Outputs"][0]["OutputValue"]
        members = (await world.do("iam", "GetGroup", GroupName="readers"))["Users"]
        assert sorted(user["UserName"] for user in members) == ["ana", "bo"]
        assert (await world.do("iam", "ListRolePolicies", RoleName="app"))["PolicyNames"] == ["inline", "single"]
        attached = (await world.do("iam", "ListAttachedRolePolicies", RoleName="app"))["AttachedPolicies"]
        assert [policy["PolicyName"] for policy in attached] == ["m"]
        await anext(steps)
        assert (await world.do("iam", "ListGroupPolicies", GroupName="readers"))["PolicyNames"] == []
        assert (await world.do("iam", "ListUserPolicies", UserName="bo"))["PolicyNames"] == ["inline"]
        assert (await world.do("iam", "ListUserPolicies", UserName="ana"))["PolicyNames"] == ["other"]
        policy = await world.do("iam", "GetRolePolicy", RoleName="app", PolicyName="single")
        assert "dynamodb:PutItem" in unquote(policy["PolicyDocument"])
        arn = (await world.resources())["Managed"]
        assert len((await world.do("iam", "ListPolicyVersions", PolicyArn=arn))["Versions"]) == 2
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
        assert (await world.do("iam", "ListUsers"))["Users"] == []
        assert (await world.do("iam", "ListPolicies", Scope="Local"))["Policies"] == []

    run(tmp_path, scenario)


TABLE = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: day, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: until, Enabled: true}
      GlobalSecondaryIndexes:
        - IndexName: byDay
          KeySchema: [{AttributeName: day, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
"""


def test_a_table_is_made_and_changed(tmp_path):
    async def scenario(world):
        changed = (
            TABLE.replace("byDay", "perDay")
            .replace(
                "TimeToLiveSpecification: {AttributeName: until, Enabled: true}", "DeletionProtectionEnabled: true"
            )
            .replace(
                "PAY_PER_REQUEST",
                "PROVISIONED\n      ProvisionedThroughput: {ReadCapacityUnits: 5, WriteCapacityUnits: 6}",
            )
            .replace(
                "Projection: {ProjectionType: ALL}",
                "Projection: {ProjectionType: KEYS_ONLY}\n          ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}",
            )
        )
        await world.deploy(TABLE)
        ttl = await world.do("dynamodb", "DescribeTimeToLive", TableName="orders")
        assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        table = (await world.do("dynamodb", "DescribeTable", TableName="orders"))["Table"]
        assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["perDay"]
        assert table["DeletionProtectionEnabled"] is True
        assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 6
        stack = await world.deploy(TABLE)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        table = (await world.do("dynamodb", "DescribeTable", TableName="orders"))["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    run(tmp_path, scenario)


def test_a_tables_maximum_on_demand_is_set_changed_and_taken_away(tmp_path):
    async def scenario(world):
        def bounded(reads, writes):
            return TABLE.replace(
                "TableName: orders", f"TableName: orders\n      OnDemandThroughput: {{MaxReadRequestUnits: {reads}}}"
            ).replace(
                "Projection: {ProjectionType: ALL}",
                "Projection: {ProjectionType: ALL}\n"
                f"          OnDemandThroughput: {{MaxWriteRequestUnits: {writes}}}",
            )

        async def maxima():
            table = (await world.do("dynamodb", "DescribeTable", TableName="orders"))["Table"]
            (index,) = table["GlobalSecondaryIndexes"]
            return [
                (
                    one.get("OnDemandThroughput", {}).get("MaxReadRequestUnits"),
                    one.get("OnDemandThroughput", {}).get("MaxWriteRequestUnits"),
                )
                for one in (table, index)
            ]

        for template, expected in (
            (bounded(5, 6), [(5, -1), (-1, 6)]),
            (bounded(7, 8), [(7, -1), (-1, 8)]),
            (TABLE, [(None, None), (None, None)]),
        ):
            stack = await world.deploy(template)
            assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), await world.events()
            assert await maxima() == expected

    run(tmp_path, scenario)


@pytest.mark.parametrize("failing", ["UpdateTimeToLive", "DescribeTimeToLive"])
def test_a_tables_update_that_fails_half_way_is_undone(tmp_path, failing):
    async def scenario(world):
        await world.deploy(TABLE)
        broken = []

        def fail(service, operation, params):
            if operation == failing and not broken:
                broken.append(operation)
                raise ServiceError("stuck")

        world.before_call = fail
        changed = TABLE.replace("byDay", "perDay").replace("Enabled: true", "Enabled: false")
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", await world.events()
        table = (await world.do("dynamodb", "DescribeTable", TableName="orders"))["Table"]
        assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["byDay"]

    run(tmp_path, scenario)


API = """
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: shop
      BinaryMediaTypes: [image/png]
      Body:
        openapi: 3.0.1
        info: {title: from the body, version: "1"}
        paths:
          /orders: {get: {x-amazon-apigateway-integration: {type: mock, requestTemplates: {application/json: '{"statusCode": 200}'}}, responses: {}}}
  Deployment: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref Api, Description: one}}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      DeploymentId: !Ref Deployment
      StageName: prod
      Variables: {a: one, b: two}
      MethodSettings: [{ResourcePath: /*, HttpMethod: "*", MetricsEnabled: true}]
  Denied: {Type: AWS::ApiGateway::GatewayResponse, Properties: {RestApiId: !Ref Api, ResponseType: ACCESS_DENIED, StatusCode: "403"}}
"""


def test_an_api_with_a_body_is_made_and_changed(tmp_path):
    async def scenario(world):
        changed = (
            API.replace("/orders:", "/carts:")
            .replace("a: one, b: two", "a: three")
            .replace("image/png", "image/webp")
            .replace("Description: one", "Description: two")
            .replace("MetricsEnabled: true", "MetricsEnabled: false")
        )
        steps = goes_through(world, API, changed, Tags=[{"Key": "team", "Value": "x"}])
        await anext(steps)
        api_id = (await world.resources())["Api"]
        api = await world.do("apigateway", "GetRestApi", restApiId=api_id)
        assert api["name"] == "shop"  # the template's word wins over the body's
        assert api["binaryMediaTypes"] == ["image/png"]
        assert api["tags"]["team"] == "x"
        await anext(steps)
        assert (await world.resources())["Api"] == api_id
        resources = await world.do("apigateway", "GetResources", restApiId=api_id)
        assert sorted(resource["path"] for resource in resources["items"]) == ["/", "/carts"]
        stage = await world.do("apigateway", "GetStage", restApiId=api_id, stageName="prod")
        assert stage["variables"] == {"a": "three"}
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
        assert (await world.do("apigateway", "GetRestApis"))["items"] == []

    run(tmp_path, scenario)


OPENAPI = """
openapi: 3.0.1
info: {title: by file, version: "1"}
paths:
  /carts: {get: {x-amazon-apigateway-integration: {type: mock}, responses: {}}}
"""


@pytest.mark.parametrize("how", ["DefinitionUri", "Include"])
def test_an_openapi_file_makes_a_sam_api(tmp_path, how):
    async def scenario(world):
        sha256 = await world.assets.put(OPENAPI.encode())
        location = f"s3://gatepost-assets/{sha256}"
        definition = {
            "DefinitionUri": f"DefinitionUri: '{location}'",
            "Include": "DefinitionBody: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: '"
            + location
            + "'}}}",
        }[how]
        template = (
            "Transform: AWS::Serverless-2016-10-31\n"
            f"Resources: {{Api: {{Type: AWS::Serverless::Api, Properties: {{StageName: prod, {definition}}}}}}}\n"
        )
        stack = await world.deploy(template)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        api_id = (await world.resources())["Api"]
        resources = await world.do("apigateway", "GetResources", restApiId=api_id)
        assert sorted(resource["path"] for resource in resources["items"]) == ["/", "/carts"]

    run(tmp_path, scenario)


def test_a_tag_pins_an_apis_id(tmp_path):
    async def scenario(world):
        template = "Resources: {Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: a, Tags: [{Key: _custom_id_, Value: mine}]}}}\n"
        await world.deploy(template)
        assert await world.resources() == {"Api": "mine"}
        await world.deploy(template, name="thief")
        assert (await world.cfn("DescribeStacks", StackName="thief"))["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
        assert (await world.do("apigateway", "GetRestApi", restApiId="mine"))["id"] == "mine"

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("path", "verb", "key"),
    [
        ("/*", "*", "*/*"),
        ("/orders", "GET", "~1orders/GET"),
        ("/~1orders~1{id}", "*", "~1orders~1{id}/*"),
        ("/", "GET", "~1/GET"),
    ],
)
def test_method_settings_are_patched_under_their_key(path, verb, key):
    setting = {"ResourcePath": path, "HttpMethod": verb, "MetricsEnabled": True}
    assert stage_patches({}, {"MethodSettings": [setting]}) == [
        {"op": "replace", "path": f"/{key}/metrics/enabled", "value": "true"}
    ]
    assert stage_patches({"MethodSettings": [setting]}, {}) == [{"op": "remove", "path": f"/{key}"}]


FUNCTION = f"""
Resources:
  Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {TRUST}}}}}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 10
      Environment: {{Variables: {{TABLE: one}}}}
      Code: {{ZipFile: "def handler(e, c): return 1"}}
"""


def test_a_functions_code_and_configuration_are_changed_in_place(tmp_path):
    async def scenario(world):
        changed = (
            FUNCTION.replace("return 1", "return 2")
            .replace("      Timeout: 10\n", "")
            .replace("TABLE: one", "TABLE: two")
        )
        steps = goes_through(world, FUNCTION, changed)
        await anext(steps)
        name = (await world.resources())["Fn"]
        first = await world.do("lambda", "GetFunctionConfiguration", FunctionName=name)
        await anext(steps)
        second = await world.do("lambda", "GetFunctionConfiguration", FunctionName=name)
        assert (first["Timeout"], second["Timeout"]) == (10, 3)  # back to AWS's default
        assert second["Environment"]["Variables"] == {"TABLE": "two"}
        assert first["CodeSha256"] != second["CodeSha256"]
        with pytest.raises(StopAsyncIteration):
            await anext(steps)

    run(tmp_path, scenario)


def test_inline_code_is_packed_as_index_beside_cfnresponse():
    package = inline_zip("x = 1", "python3.11")
    assert zipfile.ZipFile(io.BytesIO(package)).namelist() == ["cfnresponse.py", "index.py"]
    assert package == inline_zip("x = 1", "python3.11")
    package = inline_zip("let x = 1", "nodejs22.x")
    assert zipfile.ZipFile(io.BytesIO(package)).namelist() == ["index.js", "node_modules/cfn-response.js"]


def test_inline_code_is_bounded():
    with pytest.raises(ResourceFailure, match="use a code folder"):
        code_parameters({"Code": {"ZipFile": "x" * (4 * 1024 * 1024 + 1)}, "Runtime": "python3.11"})


def test_a_function_whose_runtime_was_accepted_as_a_gap_fails_with_what_would_run():
    with pytest.raises(ResourceFailure, match=r"are mandatory .* was left out: use python3.9"):
        code_parameters({"Code": {"S3Bucket": "b", "S3Key": "k"}, "Handler": "app.handler"})


def test_logs_are_made_and_changed(tmp_path):
    async def scenario(world):
        template = """
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: g, RetentionInDays: 7, Tags: [{Key: a, Value: b}]}}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group, LogStreamName: s}}
Outputs: {Arn: {Value: !GetAtt Group.Arn}}
"""
        changed = template.replace(", RetentionInDays: 7", "").replace("Value: b", "Value: c")
        steps = goes_through(world, template, changed)
        stack = await anext(steps)
        arn = stack["Outputs"][0]["OutputValue"]
        assert arn == "arn:aws:logs:us-east-1:000000000000:log-group:g:*"
        await anext(steps)
        group = (await world.do("logs", "DescribeLogGroups"))["logGroups"][0]
        assert "retentionInDays" not in group
        tags = await world.do("logs", "ListTagsForResource", resourceArn=arn.removesuffix(":*"))
        assert tags["tags"] == {"a": "c"}
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
        assert json.dumps(await world.do("logs", "DescribeLogGroups")).count("logGroupName") == 0

    run(tmp_path, scenario)
