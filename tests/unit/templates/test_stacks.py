"""The template engine over the real services: create, update, replace, roll back, delete, resume."""

import asyncio
import json
from urllib.parse import unquote

import pytest
import yaml

from gatepost.kernel.errors import ServiceError
from gatepost.templates.acceptance import Acceptance
from tests.support.stacks import a_stack_world

TRUST = (
    "{Version: 2012-10-17, Statement: "
    "[{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}"
)


def table(name="", extra=""):
    named = f"TableName: {name}, " if name else ""
    return (
        f"{{Type: AWS::DynamoDB::Table{extra}, Properties: {{{named}BillingMode: PAY_PER_REQUEST, "
        "AttributeDefinitions: [{AttributeName: id, AttributeType: S}], "
        "KeySchema: [{AttributeName: id, KeyType: HASH}]}}"
    )


def role(description="x", resource="'*'", extra=""):
    return (
        f"{{Type: AWS::IAM::Role{extra}, Properties: {{Description: {description}, AssumeRolePolicyDocument: {TRUST}, "
        "Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-17, Statement: "
        f"[{{Effect: Allow, Action: 'dynamodb:*', Resource: {resource}}}]}}}}]}}}}"
    )


def of(outputs="", **resources):
    text = "Resources:\n" + "".join(f"  {name}: {body}\n" for name, body in resources.items())
    return text + (f"Outputs: {outputs}\n" if outputs else "")


def nested(sha256):
    url = f"https://gatepost-assets.s3.amazonaws.com/{sha256}/child.yaml"
    return f"{{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: '{url}', Parameters: {{Name: one}}}}}}"


def run(tmp_path, scenario, **options):
    async def whole():
        async with a_stack_world(tmp_path, **options) as world:
            return await scenario(world)

    return asyncio.run(whole())


def broken(name="Bad"):
    """A resource whose creation fails: the log group's name is not allowed."""
    return {name: "{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: 'not allowed!'}}"}


def test_a_stack_is_created_with_its_outputs_and_events(tmp_path):
    async def scenario(world):
        template = of(
            "{Name: {Value: !Ref Table, Description: d}}", Role=role(resource="!GetAtt Table.Arn"), Table=table()
        )
        stack = await world.deploy(template)
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        name = (await world.resources())["Table"]
        assert name.startswith("shop-Table-")
        assert stack["Outputs"] == [{"OutputKey": "Name", "OutputValue": name, "Description": "d"}]
        assert await world.events() == [
            "shop CREATE_IN_PROGRESS: User Initiated",
            "Table CREATE_IN_PROGRESS",
            "Table CREATE_IN_PROGRESS: Resource creation Initiated",
            "Table CREATE_COMPLETE",
            "Role CREATE_IN_PROGRESS",
            "Role CREATE_IN_PROGRESS: Resource creation Initiated",
            "Role CREATE_COMPLETE",
            "shop CREATE_COMPLETE",
        ]
        policy = await world.do("iam", "GetRolePolicy", RoleName=(await world.resources())["Role"], PolicyName="p")
        assert f"table/{name}" in unquote(policy["PolicyDocument"])

    run(tmp_path, scenario)


def test_names_are_the_same_on_every_machine_and_after_every_redeployment(tmp_path):
    async def scenario(world):
        await world.deploy(of(Table=table(), Api="{Type: AWS::ApiGateway::RestApi, Properties: {Name: a}}"))
        first = await world.resources()
        await world.cfn("DeleteStack", StackName="shop")
        await world.stacks.close()
        return first

    first = run(tmp_path / "one", scenario)
    assert run(tmp_path / "two", scenario) == first
    assert len(first["Api"]) == 10


