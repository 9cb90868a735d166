"""IAM policies and questions to ask of them."""

from __future__ import annotations

import json
from typing import Any

from gatepost.languages.iam_policy import Policy, PolicyKind, parse_policy
from gatepost.languages.iam_policy_evaluation import Question
from gatepost.languages.iam_policy_principals import Subject

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/ana"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
TABLE_ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/Orders"
USER = Subject("user", ACCOUNT, USER_ARN, principal_id="AIDAEXAMPLE")
SESSION = Subject("assumed-role", ACCOUNT, SESSION_ARN, role_arn=ROLE_ARN, principal_id="AROAEXAMPLE:s1")
ROOT = Subject("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", principal_id=ACCOUNT)


def a_statement(effect: str = "Allow", action: Any = "dynamodb:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """Give one statement's JSON; `more` are further elements (Principal, Condition, NotAction …)."""
    statement = {"Effect": effect, "Action": action, "Resource": resource} | more
    return {name: value for name, value in statement.items() if value is not None}


def a_document(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    """Give a document's text; by default it allows everything of DynamoDB."""
    document: dict[str, Any] = {} if version is None else {"Version": version}
    return json.dumps(document | {"Statement": list(statements) or [a_statement()]})


def a_policy(*statements: dict[str, Any], kind: PolicyKind = "identity", name: str = "p") -> Policy:
    """Give a compiled policy; by default an identity policy that allows everything of DynamoDB."""
    return parse_policy(a_document(*statements), kind, name=name)


def a_resource_policy(principal: Any, effect: str = "Allow", **more: Any) -> Policy:
    """Give a compiled resource policy of one statement about `principal`."""
    return a_policy(a_statement(effect, Principal=principal, **more), kind="resource", name="resource")


def a_trust_document(principal: Any = None, **more: Any) -> str:
    """Give a trust policy's text; by default Lambda may assume the role."""
    statement = {
        "Effect": "Allow",
        "Principal": principal or {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return a_document(statement | more)


def a_question(subject: Subject = USER, **changes: Any) -> Question:
    """Give a question; by default whether a user may put an item into a table of its own account."""
    members = {
        "subject": subject,
        "action": "dynamodb:PutItem",
        "resource": TABLE_ARN,
        "account_id": ACCOUNT,
        "keys": {},
    }
    return Question(**(members | changes))
