"""User pools by boto3, by a browser's requests and by clients that nobody here wrote, on a running platform."""
# ruff: noqa: E501 - JavaScript is wide

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.npm import NODE, npm_packages
from tests.support.platform import gatepost, start_platform

PASSWORD = "Passw0rd!"


@pytest.fixture(scope="module")
def shop(platform: Any) -> dict[str, Any]:
    aws = platform.client("cognito-idp")
    pool = aws.create_user_pool(PoolName="shop", AutoVerifiedAttributes=["email"], UsernameAttributes=["email"])[
        "UserPool"
    ]
    client = aws.create_user_pool_client(
        UserPoolId=pool["Id"],
        ClientName="web",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        PreventUserExistenceErrors="ENABLED",
    )["UserPoolClient"]
    return {"pool": pool["Id"], "client": client["ClientId"]}


def code_to(platform: Any, address: str) -> str:
    ended = gatepost("outbox", address, "--code", "--data", str(platform.data))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def anonymous(platform: Any) -> Any:
    return boto3.client(
        "cognito-idp",
        endpoint_url=platform.aws,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}),
    )


def ask(platform: Any, operation: str, body: Any, *, method: str = "POST", **headers: str) -> tuple[int, Any, Any]:
    request = urllib.request.Request(platform.aws + "/", method=method, data=json.dumps(body).encode())
    request.add_header("X-Amz-Target", f"AWSCognitoIdentityProviderService.{operation}")
    request.add_header("Content-Type", "application/x-amz-json-1.1")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b"{}")