def test_a_failed_creation_is_rolled_back(tmp_path):
    async def scenario(world):
        stack = await world.deploy(
            of(
                Table=table(),
                Bad="{Type: AWS::Logs::LogGroup, DependsOn: Table, Properties: {LogGroupName: 'not allowed!'}}",
            )
        )
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert await world.resources() == {}
        assert (await world.do("dynamodb", "ListTables"))["TableNames"] == []
        events = await world.events()
        assert any(event.startswith("Bad CREATE_FAILED: Resource handler returned message:") for event in events)
        assert (
            "shop ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Bad]. Rollback requested by user."
            in events
        )
        with pytest.raises(ServiceError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
            await world.deploy(of(Table=table()))

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("options", "status", "kept"),
    [
        ({"DisableRollback": True}, "CREATE_FAILED", True),
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", True),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", False),
        ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE", False),
    ],
)
def test_a_failed_creation_does_what_on_failure_says(tmp_path, options, status, kept):
    async def scenario(world):
        template = of(
            Table=table("kept"), Bad="{Type: AWS::Logs::LogGroup, DependsOn: Table, Properties: {LogGroupName: 'no!'}}"
        )
        assert (await world.deploy(template, **options))["StackStatus"] == status
        assert ((await world.do("dynamodb", "ListTables"))["TableNames"] == ["kept"]) is kept

    run(tmp_path, scenario)


def test_what_stood_before_is_never_deleted_by_a_rollback(tmp_path):
    async def scenario(world):
        await world.do("logs", "CreateLogGroup", logGroupName="mine")
        template = of(Group="{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: mine}}")
        assert (await world.deploy(template))["StackStatus"] == "ROLLBACK_COMPLETE"
        groups = (await world.do("logs", "DescribeLogGroups"))["logGroups"]
        assert [group["logGroupName"] for group in groups] == ["mine"]

    run(tmp_path, scenario)


