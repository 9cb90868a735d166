"""Who may call: authorizers by tokens of functions and of user pools, secrets, web identities, explanations."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import boto3
import pyotp
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.platform import ACCOUNT_ID, REGION, Answer, RunningPlatform, ask, gatepost

AUTHORIZER = """
def handler(event, context):
    token = event["authorizationToken"]
    if token == "who":
        raise Exception("Unauthorized")
    effect = "Allow" if token.startswith("allow") else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "ana", "policyDocument": policy, "context": {"role": "admin"}}
"""
PASSWORD = "Passw0rd!x"


def a_zip(code: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", code)
    return packed.getvalue()


def an_api(platform: RunningPlatform, name: str, authorizer: dict[str, Any], **method: Any) -> tuple[str, str]:
    """Deploy GET / as MOCK behind an authorizer; give its URL and the authorizer's id."""
    api = platform.client("apigateway")
    made = api.create_rest_api(name=name)
    api_id = made["id"]
    authorizer_id = api.create_authorizer(restApiId=api_id, name="who", **authorizer)["id"]
    place = {"restApiId": api_id, "resourceId": made["rootResourceId"], "httpMethod": "GET"}
    kind = "COGNITO_USER_POOLS" if authorizer["type"] == "COGNITO_USER_POOLS" else "CUSTOM"
    api.put_method(**place, authorizationType=kind, authorizerId=authorizer_id, **method)
    template = {"application/json": '{"statusCode": 200}'}
    api.put_integration(**place, type="MOCK", requestTemplates=template)
    api.put_method_response(**place, statusCode="200")
    shown = '{"role":"$context.authorizer.role","sub":"$context.authorizer.claims.sub"}'
    api.put_integration_response(**place, statusCode="200", responseTemplates={"application/json": shown})
    api.create_deployment(restApiId=api_id, stageName="prod")
    return platform.stage_url(api_id, "prod") + "/", authorizer_id


def with_token(url: str, token: str) -> Answer:
    return ask("GET", url, headers={"Authorization": token} if token else {})


