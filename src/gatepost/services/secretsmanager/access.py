"""What a call to Secrets Manager touches: the secret's ARN, its tags and policy, and the service's own condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.operations import Access, Call, tag_context
from gatepost.services.secretsmanager.operations import arn_of_new
from gatepost.services.secretsmanager.secrets import Secrets

Value = str | tuple[str, ...]
UNBOUND: Final = frozenset({"BatchGetSecretValue", "GetRandomPassword", "ListSecrets"})

_KEYS: Final[Mapping[str, str]] = {  # members of requests whose text is a condition key
    "Name": "secretsmanager:name",
    "Description": "secretsmanager:description",
    "KmsKeyId": "secretsmanager:kmskeyid",
    "SecretId": "secretsmanager:secretid",
    "VersionId": "secretsmanager:versionid",
    "VersionStage": "secretsmanager:versionstage",
    "RotationLambdaARN": "secretsmanager:rotationlambdaarn",
    "RecoveryWindowInDays": "secretsmanager:recoverywindowindays",
    "ForceDeleteWithoutRecovery": "secretsmanager:forcedeletewithoutrecovery",
    "BlockPublicPolicy": "secretsmanager:blockpublicpolicy",
    "RotateImmediately": "secretsmanager:rotateimmediately",
}


def access_of(secrets: Secrets, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
    """Say what a call touches."""
    action = f"secretsmanager:{call.operation}"
    if call.operation in UNBOUND:
        return (Access(action),)
    context = _context(params)
    if call.operation == "CreateSecret":
        return (Access(action, arn_of_new(call.account_id, call.region, params), context),)
    if call.operation == "ValidateResourcePolicy" and "SecretId" not in params:
        return (Access(action, "*", context),)
    found = [secret_access(secrets, call, action, params["SecretId"], context)]
    if call.operation == "RotateSecret" and "RotationLambdaARN" in params:
        # AWS asks for permission to invoke the function as well.
        found.append(Access("lambda:InvokeFunction", params["RotationLambdaARN"]))
    return found


def secret_access(secrets: Secrets, call: Call, action: str, secret_id: str, context: Mapping[str, Value]) -> Access:
    """Say what an action on one secret touches; one that is not there is named as the caller did."""
    secret = secrets.find(call.account_id, call.region, secret_id)
    if secret is None:
        arn = secret_id if secret_id.startswith("arn:") else call.arn(f"secret:{secret_id}", service="secretsmanager")
        return Access(action, arn, context)
    more: dict[str, Value] = {"secretsmanager:secretid": secret.arn}
    for key, value in secret.tags.items():
        more[f"aws:resourcetag/{key.lower()}"] = value
        more[f"secretsmanager:resourcetag/{key.lower()}"] = value
    if secret.rotation.lambda_arn:
        more["secretsmanager:resource/allowrotationlambdaarn"] = secret.rotation.lambda_arn
    return Access(action, secret.arn, {**context, **more}, secret.policy or None)


def _context(params: Mapping[str, Any]) -> dict[str, Value]:
    context: dict[str, Value] = {}
    for member, key in _KEYS.items():
        if member in params:
            value = params[member]
            context[key] = str(value).lower() if isinstance(value, bool) else str(value)
    if "RotationRules" in params:
        context["secretsmanager:modifyrotationrules"] = "true"
    tags = [(tag.get("Key", ""), tag.get("Value", "")) for tag in params.get("Tags", ())]
    return context | tag_context(tags, params.get("TagKeys", ()))