def test_an_update_changes_in_place_replaces_adds_and_removes(tmp_path):
    async def scenario(world):
        await world.deploy(
            of(
                Stays=table(),
                Role=role("old"),
                Key="{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: a}}",
                Goes=table(),
            )
        )
        before = await world.resources()
        stack = await world.deploy(
            of(
                Stays=table(),
                Role=role("new"),
                Key="{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: b}}",
                Comes=table(),
            )
        )
        assert stack["StackStatus"] == "UPDATE_COMPLETE"
        after = await world.resources()
        assert after["Stays"] == before["Stays"]
        assert after["Role"] == before["Role"]
        assert (before["Key"], after["Key"]) == ("a", "b")
        assert set(after) == {"Stays", "Role", "Key", "Comes"}
        assert (await world.do("iam", "GetRole", RoleName=after["Role"]))["Role"]["Description"] == "new"
        tables = (await world.do("dynamodb", "ListTables"))["TableNames"]
        assert sorted(tables) == sorted([after["Stays"], after["Comes"]])
        groups = [group["logGroupName"] for group in (await world.do("logs", "DescribeLogGroups"))["logGroups"]]
        assert groups == ["b"]
        events = await world.events()
        assert (
            "Key UPDATE_IN_PROGRESS: "
            "Requested update requires the creation of a new physical resource; hence creating one." in events
        )
        assert events.index("shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < events.index("Goes DELETE_COMPLETE")
        assert events[-1] == "shop UPDATE_COMPLETE"

    run(tmp_path, scenario)


def test_what_refers_to_a_replaced_resource_is_changed_too(tmp_path):
    async def scenario(world):
        template = of("{Arn: {Value: !GetAtt Table.Arn}}", Role=role(resource="!GetAtt Table.Arn"), Table=table("one"))
        await world.deploy(template)
        stack = await world.deploy(template.replace("TableName: one", "TableName: two"))
        assert stack["Outputs"][0]["OutputValue"].endswith("table/two")
        policy = await world.do("iam", "GetRolePolicy", RoleName=(await world.resources())["Role"], PolicyName="p")
        assert "table/two" in unquote(policy["PolicyDocument"])

    run(tmp_path, scenario)


def test_a_failed_update_goes_back_to_the_last_good_state(tmp_path):
    async def scenario(world):
        good = of(
            "{N: {Value: !Ref Key, Export: {Name: key}}}",
            Role=role("old", "!GetAtt Table.Arn"),
            Table=table("one"),
            Key="{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: a, RetentionInDays: 7}}",
            Goes=table(),
        )
        await world.deploy(good)
        before = await world.resources()
        stack = await world.deploy(
            of(
                Role=role("new", "!GetAtt Table.Arn"),
                Table=table("two"),
                Key="{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: a, RetentionInDays: 30}}",
                Comes=table(),
                Bad="{Type: AWS::Logs::LogGroup, DependsOn: [Role, Key, Comes], Properties: {LogGroupName: 'no!'}}",
            )
        )
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert await world.resources() == before
        assert (await world.do("iam", "GetRole", RoleName=before["Role"]))["Role"]["Description"] == "old"
        policy = await world.do("iam", "GetRolePolicy", RoleName=before["Role"], PolicyName="p")
        assert "table/one" in unquote(policy["PolicyDocument"])
        assert sorted((await world.do("dynamodb", "ListTables"))["TableNames"]) == sorted([before["Goes"], "one"])
        groups = (await world.do("logs", "DescribeLogGroups"))["logGroups"]
        assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [("a", 7)]
        exports = (await world.cfn("ListExports"))["Exports"]
        assert [export["Value"] for export in exports] == ["a"]
        with pytest.raises(ServiceError, match="No updates are to be performed"):
            await world.deploy(good)

    run(tmp_path, scenario)


def test_a_failed_update_without_rollback_can_be_rolled_back_later(tmp_path):
    async def scenario(world):
        await world.deploy(of(Role=role("old")))
        bad = of(
            Role=role("new"), Bad="{Type: AWS::Logs::LogGroup, DependsOn: Role, Properties: {LogGroupName: 'no!'}}"
        )
        stack = await world.deploy(bad, DisableRollback=True)
        assert stack["StackStatus"] == "UPDATE_FAILED"
        name = (await world.resources())["Role"]
        assert (await world.do("iam", "GetRole", RoleName=name))["Role"]["Description"] == "new"
        await world.cfn("RollbackStack", StackName="shop")
        assert (await world.settled("shop"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert (await world.do("iam", "GetRole", RoleName=name))["Role"]["Description"] == "old"

    run(tmp_path, scenario)


def test_a_rollback_that_fails_can_be_continued(tmp_path):
    async def scenario(world):
        await world.deploy(of(Role=role("old")))

        def refuse(service, operation, params):
            if operation == "UpdateRole" and params["Description"] == "old" and not world.is_repaired:
                raise ServiceError("the role is stuck")

        world.is_repaired = False
        world.before_call = refuse
        bad = of(
            Role=role("new"), Bad="{Type: AWS::Logs::LogGroup, DependsOn: Role, Properties: {LogGroupName: 'no!'}}"
        )
        assert (await world.deploy(bad))["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
        world.is_repaired = True
        await world.cfn("ContinueUpdateRollback", StackName="shop")
        assert (await world.settled("shop"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    run(tmp_path, scenario)


def test_a_running_update_can_be_cancelled(tmp_path):
    async def scenario(world):
        await world.deploy(of(Role=role("old")))
        cancelled = []

        def cancel(service, operation, params):
            if operation == "UpdateRole" and not cancelled:
                cancelled.append(asyncio.ensure_future(world.cfn("CancelUpdateStack", StackName="shop")))

        world.before_call = cancel
        await world.cfn(
            "UpdateStack",
            StackName="shop",
            TemplateBody=of(Role=role("new"), Later=role("x", extra=", DependsOn: Role")),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        stack = await world.settled("shop")
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert set(await world.resources()) == {"Role"}

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("policy", "deleted", "rolled_back"),
    [("Delete", True, True), ("Retain", False, False), ("RetainExceptOnCreate", False, True)],
)
def test_a_deletion_policy_decides(tmp_path, policy, deleted, rolled_back):
    async def scenario(world):
        extra = f", DeletionPolicy: {policy}"
        await world.deploy(of(Table=table("kept", extra)))
        await world.cfn("DeleteStack", StackName="shop")
        stack_id = (await world.cfn("ListStacks"))["StackSummaries"][0]["StackId"]
        await world.settled(stack_id)
        names = (await world.do("dynamodb", "ListTables"))["TableNames"]
        assert (names == []) is deleted
        if not deleted:
            assert "Table DELETE_SKIPPED" in await world.events(stack_id)
        bad = of(
            Table=table("other", extra),
            Bad="{Type: AWS::Logs::LogGroup, DependsOn: Table, Properties: {LogGroupName: 'no!'}}",
        )
        await world.deploy(bad)
        assert ("other" not in (await world.do("dynamodb", "ListTables"))["TableNames"]) is rolled_back

    run(tmp_path, scenario)


def test_a_retained_resource_that_comes_back_gets_a_new_name(tmp_path):
    async def scenario(world):
        other = table("other")
        await world.deploy(of(Table=table(extra=", DeletionPolicy: Retain"), Other=other))
        first = (await world.resources())["Table"]
        await world.deploy(of(Other=other))
        assert set(await world.resources()) == {"Other"}
        assert (await world.deploy(of(Table=table(), Other=other)))["StackStatus"] == "UPDATE_COMPLETE"
        assert (await world.resources())["Table"] != first

    run(tmp_path, scenario)


def test_a_replaced_resource_is_kept_where_the_policy_says_so(tmp_path):
    async def scenario(world):
        extra = ", UpdateReplacePolicy: Retain"
        await world.deploy(of(Table=table("one", extra)))
        await world.deploy(of(Table=table("two", extra)))
        assert sorted((await world.do("dynamodb", "ListTables"))["TableNames"]) == ["one", "two"]

    run(tmp_path, scenario)


def test_a_custom_name_cannot_be_replaced_by_itself(tmp_path):
    async def scenario(world):
        template = of(Table=table("one"))
        await world.deploy(template)
        changed = template.replace("AttributeName: id", "AttributeName: key")
        assert (await world.deploy(changed))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert any("Rename one and update the stack again" in event for event in await world.events())

    run(tmp_path, scenario)


def test_tags_of_the_stack_reach_its_resources(tmp_path):
    async def scenario(world):
        template = of(Table=table())
        await world.deploy(
            template, Tags=[{"Key": "team", "Value": "shop"}, {"Key": "gatepost:template", "Value": "t.yaml"}]
        )
        name = (await world.resources())["Table"]
        arn = (await world.do("dynamodb", "DescribeTable", TableName=name))["Table"]["TableArn"]
        assert (await world.do("dynamodb", "ListTagsOfResource", ResourceArn=arn))["Tags"] == [
            {"Key": "team", "Value": "shop"}
        ]
        await world.deploy(template, Tags=[{"Key": "team", "Value": "carts"}])
        assert (await world.do("dynamodb", "ListTagsOfResource", ResourceArn=arn))["Tags"] == [
            {"Key": "team", "Value": "carts"}
        ]

    run(tmp_path, scenario)


def test_exports_are_imported_protected_and_freed(tmp_path):
    async def scenario(world):
        exporting = of("{N: {Value: !Ref T, Export: {Name: !Sub '${AWS::StackName}-t'}}}", T=table("ttt"))
        await world.deploy(exporting, name="base")
        importing = of("{N: {Value: !ImportValue base-t}}", T=table("uuu"))
        assert (await world.deploy(importing, name="top"))["Outputs"][0]["OutputValue"] == "ttt"
        assert (await world.cfn("ListImports", ExportName="base-t"))["Imports"] == ["top"]
        with pytest.raises(ServiceError, match="Cannot delete export base-t as it is in use by top"):
            await world.cfn("DeleteStack", StackName="base")
        assert (await world.deploy(of(T=table("ttt")), name="base"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        taken = await world.deploy(of("{N: {Value: x, Export: {Name: base-t}}}", T=table("vvv")), name="thief")
        assert taken["StackStatus"] == "ROLLBACK_COMPLETE"
        await world.cfn("DeleteStack", StackName="top")
        await world.settled((await world.cfn("ListStacks"))["StackSummaries"][0]["StackId"])
        assert (await world.cfn("ListExports"))["Exports"][0]["Name"] == "base-t"

    run(tmp_path, scenario)


def test_a_stack_acts_as_its_role(tmp_path):
    async def scenario(world):
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudformation.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        made = await world.do("iam", "CreateRole", RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))
        arn = made["Role"]["Arn"]
        assert (await world.deploy(of(T=table("ttt")), RoleARN=arn))["StackStatus"] == "ROLLBACK_COMPLETE"
        assert any("is not authorized to perform: dynamodb:CreateTable" in event for event in await world.events())
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
        await world.do("iam", "PutRolePolicy", RoleName="deployer", PolicyName="p", PolicyDocument=json.dumps(policy))
        assert (await world.deploy(of(T=table("ttt")), name="second", RoleARN=arn))["StackStatus"] == "CREATE_COMPLETE"

    run(tmp_path, scenario)


def test_a_role_that_cannot_be_assumed_ends_the_operation_instead_of_holding_the_stack_for_ever(tmp_path):
    async def scenario(world):
        trust = TRUST.replace("lambda", "cloudformation")
        with pytest.raises(ServiceError, match="role/none is invalid or cannot be assumed"):
            await world.deploy(of(T=table()), RoleARN="arn:aws:iam::000000000000:role/none")
        assert (await world.cfn("DescribeStacks"))["Stacks"] == []
        document = json.dumps(yaml.safe_load(trust.replace("2012-10-17", "'2012-10-17'")))
        made = await world.do("iam", "CreateRole", RoleName="brief", AssumeRolePolicyDocument=document)
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        policy = {"PolicyName": "p", "PolicyDocument": json.dumps(allowed)}
        await world.do("iam", "PutRolePolicy", RoleName="brief", **policy)
        stack = await world.deploy(of(T=table()), RoleARN=made["Role"]["Arn"])
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        await world.do("iam", "DeleteRolePolicy", RoleName="brief", PolicyName="p")
        await world.do("iam", "DeleteRole", RoleName="brief")
        await world.cfn("DeleteStack", StackName="shop")
        stack = await world.settled("shop")
        assert (stack["StackStatus"], "cannot be assumed" in stack["StackStatusReason"]) == ("DELETE_FAILED", True)

    run(tmp_path, scenario)


def test_accepted_gaps_have_a_name_and_an_arn(tmp_path):
    async def scenario(world):
        template = of(
            "{Arn: {Value: !GetAtt Topic.Arn}, Name: {Value: !GetAtt Topic.TopicName}}",
            Topic="{Type: AWS::SNS::Topic}",
            T=table("ttt"),
        )
        stack = await world.deploy(template)
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        assert stack["Outputs"][0]["OutputValue"].startswith("arn:aws:sns:us-east-1:000000000000:topic/shop-Topic-")

    run(tmp_path, scenario, acceptance=Acceptance(is_lenient=True))


@pytest.mark.parametrize("operation", ["CreateTable", "CreateRole", "PutRolePolicy"])
def test_an_interrupted_creation_is_rolled_back_at_the_next_start(tmp_path, operation):
    template = of(Role=role(resource="!GetAtt Table.Arn"), Table=table())

    async def first(world):
        stopped = asyncio.Event()

        def stop(service, name, params):
            if name == operation:
                stopped.set()
                raise asyncio.CancelledError

        world.before_call = stop
        made = await world.cfn("CreateStack", StackName="shop", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
        await stopped.wait()
        await world.stacks.close()
        return made["StackId"]

    async def second(world):
        assert (await world.cfn("DescribeStacks", StackName="shop"))["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
        assert await world.stacks.resume() == 1
        assert (await world.settled("shop"))["StackStatus"] == "ROLLBACK_COMPLETE"
        assert any("The operation was interrupted" in event for event in await world.events())
        assert (await world.do("dynamodb", "ListTables"))["TableNames"] == []
        assert (await world.do("iam", "ListRoles"))["Roles"] == []

    run(tmp_path, first)
    run(tmp_path, second)


def test_an_interrupted_update_is_rolled_back_and_an_interrupted_deletion_goes_on(tmp_path):
    async def first(world):
        await world.deploy(of(Role=role("old")))
        stopped = asyncio.Event()

        def stop(service, name, params):
            if name == "PutRolePolicy" or (name == "CreateTable"):
                stopped.set()
                raise asyncio.CancelledError

        world.before_call = stop
        new = of(Role=role("new"), Table=table(extra=", DependsOn: Role"))
        await world.cfn("UpdateStack", StackName="shop", TemplateBody=new, Capabilities=["CAPABILITY_IAM"])
        await stopped.wait()
        await world.stacks.close()

    async def second(world):
        await world.stacks.resume()
        assert (await world.settled("shop"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        name = (await world.resources())["Role"]
        assert (await world.do("iam", "GetRole", RoleName=name))["Role"]["Description"] == "old"
        stopped = asyncio.Event()

        def stop(service, operation, params):
            if operation == "DeleteRole":
                stopped.set()
                raise asyncio.CancelledError

        world.before_call = stop
        await world.cfn("DeleteStack", StackName="shop")
        await stopped.wait()
        await world.stacks.close()

    async def third(world):
        await world.stacks.resume()
        stack_id = (await world.cfn("ListStacks"))["StackSummaries"][0]["StackId"]
        assert (await world.settled(stack_id))["StackStatus"] == "DELETE_COMPLETE"
        assert (await world.do("iam", "ListRoles"))["Roles"] == []

    run(tmp_path, first)
    run(tmp_path, second)
    run(tmp_path, third)


def test_a_nested_stack_lives_with_its_parent(tmp_path):
    async def scenario(world):
        child = "Parameters: {Name: {Type: String}}\n" + of(
            "{Arn: {Value: !GetAtt T.Arn}}", T=table("'x'").replace("'x'", "!Ref Name")
        )
        sha256 = await world.assets.put(child.encode())
        parent = of(
            "{Arn: {Value: !GetAtt Child.Outputs.Arn}}",
            Child=nested(sha256),
        )
        stack = await world.deploy(parent)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert stack["Outputs"][0]["OutputValue"].endswith("table/one")
        child_id = (await world.resources())["Child"]
        described = (await world.cfn("DescribeStacks", StackName=child_id))["Stacks"][0]
        assert (described["ParentId"], described["RootId"]) == (stack["StackId"], stack["StackId"])
        stack = await world.deploy(parent.replace("Name: one", "Name: two"))
        assert stack["Outputs"][0]["OutputValue"].endswith("table/two")
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        assert (await world.do("dynamodb", "ListTables"))["TableNames"] == []

    run(tmp_path, scenario)


CUSTOM = f"""
Resources:
  Role: {role()}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      {{FunctionName: maker, Runtime: python3.11, Handler: index.h, Role: !GetAtt Role.Arn, Code: {{ZipFile: "x = 1"}}}}
  Thing: {{Type: Custom::Thing, Properties: {{ServiceToken: !GetAtt Fn.Arn, Size: 5, On: true}}}}
Outputs: {{Made: {{Value: !GetAtt Thing.Name}}, Ref: {{Value: !Ref Thing}}}}
"""


def test_a_custom_resource_is_made_changed_replaced_and_deleted_by_its_function(tmp_path):
    async def scenario(world):
        seen = []

        def handler(event):
            seen.append(event)
            physical_id = f"thing-{event['ResourceProperties']['Size']}"
            world.respond(
                event, PhysicalResourceId=physical_id, Data={"Name": f"n{event['ResourceProperties']['Size']}"}
            )

        world.functions.handlers["maker"] = handler
        stack = await world.deploy(CUSTOM)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]} == {"Made": "n5", "Ref": "thing-5"}
        assert seen[0]["RequestType"] == "Create"
        assert seen[0]["ResourceProperties"]["Size"] == "5"  # texts, as AWS sends them
        assert seen[0]["ResourceProperties"]["On"] == "true"
        stack = await world.deploy(CUSTOM.replace("Size: 5", "Size: 6"))
        assert [event["RequestType"] for event in seen] == ["Create", "Update", "Delete"]  # the old one goes
        assert seen[1]["OldResourceProperties"]["Size"] == "5"
        assert seen[2]["PhysicalResourceId"] == "thing-5"
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        assert (seen[3]["RequestType"], seen[3]["PhysicalResourceId"]) == ("Delete", "thing-6")

    run(tmp_path, scenario)


def test_a_custom_resource_that_says_no_fails_with_its_reason(tmp_path):
    async def scenario(world):
        seen = []

        def handler(event):
            seen.append(event["RequestType"])
            answer = {"Status": "FAILED", "Reason": "no room"} if event["RequestType"] == "Create" else {}
            world.respond(event, PhysicalResourceId="p", **answer)

        world.functions.handlers["maker"] = handler
        assert (await world.deploy(CUSTOM))["StackStatus"] == "ROLLBACK_COMPLETE"
        assert any("Message returned: no room" in event for event in await world.events())
        assert seen == ["Create", "Delete"]

    run(tmp_path, scenario)


def test_a_custom_resource_whose_function_breaks_fails_at_once(tmp_path):
    async def scenario(world):
        world.functions.handlers["maker"] = lambda event: 1 / 0
        assert (await world.deploy(CUSTOM))["StackStatus"] == "ROLLBACK_COMPLETE"
        assert any(
            "failed without an answer" in event and "division by zero" in event for event in await world.events()
        )

    run(tmp_path, scenario)


def test_a_change_set_says_what_will_not_be_enforced(tmp_path):
    async def scenario():
        async with a_stack_world(tmp_path) as world:
            template = of(Table=table().replace("KeySchema:", "KinesisStreamSpecification: {StreamArn: x}, KeySchema:"))
            made = await world.cfn(
                "CreateChangeSet",
                StackName="shop",
                ChangeSetName="first",
                ChangeSetType="CREATE",
                TemplateBody=template,
                Tags=[{"Key": "gatepost:lenient", "Value": "true"}],
            )
            described = await world.cfn("DescribeChangeSet", ChangeSetName=made["Id"])
            return described["Status"], described["StatusReason"]

    status, reason = asyncio.run(scenario())
    assert status == "CREATE_COMPLETE"
    assert reason.startswith("lenient: template:2: Resources/Table/Properties/KinesisStreamSpecification: ")


def test_what_a_deleted_stack_left_is_not_in_the_way_of_the_next_one(tmp_path):
    async def scenario():
        async with a_stack_world(tmp_path) as world:
            template = of(Table=table(extra=", DeletionPolicy: Retain"))
            await world.deploy(template)
            left = (await world.resources())["Table"]
            stack_id = (await world.cfn("DescribeStacks", StackName="shop"))["Stacks"][0]["StackId"]
            await world.cfn("DeleteStack", StackName="shop")
            await world.settled(stack_id)
            stack = await world.deploy(template)
            tables = (await world.do("dynamodb", "ListTables"))["TableNames"]
            return stack["StackStatus"], left, (await world.resources())["Table"], tables

    status, left, new, tables = asyncio.run(scenario())
    assert status == "CREATE_COMPLETE"
    assert left != new
    assert sorted(tables) == sorted([left, new])


def test_an_accept_file_travels_with_the_stack(tmp_path):
    async def scenario(world):
        sha256 = await world.assets.put(b"Topic * 2099-01-01 nobody listens\n")
        template = of(Topic="{Type: AWS::SNS::Topic}", T=table("ttt"))
        with pytest.raises(ServiceError, match="AWS::SNS::Topic is not here yet"):
            await world.deploy(template)
        with pytest.raises(ServiceError, match="is not among the assets"):
            await world.deploy(template, Tags=[{"Key": "gatepost:accept", "Value": "0" * 64}])
        stack = await world.deploy(template, Tags=[{"Key": "gatepost:accept", "Value": sha256}])
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        with pytest.raises(ServiceError, match="No updates"):
            await world.cfn("UpdateStack", StackName="shop", UsePreviousTemplate=True)

    run(tmp_path, scenario)


def test_a_deletion_begins_when_it_was_asked_for(tmp_path):
    async def scenario():
        async with a_stack_world(tmp_path) as world:
            stack = await world.deploy(of(Table=table()))
            world.clock.advance(ms=5_000)
            await world.cfn("DeleteStack", StackName="shop")
            await world.settled(stack["StackId"])
            events = (await world.cfn("DescribeStackEvents", StackName=stack["StackId"]))["StackEvents"]
            began = next(event for event in events if event["ResourceStatus"] == "DELETE_IN_PROGRESS")
            return began["Timestamp"] - stack["CreationTime"]

    assert asyncio.run(scenario()) >= 5_000
