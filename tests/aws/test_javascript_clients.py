"""JavaScript clients that nobody here wrote: Amplify with user and identity pools, oauth4webapi at hosted pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.npm import NODE, npm_packages

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node")
SCRIPTS = Path(__file__).with_name("javascript")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
        }
    ],
}


def run(package: str, name: str, folder: Path, *arguments: str) -> Any:
    """Run one of our scripts of Node.js with a package from npm; gives the JSON that it prints."""
    installed = npm_packages(package)
    if installed is None:
        pytest.skip(f"{package} cannot be installed here")
    (folder / "node_modules").symlink_to(installed / "node_modules")
    script = folder / name
    script.write_bytes((SCRIPTS / name).read_bytes())
    ended = subprocess.run(
        [str(NODE), str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return json.loads(ended.stdout)


def test_amplify_signs_up_and_in_by_srp_with_a_second_factor_and_gets_credentials(
    platform: Any, tmp_path: Path
) -> None:
    users, identities = platform.client("cognito-idp"), platform.client("cognito-identity")
    pool = users.create_user_pool(PoolName="amplify", AutoVerifiedAttributes=["email"], UsernameAttributes=["email"])[
        "UserPool"
    ]["Id"]
    users.set_user_pool_mfa_config(
        UserPoolId=pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    client = users.create_user_pool_client(
        UserPoolId=pool,
        ClientName="web",
        ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        PreventUserExistenceErrors="ENABLED",
    )["UserPoolClient"]["ClientId"]
    provider = {"ProviderName": f"cognito-idp.us-east-1.amazonaws.com/{pool}", "ClientId": client}
    identity_pool = identities.create_identity_pool(
        IdentityPoolName="amplify", AllowUnauthenticatedIdentities=False, CognitoIdentityProviders=[provider]
    )["IdentityPoolId"]
    role = platform.client("iam").create_role(RoleName="amplify", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    identities.set_identity_pool_roles(IdentityPoolId=identity_pool, Roles={"authenticated": role["Arn"]})
    outbox = f"{sys.executable} -m gatepost.cli outbox kim@example.com --code --data {platform.data}"
    settings = {
        "userPoolId": pool,
        "userPoolClientId": client,
        "userPoolEndpoint": platform.aws,
        "identityPoolId": identity_pool,
        "identityPoolEndpoint": platform.aws,
    }
    assert run("aws-amplify@6", "amplify.cjs", tmp_path, json.dumps(settings), outbox) == {
        "signUp": "CONFIRM_SIGN_UP",
        "early": "CONFIRM_SIGN_UP",
        "wrong": "NotAuthorizedException",
        "signIn": "DONE",
        "email": "kim@example.com",
        "identity": "us-east-1",
        "credentials": ["accessKeyId", "expiration", "secretAccessKey", "sessionToken"],
        "refreshed": True,
        "name": "Kim K",
        "out": "UserUnAuthenticatedException",
        "second": "CONFIRM_SIGN_IN_WITH_TOTP_CODE",
        "confirmed": "DONE",
        "reset": "CONFIRM_RESET_PASSWORD_WITH_CODE",
        "again": "CONFIRM_SIGN_IN_WITH_TOTP_CODE",
    }


def test_oauth4webapi_discovers_and_signs_in_by_code_and_pkce_without_a_secret(platform: Any, tmp_path: Path) -> None:
    aws = platform.client("cognito-idp")
    pool = aws.create_user_pool(PoolName="oauth4webapi", UsernameAttributes=["email"])["UserPool"]["Id"]
    aws.create_user_pool_domain(UserPoolId=pool, Domain="oauth4webapi")
    callback = "http://127.0.0.1:3000/callback"
    client = aws.create_user_pool_client(
        UserPoolId=pool,
        ClientName="app",
        CallbackURLs=[callback],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email"],
        AllowedOAuthFlowsUserPoolClient=True,
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]["ClientId"]
    user, password = "lee@example.com", "Passw0rd!"
    aws.admin_create_user(UserPoolId=pool, Username=user, MessageAction="SUPPRESS")
    aws.admin_set_user_password(UserPoolId=pool, Username=user, Password=password, Permanent=True)
    issuer = f"http://localhost:{platform.aws.rpartition(':')[2]}/{pool}"
    assert run("oauth4webapi@3", "oauth4webapi.mjs", tmp_path, issuer, client, callback, user, password) == {
        "state": "OAUTH_INVALID_RESPONSE",
        "claims": [user, "id"],
        "replayed": "invalid_grant",
        "info": user,
        "refreshed": True,
        "revoked": "invalid_grant",
    }
