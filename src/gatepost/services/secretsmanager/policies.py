"""Resource policies of secrets: put, given, deleted, validated. `access` hands them to the authorizer with every call.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutResourcePolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.languages.iam_policy import PolicyError, parse_policy
from gatepost.services.secretsmanager.errors import (
    InvalidParameterException,
    MalformedPolicyDocumentException,
    PublicPolicyException,
)
from gatepost.services.secretsmanager.secrets import Secrets, one_at_a_time

Params = Mapping[str, Any]
Answer = dict[str, Any]

POLICY_CHARACTERS_MAX: Final = 20_480
# Keys that make a grant to everyone one to someone: what they are compared with is fixed in the policy.
_NARROWING: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
    }
)


class PolicyOperations:
    """Operations on resource policies; a part of the provider."""

    _secrets: Secrets

    @operation("PutResourcePolicy")
    @one_at_a_time
    async def put_resource_policy(self, call: Call, params: Params) -> Answer:
        """Set a secret's policy; it is in force when this answers.

        Raises: ResourceNotFoundException, MalformedPolicyDocumentException, PublicPolicyException.
        """
        _refuse_names(params)
        secret = self._secrets.get(call, params["SecretId"])
        text = params["ResourcePolicy"]
        is_public = _is_public(text)
        if params.get("BlockPublicPolicy") and is_public:
            raise PublicPolicyException("You provided a resource-based policy that grants broad access to the secret.")
        await self._secrets.keep(secret, replace(secret, policy=text, changed_at_ms=call.now_ms))
        return {"ARN": secret.arn, "Name": secret.name}

    @operation("GetResourcePolicy")
    def get_resource_policy(self, call: Call, params: Params) -> Answer:
        """Give a secret's policy, if it has one. Raises: ResourceNotFoundException."""
        _refuse_names(params)
        secret = self._secrets.get(call, params["SecretId"], deleted=True)
        policy = {"ResourcePolicy": secret.policy} if secret.policy else {}
        return {"ARN": secret.arn, "Name": secret.name, **policy}

    @operation("DeleteResourcePolicy")
    @one_at_a_time
    async def delete_resource_policy(self, call: Call, params: Params) -> Answer:
        """Take a secret's policy away. Raises: ResourceNotFoundException."""
        _refuse_names(params)
        secret = self._secrets.get(call, params["SecretId"])
        await self._secrets.keep(secret, replace(secret, policy="", changed_at_ms=call.now_ms))
        return {"ARN": secret.arn, "Name": secret.name}

    @operation("ValidateResourcePolicy")
    def validate_resource_policy(self, call: Call, params: Params) -> Answer:
        """Say what is wrong with a policy before it is put. Raises: ResourceNotFoundException."""
        if "SecretId" in params:
            self._secrets.get(call, params["SecretId"])
        errors = []
        try:
            if _is_public(params["ResourcePolicy"]):
                errors.append({"CheckName": "PUBLIC_POLICY", "ErrorMessage": "The policy grants access to everyone."})
        except MalformedPolicyDocumentException as error:
            errors.append({"CheckName": "POLICY_SYNTAX", "ErrorMessage": error.message})
        return {"PolicyValidationPassed": not errors, "ValidationErrors": errors}


def _refuse_names(params: Params) -> None:
    if "PolicyName" in params:
        raise InvalidParameterException("PolicyName is not supported by Gatepost: a secret has one policy.")


def _is_public(text: str) -> bool:
    """Say whether a policy lets anyone in who knows the secret's name. Raises: MalformedPolicyDocumentException."""
    if len(text) > POLICY_CHARACTERS_MAX:
        raise MalformedPolicyDocumentException(f"The policy has more than {POLICY_CHARACTERS_MAX} characters.")
    try:
        policy = parse_policy(text, "resource")
    except PolicyError as error:
        raise MalformedPolicyDocumentException(f"This resource policy contains a syntax error: {error}") from error
    for statement in policy.statements:
        principals = statement.principals
        if not statement.is_allow or principals is None or not (principals.is_everyone or principals.is_not):
            continue
        read = {key for condition in statement.conditions for key in condition.keys_read()}
        if not read & _NARROWING:
            return True
    return False