def explained(platform: RunningPlatform, answer: Answer) -> dict[str, Any]:
    request_id = next(value for name, value in answer.headers.items() if name.lower() == "x-amzn-requestid")
    told = gatepost("explain", request_id, "--data", str(platform.data), "--json")
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_a_lambda_authorizer_guards_an_api_and_refusals_are_explained(platform: RunningPlatform) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = platform.client("iam").create_role(RoleName="authorizer", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = platform.client("lambda")
    arn = functions.create_function(
        FunctionName="authorizer",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": a_zip(AUTHORIZER)},
    )["FunctionArn"]
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    source = "method.request.header.Authorization"
    url, authorizer_id = an_api(platform, "guarded", {"type": "TOKEN", "authorizerUri": uri, "identitySource": source})
    refused = with_token(url, "allow")
    assert (refused.status, refused.body) == (500, b'{"message":null}')  # nobody has let API Gateway in yet
    functions.add_permission(
        FunctionName="authorizer",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:*/authorizers/{authorizer_id}",
    )
    answer = with_token(url, "allow")
    assert (answer.status, answer.json()["role"]) == (200, "admin")
    assert (with_token(url, "").status, with_token(url, "who").status) == (401, 401)
    denied = with_token(url, "deny")
    assert denied.json() == {"Message": "User is not authorized to access this resource with an explicit deny"}
    told = explained(platform, denied)
    assert told["refusal"] == "ACCESS_DENIED"
    assert "denies it whatever else allows it" in told["wouldHaveAllowed"]
    assert next(step for step in told["guards"] if "authorizer" in step)["authorizer"]["principalId"] == "ana"


@pytest.fixture(scope="module")
def shopper(platform: RunningPlatform) -> dict[str, str]:
    """A user pool with a user who has signed in; give its ARN, the client's id, the issuer and the tokens."""
    pools = platform.client("cognito-idp")
    pool = pools.create_user_pool(PoolName="identity-tests")["UserPool"]
    client = pools.create_user_pool_client(
        UserPoolId=pool["Id"], ClientName="web", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    pools.admin_create_user(UserPoolId=pool["Id"], Username="ana", MessageAction="SUPPRESS")
    pools.admin_set_user_password(UserPoolId=pool["Id"], Username="ana", Password=PASSWORD, Permanent=True)
    return {
        "arn": pool["Arn"],
        "client": client,
        "issuer": f"http://localhost:{platform.aws.rpartition(':')[2]}/{pool['Id']}",
    }


def signed_in(platform: RunningPlatform, shopper: dict[str, str]) -> dict[str, str]:
    answer = platform.client("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=shopper["client"],
        AuthParameters={"USERNAME": "ana", "PASSWORD": PASSWORD},
    )
    tokens: dict[str, str] = answer["AuthenticationResult"]
    return tokens


def test_a_user_pools_tokens_open_an_api_until_their_user_signs_out(
    platform: RunningPlatform, shopper: dict[str, str]
) -> None:
    authorizer = {
        "type": "COGNITO_USER_POOLS",
        "providerARNs": [shopper["arn"]],
        "identitySource": "method.request.header.Authorization",
    }
    url, authorizer_id = an_api(platform, "shop", authorizer)
    scoped, _ = an_api(platform, "scoped", authorizer, authorizationScopes=["aws.cognito.signin.user.admin"])
    tokens = signed_in(platform, shopper)
    answer = with_token(url, tokens["IdToken"])
    assert answer.status == 200
    assert len(answer.json()["sub"]) == 36
    api_id = url.split("/execute-api/")[1].split("/")[0]
    test = {"restApiId": api_id, "authorizerId": authorizer_id, "headers": {"Authorization": tokens["IdToken"]}}
    tested = platform.client("apigateway").test_invoke_authorizer(**test)
    assert (tested["clientStatus"], tested["claims"]["sub"]) == (0, answer.json()["sub"])
    assert with_token(scoped, tokens["AccessToken"]).status == 200
    assert with_token(url, tokens["AccessToken"]).status == with_token(scoped, tokens["IdToken"]).status == 401
    platform.client("cognito-idp").global_sign_out(AccessToken=tokens["AccessToken"])
    refused = with_token(url, tokens["IdToken"])
    assert (refused.status, refused.body) == (401, b'{"message":"Unauthorized"}')
    assert tokens["IdToken"].split(".")[1] not in json.dumps(explained(platform, refused))


def test_a_user_pools_token_is_worth_a_roles_credentials(platform: RunningPlatform, shopper: dict[str, str]) -> None:
    iam = platform.client("iam")
    provider = iam.create_open_id_connect_provider(
        Url=shopper["issuer"], ClientIDList=[shopper["client"]], ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]
    statement = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="shopper", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = boto3.Session().client(
        "sts", endpoint_url=platform.aws, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
    made = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="ana", WebIdentityToken=signed_in(platform, shopper)["IdToken"]
    )
    key = made["Credentials"]
    credentials = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
        "aws_session_token": key["SessionToken"],
    }
    assert platform.client("sts", **credentials).get_caller_identity()["Arn"].endswith("assumed-role/shopper/ana")
    with pytest.raises(ClientError) as caught:
        platform.client("secretsmanager", **credentials).list_secrets()
    told = gatepost("explain", caught.value.response["ResponseMetadata"]["RequestId"], "--data", str(platform.data))
    assert "an Allow for secretsmanager:ListSecrets" in told.stdout
    with pytest.raises(ClientError, match="InvalidIdentityToken"):
        sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="ana", WebIdentityToken="a.b.c.d")


