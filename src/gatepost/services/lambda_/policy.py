"""Resource policies of functions: statements that AddPermission writes, and whether they let a service in.

Source: https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.languages.iam_policy import Policy, PolicyError, parse_policy
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_principals import Subject
from gatepost.services.lambda_.model import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)

POLICY_BYTES_MAX: Final = 20_480
INVOKE: Final = "lambda:InvokeFunction"


def statement_of(params: Mapping[str, Any], function_arn: str) -> dict[str, Any]:
    """Write AddPermission's statement as Lambda does."""
    conditions: dict[str, dict[str, str]] = {}
    if source := params.get("SourceAccount"):
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = source
    if token := params.get("EventSourceToken"):
        conditions.setdefault("StringEquals", {})["lambda:EventSourceToken"] = token
    if auth := params.get("FunctionUrlAuthType"):
        conditions.setdefault("StringEquals", {})["lambda:FunctionUrlAuthType"] = auth
    if organization := params.get("PrincipalOrgID"):
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = organization
    if (by_url := params.get("InvokedViaFunctionUrl")) is not None:
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": str(by_url).lower()}
    if arn := params.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": arn}
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": function_arn,
    }
    if conditions:
        statement["Condition"] = conditions
    return statement


def _principal(name: str) -> str | dict[str, str]:
    if name == "*":
        return "*"
    if name.isdigit():
        return {"AWS": f"arn:aws:iam::{name}:root"}
    if name.startswith("arn:"):
        return {"AWS": name}
    return {"Service": name}


def with_statement(policy: str, statement: Mapping[str, Any]) -> str:
    """Give the policy with one more statement.

    Raises: ResourceConflictException, PolicyLengthExceededException, InvalidParameterValueException.
    """
    document = _document(policy)
    statements = document["Statement"]
    if any(one["Sid"] == statement["Sid"] for one in statements):
        raise ResourceConflictException(
            f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id, or "
            "remove the existing statement.",
            members={"Type": "User"},
        )
    statements.append(dict(statement))
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > POLICY_BYTES_MAX:
        raise PolicyLengthExceededException(
            f"The final policy size ({len(text)}) is bigger than the limit ({POLICY_BYTES_MAX}).",
            members={"Type": "User"},
        )
    try:
        parse_policy(text, "resource")
    except PolicyError as error:
        raise InvalidParameterValueException(
            f"The provided principal was invalid. Please check the principal and try again. ({error})",
            members={"Type": "User"},
        ) from error
    return text


def without_statement(policy: str, statement_id: str) -> str:
    """Give the policy without one statement, empty when it was the last. Raises: ResourceNotFoundException."""
    document = _document(policy)
    left = [one for one in document["Statement"] if one["Sid"] != statement_id]
    if len(left) == len(document["Statement"]):
        raise ResourceNotFoundException(
            f"Statement {statement_id} is not found in resource policy.", members={"Type": "User"}
        )
    document["Statement"] = left
    return json.dumps(document, separators=(",", ":")) if left else ""


def _document(policy: str) -> dict[str, Any]:
    if policy:
        document: dict[str, Any] = json.loads(policy)
        return document
    return {"Version": "2012-10-17", "Id": "default", "Statement": []}


def compile_policy(policy: str) -> Policy | None:
    """Compile a function's policy; None when there is none or it cannot be read: then nobody is let in."""
    if not policy:
        return None
    try:
        return parse_policy(policy, "resource")
    except PolicyError:
        return None


def allows(
    policy: str | Policy | None,
    *,
    service: str,
    function_arn: str,
    source_arn: str = "",
    source_account: str = "",
    action: str = INVOKE,
) -> bool:
    """Say whether a function's resource policy lets an AWS service invoke it. Pure.

    `service` is a service principal (`apigateway.amazonaws.com`), `source_arn` what it acts for
    (`arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`). Hand in a compiled policy where it is asked often.
    """
    compiled = compile_policy(policy) if isinstance(policy, str) else policy
    if compiled is None:
        return False
    account_id = function_arn.split(":")[4]
    keys = {"aws:principalisawsservice": "true", "aws:principalservicename": service}
    if source_arn:
        keys["aws:sourcearn"] = source_arn
        source_account = source_account or source_arn.split(":")[4]
    if source_account:
        keys["aws:sourceaccount"] = source_account
    subject = Subject("service", account_id, service, service=service)
    question = Question(subject, action, function_arn, account_id, keys)
    return decide(question, Policies(resource=compiled)).is_allowed
