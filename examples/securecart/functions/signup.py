"""Triggers of the user pool: whoever signs up is a customer at once. A real shop sends a code first."""

from functools import cache
from typing import Any

import boto3
from shop.callers import CUSTOMERS


@cache
def cognito() -> Any:
    """Give the client of user pools."""
    return boto3.client("cognito-idp")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Confirm a sign-up before it is made, and make the user a customer afterwards."""
    del context
    match event["triggerSource"]:
        case "PreSignUp_SignUp":
            event["response"]["autoConfirmUser"] = True
        case "PostConfirmation_ConfirmSignUp":
            cognito().admin_add_user_to_group(
                UserPoolId=event["userPoolId"], Username=event["userName"], GroupName=CUSTOMERS
            )
    return event