def test_secrets_and_parameters_by_boto3(platform: RunningPlatform) -> None:
    secrets, parameters = platform.client("secretsmanager"), platform.client("ssm")
    arn = secrets.create_secret(Name="identity/key", SecretString="one", Tags=[{"Key": "a", "Value": "b"}])["ARN"]
    secrets.put_secret_value(SecretId=arn, SecretBinary=b"\x00two")
    assert secrets.get_secret_value(SecretId="identity/key")["SecretBinary"] == b"\x00two"
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    pages = secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": ["identity/"]}])
    assert [one["ARN"] for page in pages for one in page["SecretList"]] == [arn]
    assert secrets.describe_secret(SecretId=arn)["CreatedDate"].year >= 2020
    secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="marked for deletion"):
        secrets.get_secret_value(SecretId=arn)
    secrets.restore_secret(SecretId=arn)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId="identity/none")
    parameters.put_parameter(Name="/identity/url", Value="x", Type="SecureString")
    found = parameters.get_parameters_by_path(Path="/identity", WithDecryption=True)["Parameters"]
    assert [(one["Name"], one["Value"]) for one in found] == [("/identity/url", "x")]
    with pytest.raises(parameters.exceptions.ParameterNotFound):
        parameters.get_parameter(Name="/identity/none")


ROTATOR = """
import boto3
def handler(event, context):
    secrets = boto3.client("secretsmanager")
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    if step == "createSecret":
        password = secrets.get_random_password(PasswordLength=20)["RandomPassword"]
        secrets.put_secret_value(
            SecretId=arn, ClientRequestToken=token, SecretString=password, VersionStages=["AWSPENDING"]
        )
    if step == "finishSecret":
        stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        secrets.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


def test_a_function_rotates_a_secret_as_its_own_role(platform: RunningPlatform) -> None:
    iam, functions, secrets = (platform.client(name) for name in ("iam", "lambda", "secretsmanager"))
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="rotator", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="rotator", PolicyName="own", PolicyDocument=policy)
    function = functions.create_function(
        FunctionName="rotator",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": a_zip(ROTATOR)},
        Timeout=30,
    )["FunctionArn"]
    arn = secrets.create_secret(Name="identity/rotated", SecretString="old")["ARN"]
    functions.add_permission(
        FunctionName="rotator",
        StatementId="secrets",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceArn=arn,
    )
    rules = {"AutomaticallyAfterDays": 30}
    token = secrets.rotate_secret(SecretId=arn, RotationLambdaARN=function, RotationRules=rules)["VersionId"]
    deadline = time.monotonic() + 30
    while "LastRotatedDate" not in (described := secrets.describe_secret(SecretId=arn)):
        assert time.monotonic() < deadline, described
        time.sleep(0.05)
    assert described["VersionIdsToStages"][token] == ["AWSCURRENT"]
    assert len(secrets.get_secret_value(SecretId=arn)["SecretString"]) == 20
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "old"


def test_an_authenticator_app_is_set_up_and_opens_what_wants_a_second_factor(platform: Any) -> None:
    """As the AWS CLI does it: the device, two codes, GetSessionToken with a third."""
    iam = platform.client("iam")
    iam.create_user(UserName="mfa-user")
    key = iam.create_access_key(UserName="mfa-user")["AccessKey"]
    statement = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    statement["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    own = {"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*", "Condition": statement["Condition"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement, own]})
    iam.put_user_policy(UserName="mfa-user", PolicyName="mfa", PolicyDocument=document)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="mfa-user-phone")["VirtualMFADevice"]
    assert device["QRCodePNG"].startswith(b"\x89PNG")
    app, now = pyotp.TOTP(device["Base32StringSeed"].decode()), int(time.time())
    codes = {"AuthenticationCode1": app.at(now - 30), "AuthenticationCode2": app.at(now)}
    iam.enable_mfa_device(UserName="mfa-user", SerialNumber=device["SerialNumber"], **codes)
    assert iam.list_mfa_devices(UserName="mfa-user")["MFADevices"][0]["SerialNumber"] == device["SerialNumber"]
    own_key = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    with pytest.raises(ClientError, match="AccessDenied"):
        platform.client("dynamodb", **own_key).list_tables()
    sts = platform.client("sts", **own_key)
    with pytest.raises(ClientError, match="invalid MFA one time pass code"):
        sts.get_session_token(SerialNumber=device["SerialNumber"], TokenCode=app.at(now))
    shown = {"SerialNumber": device["SerialNumber"], "TokenCode": app.at(now + 30)}
    made = sts.get_session_token(**shown)["Credentials"]
    holder = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }
    assert "TableNames" in platform.client("dynamodb", **holder).list_tables()