def test_a_user_signs_up_and_in_without_any_aws_credentials(platform: Any, shop: dict[str, Any]) -> None:
    aws = anonymous(platform)
    name = "ann@example.com"
    told = aws.sign_up(ClientId=shop["client"], Username=name, Password=PASSWORD)
    assert told["CodeDeliveryDetails"]["Destination"] == "a***@e***"
    aws.confirm_sign_up(ClientId=shop["client"], Username=name, ConfirmationCode=code_to(platform, name))
    given = {"USERNAME": name, "PASSWORD": PASSWORD}
    result = aws.initiate_auth(ClientId=shop["client"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    tokens = result["AuthenticationResult"]
    user = aws.get_user(AccessToken=tokens["AccessToken"])
    assert user["Username"] == told["UserSub"]
    refresh = {"REFRESH_TOKEN": tokens["RefreshToken"]}
    aws.initiate_auth(ClientId=shop["client"], AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters=refresh)
    aws.global_sign_out(AccessToken=tokens["AccessToken"])
    with pytest.raises(ClientError) as error:
        aws.get_user(AccessToken=tokens["AccessToken"])
    assert error.value.response["Error"]["Code"] == "NotAuthorizedException"


def test_administrators_operations_need_a_signature(platform: Any, shop: dict[str, Any]) -> None:
    aws = anonymous(platform)
    for call in (
        lambda: aws.list_users(UserPoolId=shop["pool"]),
        lambda: aws.admin_create_user(UserPoolId=shop["pool"], Username="eve@example.com"),
        lambda: aws.describe_user_pool(UserPoolId=shop["pool"]),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"


def test_wrong_parameters_are_told_as_cognito_tells_them(platform: Any, shop: dict[str, Any]) -> None:
    status, _, body = ask(platform, "SignUp", {"ClientId": shop["client"], "Username": "a b", "Password": "x y"})
    assert status == 400
    assert body["__type"].endswith("InvalidParameterException")
    assert body["message"].startswith("2 validation errors detected: ")
    assert "x y" not in json.dumps(body)


def test_pages_of_any_origin_may_call_users_own_operations_and_no_other(platform: Any, shop: dict[str, Any]) -> None:
    origin = "https://shop.example"
    asking = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type,x-amz-target"}
    status, headers, _ = ask(platform, "-", {}, method="OPTIONS", Origin=origin, **asking)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "x-amz-target" in headers["Access-Control-Allow-Headers"]
    body = {
        "ClientId": shop["client"],
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": "x", "PASSWORD": "y"},
    }
    status, headers, told = ask(platform, "InitiateAuth", body, Origin=origin)
    assert (status, headers["Access-Control-Allow-Origin"]) == (400, "*")
    assert told["message"] == "Incorrect username or password."
    for operation in ("ListUsers", "AdminGetUser", "DescribeUserPool", "CreateUserPool", "Nonsense"):
        status, headers, _ = ask(platform, operation, {"UserPoolId": shop["pool"]}, Origin=origin)
        assert status in (400, 403)
        assert headers["Access-Control-Allow-Origin"] is None
    signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/cognito-idp/aws4_request"
    status, headers, _ = ask(platform, "InitiateAuth", body, Origin=origin, Authorization=signed)
    assert headers["Access-Control-Allow-Origin"] is None
    asking["Access_Control_Request_Headers"] = "authorization"
    status, headers, _ = ask(platform, "-", {}, method="OPTIONS", Origin=origin, **asking)
    assert headers["Access-Control-Allow-Origin"] is None


def test_keys_and_configuration_are_public_documents(platform: Any, shop: dict[str, Any]) -> None:
    base = f"{platform.aws}/{shop['pool']}/.well-known"
    request = urllib.request.Request(f"{base}/openid-configuration", headers={"Origin": "https://shop.example"})
    with urllib.request.urlopen(request) as answer:
        told = json.loads(answer.read())
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    port = platform.aws.rpartition(":")[2]
    assert told["issuer"] == f"http://localhost:{port}/{shop['pool']}"
    with urllib.request.urlopen(f"{base}/jwks.json") as answer:
        keys = json.loads(answer.read())["keys"]
    assert [sorted(key) for key in keys] == [["alg", "e", "kid", "kty", "n", "use"]] * 2
    for path in (f"{base}/other", f"{platform.aws}/us-east-1_Nobody123/.well-known/jwks.json"):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(path)


def test_users_come_by_file(platform: Any, shop: dict[str, Any]) -> None:
    aws = platform.client("cognito-idp")
    header = aws.get_csv_header(UserPoolId=shop["pool"])["CSVHeader"]
    line = {"email": "bulk@example.com", "email_verified": "true", "cognito:username": "bulk@example.com"}
    rows = [",".join(header), ",".join({**line, "cognito:mfa_enabled": "false"}.get(name, "") for name in header)]
    job = aws.create_user_import_job(
        UserPoolId=shop["pool"], JobName="bulk", CloudWatchLogsRoleArn="arn:aws:iam::000000000000:role/logs"
    )["UserImportJob"]
    put = urllib.request.Request(job["PreSignedUrl"], method="PUT", data="\n".join(rows).encode())
    urllib.request.urlopen(put).close()
    aws.start_user_import_job(UserPoolId=shop["pool"], JobId=job["JobId"])
    for _ in range(1_000):
        told = aws.describe_user_import_job(UserPoolId=shop["pool"], JobId=job["JobId"])["UserImportJob"]
        if told["Status"] in ("Succeeded", "Failed"):
            break
    assert (told["Status"], told["ImportedUsers"], told["FailedUsers"]) == ("Succeeded", 1, 0)
    user = aws.admin_get_user(UserPoolId=shop["pool"], Username="bulk@example.com")
    assert user["UserStatus"] == "RESET_REQUIRED"
    anonymous(platform).forgot_password(ClientId=shop["client"], Username="bulk@example.com")
    assert len(code_to(platform, "bulk@example.com")) == 6


def test_pycognito_signs_in_by_srp_and_verifies_the_tokens_by_the_keys_that_it_finds(
    platform: Any, shop: dict[str, Any]
) -> None:
    from pycognito import Cognito

    admin = platform.client("cognito-idp")
    name = "pia@example.com"
    admin.admin_create_user(UserPoolId=shop["pool"], Username=name, MessageAction="SUPPRESS")
    admin.admin_set_user_password(UserPoolId=shop["pool"], Username=name, Password=PASSWORD, Permanent=True)
    endpoint = f"http://localhost:{platform.aws.rpartition(':')[2]}"
    key = {"access_key": platform.key["access_key_id"], "secret_key": platform.key["secret_access_key"]}
    user = Cognito(
        shop["pool"],
        shop["client"],
        username=name,
        user_pool_region="us-east-1",
        boto3_client_kwargs={"endpoint_url": endpoint},
        **key,
    )
    user.authenticate(password=PASSWORD)
    assert user.id_claims["email"] == name
    user.renew_access_token()
    user.change_password(PASSWORD, "0ther-Passw0rd")
    assert user.get_user().sub == user.id_claims["sub"]
    user.logout()


JAVASCRIPT = """
const { CognitoUserPool, CognitoUser, AuthenticationDetails, CognitoUserAttribute } = require('amazon-cognito-identity-js');
const [endpoint, poolId, clientId, outbox] = process.argv.slice(2);
const pool = new CognitoUserPool({ UserPoolId: poolId, ClientId: clientId, endpoint });
const later = (work) => new Promise((resolve, reject) => work((error, value) => (error ? reject(error) : resolve(value))));
const name = 'jo@example.com', password = 'Passw0rd!', other = 'Other-Passw0rd1';
const signIn = (user, secret) => new Promise((resolve, reject) =>
  user.authenticateUser(new AuthenticationDetails({ Username: name, Password: secret }), {
    onSuccess: resolve, onFailure: reject, newPasswordRequired: () => reject(new Error('new password')) }));
(async () => {
  await later((done) => pool.signUp(name, password, [new CognitoUserAttribute({ Name: 'name', Value: 'Jo' })], null, done));
  const user = new CognitoUser({ Username: name, Pool: pool });
  const code = require('child_process').execSync(outbox).toString().trim();
  await later((done) => user.confirmRegistration(code, true, done));
  const session = await signIn(user, password);
  const attributes = await later((done) => user.getUserAttributes(done));
  const refreshed = await later((done) => user.refreshSession(session.getRefreshToken(), done));
  await later((done) => user.changePassword(password, other, done));
  let refused = '';
  try { await signIn(new CognitoUser({ Username: name, Pool: pool }), password); } catch (error) { refused = error.code; }
  await signIn(user, other);
  await new Promise((resolve, reject) => user.globalSignOut({ onSuccess: resolve, onFailure: reject }));
  console.log(JSON.stringify({ name: attributes.find((one) => one.Name === 'name').Value, refused,
    email: session.getIdToken().payload.email, valid: refreshed.isValid() }));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.skipif(NODE is None, reason="there is no node")
def test_amazon_cognito_identity_js_signs_up_and_in_by_srp(platform: Any, shop: dict[str, Any], tmp_path: Path) -> None:
    folder = npm_packages("amazon-cognito-identity-js@6")
    if folder is None:
        pytest.skip("amazon-cognito-identity-js cannot be installed here")
    script = tmp_path / "sign_in.js"
    script.write_text(JAVASCRIPT)
    import sys

    outbox = f"{sys.executable} -m gatepost.cli outbox jo@example.com --code --data {platform.data}"
    ended = subprocess.run(
        [str(NODE), str(script), platform.aws, shop["pool"], shop["client"], outbox],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told == {"name": "Jo", "refused": "NotAuthorizedException", "email": "jo@example.com", "valid": True}


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Pool:
    Type: AWS::Cognito::UserPool
    Properties: {AutoVerifiedAttributes: [email]}
  Client:
    Type: AWS::Cognito::UserPoolClient
    Properties: {UserPoolId: !Ref Pool, ClientName: web, ExplicitAuthFlows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_REFRESH_TOKEN_AUTH]}
  Gate:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: gate.handler
      CodeUri: gate
      Events:
        Users:
          Type: Cognito
          Properties: {UserPool: !Ref Pool, Trigger: [PreSignUp, PreTokenGeneration]}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Auth: {DefaultAuthorizer: Users, Authorizers: {Users: {UserPoolArn: !GetAtt Pool.Arn}}}
  Who:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: gate.who
      CodeUri: gate
      Events: {Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /who, Method: get}}}
Outputs:
  ApiId: {Value: !Ref Api}
  PoolId: {Value: !Ref Pool}
  ClientId: {Value: !Ref Client}
"""
GATE = """
import json

def who(event, context):
    return {'statusCode': 200, 'body': json.dumps(event['requestContext']['authorizer']['claims'])}

def handler(event, context):
    if event['triggerSource'] == 'PreSignUp_SignUp':
        if not event['request']['userAttributes']['email'].endswith('@example.com'):
            raise Exception('only example.com')
        event['response']['autoConfirmUser'] = True
        event['response']['autoVerifyEmail'] = True
    else:
        event['response']['claimsOverrideDetails'] = {'claimsToAddOrOverride': {'tier': 'gold'}}
    return event
"""


def test_functions_of_a_sam_template_are_asked_as_triggers(platform: Any, tmp_path: Path) -> None:
    from gatepost.security.jwt import unverified_claims

    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "gate.py").write_text(GATE)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    ended = gatepost(
        "deploy", str(tmp_path / "template.yaml"), "--stack-name", "triggers", "--data", str(platform.data), "--json"
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    stack = platform.client("cloudformation").describe_stacks(StackName="triggers")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    aws = anonymous(platform)
    params = {"ClientId": outputs["ClientId"], "Password": PASSWORD}
    email = [{"Name": "email", "Value": "zoe@example.com"}]
    assert aws.sign_up(**params, Username="zoe", UserAttributes=email)["UserConfirmed"] is True
    given = {"USERNAME": "zoe", "PASSWORD": PASSWORD}
    told = aws.initiate_auth(ClientId=outputs["ClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    claims = unverified_claims(told["AuthenticationResult"]["IdToken"])
    assert (claims["tier"], claims["email_verified"]) == ("gold", True)
    url = platform.stage_url(outputs["ApiId"], "prod") + "/who"

    def who(token: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": token})) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    tokens = told["AuthenticationResult"]
    status, seen = who(tokens["IdToken"])
    assert (status, seen["cognito:username"], seen["tier"]) == (200, "zoe", "gold")
    for bad in (tokens["AccessToken"], tokens["IdToken"][:-6] + "AAAAAA", "x"):
        assert who(bad)[0] == 401
    aws.revoke_token(Token=tokens["RefreshToken"], ClientId=outputs["ClientId"])
    assert who(tokens["IdToken"])[0] == 401
    with pytest.raises(ClientError, match="PreSignUp failed with error only example"):
        aws.sign_up(**params, Username="eve", UserAttributes=[{"Name": "email", "Value": "eve@evil.test"}])


VERIFY = """
const { CognitoJwtVerifier } = require('aws-jwt-verify');
const [userPoolId, clientId, jwks, idToken, accessToken] = process.argv.slice(2);
const told = [];
for (const [tokenUse, token] of [['id', idToken], ['access', accessToken]]) {
  const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse });
  verifier.cacheJwks(JSON.parse(jwks));
  told.push(verifier.verifySync(token).sub);
  try { verifier.verifySync(token.slice(0, -6) + 'AAAAAA'); told.push('verified'); } catch { told.push('refused'); }
}
console.log(JSON.stringify(told));
"""


def test_aws_jwt_verify_takes_tokens_with_awss_issuer(tmp_path: Path) -> None:
    running = start_platform(tmp_path / "data", "--ephemeral", "--issuer", "aws")
    try:
        admin = running.client("cognito-idp")
        pool = admin.create_user_pool(PoolName="shop")["UserPool"]["Id"]
        client = admin.create_user_pool_client(
            UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        admin.admin_create_user(UserPoolId=pool, Username="pia", MessageAction="SUPPRESS")
        admin.admin_set_user_password(UserPoolId=pool, Username="pia", Password=PASSWORD, Permanent=True)
        with urllib.request.urlopen(f"{running.aws}/{pool}/.well-known/jwks.json") as answer:
            jwks = answer.read().decode()
        given = {"USERNAME": "pia", "PASSWORD": PASSWORD}
        tokens = admin.admin_initiate_auth(
            UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=given
        )["AuthenticationResult"]
        sub = admin.admin_get_user(UserPoolId=pool, Username="pia")["UserAttributes"][0]["Value"]
        folder = npm_packages("aws-jwt-verify@5")
        if folder is None:
            pytest.skip("aws-jwt-verify cannot be installed here")
        script = tmp_path / "verify.js"
        script.write_text(VERIFY)
        ended = subprocess.run(
            [str(NODE), str(script), pool, client, jwks, tokens["IdToken"], tokens["AccessToken"]],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "NODE_PATH": str(folder / "node_modules")},
        )
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == [sub, "refused", sub, "refused"]
    finally:
        running.stop()
