"""Lambda's operations, as boto3 would call them, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import InvocationResult
from gatepost.services.lambda_.model import FUNCTION
from tests.support.functions import FORBIDDEN_ROLE, ROLE, LambdaControl, a_lambda_control, a_zip, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def refused(tmp_path, scenario, code: str, words: str = "") -> ServiceError:
    with pytest.raises(ServiceError) as error:
        with_lambda(tmp_path, scenario)
    assert error.value.code == code, error.value.message
    assert words in error.value.message
    return error.value


def test_a_created_function_is_active_at_once(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        made = await aws.a_function(
            Description="takes orders", Timeout=10, MemorySize=256, Environment={"Variables": {"TABLE": "orders"}}
        )
        return made, await aws("GetFunctionConfiguration", FunctionName="orders"), aws.told.held

    made, got, held = with_lambda(tmp_path, scenario)
    assert made == got
    assert (made["State"], made["LastUpdateStatus"], made["Version"]) == ("Active", "Successful", "$LATEST")
    assert (made["FunctionArn"], made["Timeout"], made["MemorySize"]) == (ARN, 10, 256)
    assert made["Environment"] == {"Variables": {"TABLE": "orders"}}
    assert made["LastModified"] == "2025-10-09T08:53:20.000+0000"
    code = a_zip({"app.py": "def handler(event, context): return event"})
    assert made["CodeSize"] == len(code)
    assert held[ARN]["code_sha256"] == base64.b64decode(made["CodeSha256"]).hex()
    assert (tmp_path / "functions" / held[ARN]["code_sha256"] / "app.py").exists()


@pytest.mark.parametrize("name", ["orders", "function:orders", "000000000000:function:orders", ARN, f"{ARN}:$LATEST"])
def test_a_function_has_many_names(tmp_path, name: str) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        return (await aws("GetFunction", FunctionName=name))["Configuration"]["FunctionArn"]

    assert with_lambda(tmp_path, scenario) == (name if name.endswith("$LATEST") else ARN)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lost", "Function not found: arn:aws:lambda:"),
        (f"{ARN}:7", "Function not found: arn:aws:lambda:"),
        (ARN.replace("0000", "1111"), "Function not found: arn:aws:lambda:"),
        (
            ARN.replace("us-east-1", "eu-west-1"),
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
    ],
)
def test_what_is_not_there_is_not_found(tmp_path, name: str, words: str) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws("GetFunction", FunctionName=name)

    assert refused(tmp_path, scenario, "ResourceNotFoundException", words)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"Runtime": "java21"}, "Runtime java21 is not supported by Gatepost: use python3.9 to "),
        ({"Runtime": "python3.8"}, "no longer supported"),
        (
            {"MemorySize": 10_241},
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
        ({"Role": FORBIDDEN_ROLE}, "The role defined for the function cannot be assumed by Lambda."),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"AA": "x" * 4090}}}, "exceeded the 4KB limit"),
        ({"Code": {"ZipFile": b"not a zip"}}, "Could not unzip uploaded file"),
        ({"Code": {"S3Bucket": "mine", "S3Key": "k"}}, "there is no S3 here"),
        ({"Code": {"S3Bucket": "gatepost-assets", "S3Key": "0" * 64}}, "There is no asset"),
        ({"Code": {}}, "Please provide a source for function code."),
        ({"Code": {"ImageUri": "x"}}, "ImageUri is not supported"),
        ({"PackageType": "Image"}, "PackageType Image is not supported"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig is not supported"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}}, "there is no sqs here"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "SnapStart is not supported"),
        ({"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}}, "only when LogFormat is JSON"),
        ({"Tags": {"aws:x": "1"}}, "may not begin with aws:"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]}, "layer:x:1 does not exist."),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(tmp_path, params, words: str) -> None:
    refused(tmp_path, lambda aws: aws.a_function(**params), "InvalidParameterValueException", words)


def test_empty_values_mean_none_as_sam_sends_them(tmp_path) -> None:
    empty = {
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
        "Layers": [],
        "DeadLetterConfig": {"TargetArn": ""},
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None"},
        "FileSystemConfigs": [],
        "Publish": False,
    }
    assert with_lambda(tmp_path, lambda aws: aws.a_function(**empty))["State"] == "Active"


def test_tracing_and_a_key_are_described_as_they_were_given(tmp_path) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/x"

    async def scenario(aws: LambdaControl):
        made = await aws.a_function(TracingConfig={"Mode": "Active"}, KMSKeyArn=key)
        changes = {"FunctionName": made["FunctionName"], "TracingConfig": {"Mode": "PassThrough"}, "KMSKeyArn": ""}
        return made, await aws("UpdateFunctionConfiguration", **changes)

    made, changed = with_lambda(tmp_path, scenario)
    assert (made["TracingConfig"], made["KMSKeyArn"]) == ({"Mode": "Active"}, key)
    assert (changed["TracingConfig"], "KMSKeyArn" in changed) == ({"Mode": "PassThrough"}, False)


def test_a_name_is_taken_once(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws.a_function()

    refused(tmp_path, scenario, "ResourceConflictException", "Function already exist: orders")


def test_code_may_be_an_asset_of_the_platform(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        sha256 = await aws.assets.put(a_zip({"app.py": "x = 1"}))
        await aws.a_function(Code={"S3Bucket": "gatepost-assets", "S3Key": sha256})
        return sha256, aws.told.held[ARN]["code_sha256"]

    asset, used = with_lambda(tmp_path, scenario)
    assert asset == used


def test_code_and_configuration_change_with_revisions(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        first = await aws.a_function()
        other = a_zip({"app.py": "y = 2"})
        dry = await aws("UpdateFunctionCode", FunctionName="orders", ZipFile=other, DryRun=True)
        same = await aws("GetFunctionConfiguration", FunctionName="orders")
        second = await aws("UpdateFunctionCode", FunctionName="orders", ZipFile=other, RevisionId=first["RevisionId"])
        third = await aws("UpdateFunctionConfiguration", FunctionName="orders", MemorySize=512, Handler="app.main")
        with pytest.raises(ServiceError) as stale:
            await aws("UpdateFunctionConfiguration", FunctionName="orders", Timeout=9, RevisionId=first["RevisionId"])
        return other, first, dry, same, second, third, stale.value

    other, first, dry, same, second, third, stale = with_lambda(tmp_path, scenario)
    digest = base64.b64encode(hashlib.sha256(other).digest()).decode()
    assert same == first
    assert dry["CodeSha256"] == second["CodeSha256"] == third["CodeSha256"] == digest != first["CodeSha256"]
    assert (third["MemorySize"], third["Handler"], third["Timeout"]) == (512, "app.main", 3)
    assert len({first["RevisionId"], second["RevisionId"], third["RevisionId"]}) == 3
    assert (stale.code, stale.status) == ("PreconditionFailedException", 412)


def test_functions_survive_a_restart_and_are_published_again(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        async with a_lambda_control(tmp_path, records=aws.provider._catalogue._records) as again:
            listed = await again("ListFunctions")
            return listed["Functions"], await again.provider.published()

    listed, published = with_lambda(tmp_path, scenario)
    assert [one["FunctionName"] for one in listed] == ["orders"]
    assert [(change.topic, change.key) for change in published] == [(FUNCTION, ARN)]


def test_functions_are_listed_in_pages_by_name(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        for name in ("c", "a", "b"):
            await aws.a_function(name)
        first = await aws("ListFunctions", MaxItems=2)
        second = await aws("ListFunctions", MaxItems=2, Marker=first["NextMarker"])
        return first, second

    first, second = with_lambda(tmp_path, scenario)
    assert [one["FunctionName"] for one in first["Functions"] + second["Functions"]] == ["a", "b", "c"]
    assert "NextMarker" not in second


def test_a_deleted_function_is_gone_everywhere(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws("DeleteFunction", FunctionName="orders")
        assert aws.told.held == {}
        await aws("GetFunction", FunctionName="orders")

    refused(tmp_path, scenario, "ResourceNotFoundException")


def test_invoke_waits_for_the_result(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        plain = await aws("Invoke", FunctionName="orders", Payload=b'{"a": 1}')
        empty = await aws("Invoke", FunctionName="orders")
        aws.invoker.results = [InvocationResult(200, b'{"errorType": "X"}', "Unhandled", log_tail=b"START\n")]
        failed = await aws("Invoke", FunctionName="orders", LogType="Tail", ClientContext="e30=")
        return plain, empty, failed, aws.invoker.invocations

    plain, empty, failed, invocations = with_lambda(tmp_path, scenario)
    assert plain == {"StatusCode": 200, "Payload": b'{"a": 1}', "ExecutedVersion": "$LATEST"}
    assert empty["Payload"] == b"{}"
    assert (failed["FunctionError"], failed["LogResult"]) == ("Unhandled", base64.b64encode(b"START\n").decode())
    assert invocations[0].function_arn == ARN
    assert (invocations[2].wants_log_tail, invocations[2].client_context) == (True, "e30=")


def test_invoke_refuses_what_is_no_json_or_too_large(tmp_path) -> None:
    async def invoke(aws: LambdaControl, payload: bytes, **params):
        await aws.a_function()
        return await aws("Invoke", FunctionName="orders", Payload=payload, **params)

    refused(tmp_path / "a", lambda aws: invoke(aws, b"{"), "InvalidRequestContentException", "Could not parse")
    too_large = b'"' + b"x" * 6 * 1024 * 1024 + b'"'
    assert refused(tmp_path / "b", lambda aws: invoke(aws, too_large), "RequestTooLargeException").status == 413
    event = b'"' + b"x" * 1024 * 1024 + b'"'
    refused(tmp_path / "c", lambda aws: invoke(aws, event, InvocationType="Event"), "RequestTooLargeException")


@pytest.fixture(autouse=True)
def _folders(tmp_path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()


def test_a_dry_run_runs_nothing(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        return await aws("Invoke", FunctionName="orders", InvocationType="DryRun"), aws.invoker.invocations

    assert with_lambda(tmp_path, scenario) == ({"StatusCode": 204}, [])


def test_permissions_make_the_resource_policy(tmp_path) -> None:
    grant = {
        "FunctionName": "orders",
        "StatementId": "api",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/orders",
    }

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        statement = json.loads((await aws("AddPermission", **grant))["Statement"])
        policy = await aws("GetPolicy", FunctionName="orders")
        with pytest.raises(ServiceError) as twice:
            await aws("AddPermission", **grant)
        stale = {**grant, "StatementId": "b", "RevisionId": "old"}
        with pytest.raises(ServiceError) as late:
            await aws("AddPermission", **stale)
        published = aws.told.held[ARN]["policy"]
        await aws("RemovePermission", FunctionName="orders", StatementId="api", RevisionId=policy["RevisionId"])
        with pytest.raises(ServiceError) as none:
            await aws("GetPolicy", FunctionName="orders")
        return statement, policy, published, [twice.value.code, late.value.code, none.value.code]

    statement, policy, published, codes = with_lambda(tmp_path, scenario)
    assert statement == {
        "Sid": "api",
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {"ArnLike": {"AWS:SourceArn": grant["SourceArn"]}},
    }
    assert json.loads(policy["Policy"])["Statement"] == [statement]
    assert published == policy["Policy"]
    assert codes == ["ResourceConflictException", "PreconditionFailedException", "ResourceNotFoundException"]


def test_tags_are_added_taken_away_and_listed(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Tags={"team": "shop", "old": "1"})
        await aws("TagResource", Resource=ARN, Tags={"stage": "prod"})
        await aws("UntagResource", Resource=ARN, TagKeys=["old"])
        return await aws("ListTags", Resource=ARN), await aws("GetFunction", FunctionName="orders")

    tags, function = with_lambda(tmp_path, scenario)
    assert tags["Tags"] == function["Tags"] == {"team": "shop", "stage": "prod"}


def test_calls_say_what_they_touch(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws("UpdateFunctionConfiguration", FunctionName="orders", Role=ROLE)
        await aws("AddPermission", FunctionName="orders", StatementId="s", Action="lambda:*", Principal="*")
        await aws("Invoke", FunctionName=f"{ARN}:$LATEST")
        await aws("ListFunctions")
        return aws.authorization.asked

    asked = with_lambda(tmp_path, scenario)
    assert [(one.action, one.resource) for one in asked] == [
        ("lambda:CreateFunction", ARN),
        ("iam:PassRole", ROLE),
        ("lambda:UpdateFunctionConfiguration", ARN),
        ("iam:PassRole", ROLE),
        ("lambda:AddPermission", ARN),
        ("lambda:InvokeFunction", f"{ARN}:$LATEST"),
        ("lambda:ListFunctions", "*"),
    ]
    assert asked[1].context == {"iam:passedtoservice": "lambda.amazonaws.com"}
    assert asked[4].context["lambda:principal"] == "*"
    assert json.loads(asked[5].resource_policy)["Statement"][0]["Sid"] == "s"


def test_who_deploys_a_package_that_was_uploaded_needs_to_be_let_at_it(tmp_path) -> None:
    package = {"S3Bucket": "gatepost-assets", "S3Key": "0" * 64}

    async def scenario(aws: LambdaControl):
        await aws.a_function()
        found = []
        for operation, params in (
            ("CreateFunction", {"FunctionName": "x", "Role": ROLE, "Code": package}),
            ("UpdateFunctionCode", {"FunctionName": "orders", **package}),
            ("PublishLayerVersion", {"LayerName": "x", "Content": package}),
        ):
            before = len(aws.authorization.asked)
            with pytest.raises(ServiceError):
                await aws(operation, **params)
            found.append([one.resource for one in aws.authorization.asked[before:] if one.action == "s3:GetObject"])
        return found

    assert with_lambda(tmp_path, scenario) == [[f"arn:aws:s3:::gatepost-assets/{'0' * 64}"]] * 3


def test_questions_about_what_is_not_there_have_truthful_answers(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        with pytest.raises(ServiceError):
            await aws("GetFunctionEventInvokeConfig", FunctionName="orders")
        with pytest.raises(ServiceError):
            await aws("GetFunctionUrlConfig", FunctionName="orders")
        names = (
            "ListVersionsByFunction", "ListAliases", "GetFunctionCodeSigningConfig", "GetFunctionConcurrency",
            "GetRuntimeManagementConfig",
        )  # fmt: skip
        return [await aws(name, FunctionName="orders") for name in names], await aws("GetAccountSettings")

    (versions, aliases, signing, concurrency, management), settings = with_lambda(tmp_path, scenario)
    assert [one["FunctionArn"] for one in versions["Versions"]] == [f"{ARN}:$LATEST"]
    assert aliases == {"Aliases": []}
    assert signing["CodeSigningConfigArn"] == ""
    assert concurrency == {}
    assert management["UpdateRuntimeOn"] == "Auto"
    assert settings["AccountUsage"]["FunctionCount"] == 1


def test_a_stream_is_for_sdks_and_not_for_calls_from_within(tmp_path) -> None:
    async def streamed(aws: LambdaControl):
        await aws.a_function()
        return await aws("InvokeWithResponseStream", FunctionName="orders")

    refused(tmp_path / "a", streamed, "NotImplemented", "streams its answer")


def test_the_old_asynchronous_form_records_an_event(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        with pytest.raises(ServiceError) as wrong:
            await aws("InvokeAsync", FunctionName="orders", InvokeArgs=b"{")
        return await aws("InvokeAsync", FunctionName="orders", InvokeArgs=b"{}"), wrong.value.code

    assert with_lambda(tmp_path, scenario) == ({"Status": 202}, "InvalidRequestContentException")


def test_a_timeout_over_a_quarter_of_an_hour_is_refused_as_the_model_would(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Timeout=901)

    words = "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"
    refused(tmp_path, scenario, "ValidationException", words)


def test_the_runtime_is_the_machines_and_nothing_is_signed(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        name = {"FunctionName": "orders"}
        kept = await aws("PutRuntimeManagementConfig", **name, UpdateRuntimeOn="Auto")
        with pytest.raises(ServiceError, match="UpdateRuntimeOn is not supported"):
            await aws("PutRuntimeManagementConfig", **name, UpdateRuntimeOn="FunctionUpdate")
        return kept, await aws("ListCodeSigningConfigs"), await aws("ListCapacityProviders")

    kept, signings, capacity = with_lambda(tmp_path, scenario)
    assert kept["UpdateRuntimeOn"] == "Auto"
    assert (signings, capacity) == ({"CodeSigningConfigs": []}, {"CapacityProviders": []})
