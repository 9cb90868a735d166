"""What each operation touches: action and user pool. Users' own operations need no IAM.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitouserpools.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Access, Call, pass_role, tag_context
from gatepost.services.cognito_idp.pools import Pools

# Authorized by an access token, a session or a client's id and secret: the model says "auth: none".
UNSIGNED: Final = frozenset(
    {
        "AssociateSoftwareToken",
        "ChangePassword",
        "CompleteWebAuthnRegistration",
        "ConfirmDevice",
        "ConfirmForgotPassword",
        "ConfirmSignUp",
        "DeleteUser",
        "DeleteUserAttributes",
        "DeleteWebAuthnCredential",
        "ForgetDevice",
        "ForgotPassword",
        "GetDevice",
        "GetTokensFromRefreshToken",
        "GetUser",
        "GetUserAttributeVerificationCode",
        "GetUserAuthFactors",
        "GlobalSignOut",
        "InitiateAuth",
        "ListDevices",
        "ListWebAuthnCredentials",
        "ResendConfirmationCode",
        "RespondToAuthChallenge",
        "RevokeToken",
        "SetUserMFAPreference",
        "SetUserSettings",
        "SignUp",
        "StartWebAuthnRegistration",
        "UpdateDeviceStatus",
        "UpdateUserAttributes",
        "VerifySoftwareToken",
        "VerifyUserAttribute",
    }
)
_UNBOUND: Final = frozenset({"CreateUserPool", "ListUserPools", "DescribeUserPoolDomain"})


def access_of(pools: Pools, call: Call, params: Mapping[str, Any]) -> tuple[Access, ...]:
    """Say what a call touches."""
    if call.operation in UNSIGNED:
        return ()
    action = f"cognito-idp:{call.operation}"
    tags = (params.get("UserPoolTags") or params.get("Tags") or {}).items()
    context = tag_context(tags, params.get("TagKeys") or ())
    if call.operation in _UNBOUND:
        found = [Access(action, "*", context)]
    else:
        pool_id = params.get("UserPoolId") or str(params.get("ResourceArn", "")).rpartition("/")[2]
        pool = pools.find(pool_id)
        if pool is not None:
            context = {**context, **{f"aws:resourcetag/{key.lower()}": value for key, value in pool.tags.items()}}
        arn = call.arn(f"userpool/{pool_id}")
        found = [Access(action, str(params.get("ResourceArn") or arn), context)]
    sms = params.get("SmsConfiguration") or (params.get("SmsMfaConfiguration") or {}).get("SmsConfiguration") or {}
    if sms.get("SnsCallerArn"):
        found.append(pass_role(sms["SnsCallerArn"], "cognito-idp.amazonaws.com"))
    if params.get("CloudWatchLogsRoleArn"):
        found.append(pass_role(params["CloudWatchLogsRoleArn"], "cognito-idp.amazonaws.com"))
    return tuple(found)
