"""The evaluator beside another one that is as simple as AWS's page: regular expressions, lists, no compiling.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. It shares no code with
ours, knows fewer operators, and is allowed to be slow.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.iam_policy import parse_policy
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_principals import Subject

ACCOUNT, OTHER = "111122223333", "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/ana"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1"
SUBJECTS = {
    "user": Subject("user", ACCOUNT, USER, principal_id="AIDAX"),
    "session": Subject("assumed-role", ACCOUNT, SESSION, role_arn=ROLE, principal_id="AROAX:s1"),
    "anonymous": Subject("anonymous", "", "anonymous", principal_id="anonymous"),
}
ACTIONS = ["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]
RESOURCES = ["arn:aws:s3:::b/a", "arn:aws:s3:::b/a/c", "arn:aws:s3:::x"]

# --- the other evaluator ---------------------------------------------------------------------------------------


def like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(text, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def value_matches(operator: str, wanted: str, seen: str) -> bool:
    if operator == "StringEquals":
        return wanted == seen
    if operator == "StringEqualsIgnoreCase":
        return wanted.lower() == seen.lower()
    if operator == "StringLike":
        return like(wanted, seen)
    if operator == "Bool":
        return wanted.lower() == seen.lower()
    if operator == "NumericLessThan":
        return seen.isdigit() and int(seen) < int(wanted)
    if operator == "NumericEquals":
        return seen.isdigit() and int(seen) == int(wanted)
    assert operator == "IpAddress"
    try:
        return ipaddress.ip_address(seen) in ipaddress.ip_network(wanted)
    except ValueError:
        return False


POSITIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
}


def condition_holds(name: str, key: str, wanted: list[str], keys: dict[str, Any]) -> bool:
    seen = keys.get(key.lower())
    if name == "Null":
        is_absent = seen is None or seen == ()
        return is_absent in [one == "true" for one in wanted]
    quantifier, _, rest = name.rpartition(":")
    if_exists = rest.endswith("IfExists")
    rest = rest.removesuffix("IfExists")
    negated = rest in POSITIVE
    operator = POSITIVE.get(rest, rest)
    if seen is None:
        if if_exists or quantifier == "ForAllValues":
            return True
        return negated and quantifier != "ForAnyValue"
    verdicts = []
    for one in listed(list(seen) if isinstance(seen, tuple) else seen):
        matches = any(value_matches(operator, each, one) for each in wanted)
        verdicts.append(matches != negated)
    if quantifier == "ForAllValues" or (negated and not quantifier):
        return all(verdicts)
    return any(verdicts)


def applies(statement: dict[str, Any], action: str, resource: str, keys: dict[str, Any]) -> bool:
    if "Action" in statement:
        if not any(like(one, action, ignore_case=True) for one in listed(statement["Action"])):
            return False
    elif any(like(one, action, ignore_case=True) for one in listed(statement["NotAction"])):
        return False
    if "Resource" in statement:
        if not any(like(one, resource) for one in listed(statement["Resource"])):
            return False
    elif any(like(one, resource) for one in listed(statement["NotResource"])):
        return False
    return all(
        condition_holds(name, key, listed(wanted), keys)
        for name, block in statement.get("Condition", {}).items()
        for key, wanted in block.items()
    )


def named(statement: dict[str, Any], subject: str) -> str:
    """Give how a resource policy names the subject: "", account, role or direct."""
    principal = statement["Principal"]
    if principal == "*":
        return "direct"
    found = ""
    for one in listed(principal["AWS"]):
        if one == "*":
            return "direct"
        if subject == "anonymous":
            continue
        if one == (USER if subject == "user" else SESSION):
            return "direct"
        if subject == "session" and one == ROLE:
            found = "role"
        elif one == f"arn:aws:iam::{ACCOUNT}:root" and found != "role":
            found = "account"
    return found


def allowed(case: dict[str, Any]) -> bool:
    """Decide as the page says: denies first, then who has to allow."""
    subject, keys = case["subject"], case["keys"]

    def applying(statements: list[dict[str, Any]], effect: str) -> list[dict[str, Any]]:
        return [
            one
            for one in statements
            if one["Effect"] == effect and applies(one, case["action"], case["resource"], keys)
        ]

    own = [case["identity"]]
    limits = [one for one in (case["boundary"], case["session"]) if one is not None]
    has_own = subject != "anonymous"
    if has_own and any(applying(statements, "Deny") for statements in own + limits):
        return False
    resource = case["policy"] or []
    if any(named(one, subject) for one in applying(resource, "Deny")):
        return False
    grants = {named(one, subject) for one in applying(resource, "Allow")} - {""}
    if not has_own:
        return "direct" in grants
    within = all(applying(statements, "Allow") for statements in limits)
    if case["owner"] == ACCOUNT:
        if "direct" in grants:
            return True
        if "role" in grants and within:
            return True
    elif not grants:
        return False
    return within and bool(applying(case["identity"], "Allow"))


# --- cases -----------------------------------------------------------------------------------------------------

ACTION_PATTERNS = st.sampled_from(["*", "s3:*", "s3:Get*", "S3:GETOBJECT", "s3:?utObject", "sqs:*", "*:SendMessage"])
RESOURCE_PATTERNS = st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/?", "arn:aws:s3:::*/c", "arn:aws:s3:::x"])
VALUES = {
    "String": ["red", "Red", "green", "r*", "*"],
    "Bool": ["true", "false"],
    "Numeric": ["1", "2", "10"],
    "Ip": ["192.0.2.0/24", "10.0.0.1/32", "2001:db8::/32"],
}
OPERATORS = {
    "StringEquals": "String",
    "StringNotEquals": "String",
    "StringEqualsIgnoreCase": "String",
    "StringLike": "String",
    "StringNotLike": "String",
    "Bool": "Bool",
    "NumericLessThan": "Numeric",
    "NumericEquals": "Numeric",
    "NumericNotEquals": "Numeric",
    "IpAddress": "Ip",
    "NotIpAddress": "Ip",
}
KEY_OF = {
    "String": "aws:PrincipalTag/Colour",
    "Bool": "aws:SecureTransport",
    "Numeric": "s3:max-keys",
    "Ip": "aws:SourceIp",
}


@st.composite
def conditions(draw: Any) -> dict[str, Any]:
    if draw(st.booleans()):
        return {}
    if draw(st.integers(0, 5)) == 0:
        return {"Null": {KEY_OF["String"]: draw(st.sampled_from(["true", "false"]))}}
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    kind = OPERATORS[operator]
    quantifier = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]))
    suffix = draw(st.sampled_from(["", "", "IfExists"]))
    wanted = draw(st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=2))
    return {f"{quantifier}{operator}{suffix}": {KEY_OF[kind]: wanted}}


@st.composite
def statements(draw: Any, *, with_principal: bool = False) -> dict[str, Any]:
    one: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    one[draw(st.sampled_from(["Action", "Action", "NotAction"]))] = draw(
        st.lists(ACTION_PATTERNS, min_size=1, max_size=2)
    )
    one[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(
        st.lists(RESOURCE_PATTERNS, min_size=1, max_size=2)
    )
    condition = draw(conditions())
    if condition:
        one["Condition"] = condition
    if with_principal:
        names = ["*", f"arn:aws:iam::{ACCOUNT}:root", USER, ROLE, SESSION, f"arn:aws:iam::{OTHER}:root"]
        one["Principal"] = {"AWS": draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))}
    return one


POLICY = st.lists(statements(), min_size=1, max_size=3)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "aws:principaltag/colour": st.sampled_from(["red", "RED", "green", "*", ""])
        | st.lists(st.sampled_from(["red", "green"]), max_size=2).map(tuple),
        "aws:securetransport": st.sampled_from(["true", "false"]),
        "s3:max-keys": st.sampled_from(["1", "5", "10", "many"]),
        "aws:sourceip": st.sampled_from(["192.0.2.9", "10.0.0.1", "2001:db8::1", "nonsense"]),
    },
)
CASES = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(sorted(SUBJECTS)),
        "action": st.sampled_from(ACTIONS),
        "resource": st.sampled_from(RESOURCES),
        "owner": st.sampled_from([ACCOUNT, OTHER]),
        "keys": KEYS,
        "identity": POLICY,
        "boundary": st.none() | POLICY,
        "session": st.none() | POLICY,
        "policy": st.none() | st.lists(statements(with_principal=True), min_size=1, max_size=2),
    }
)


def compiled(statements_: list[dict[str, Any]] | None, kind: Any) -> Any:
    if statements_ is None:
        return None
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statements_}), kind)


@settings(max_examples=400, deadline=None)
@given(CASES)
def test_both_evaluators_agree(case: dict[str, Any]) -> None:
    subject = SUBJECTS[case["subject"]]
    is_session = case["subject"] == "session"
    case = case | {"session": case["session"] if is_session else None}
    if case["subject"] == "anonymous":
        case = case | {"boundary": None}
    own = () if case["subject"] == "anonymous" else (compiled(case["identity"], "identity"),)
    session = compiled(case["session"], "session")
    policies = Policies(
        own,
        compiled(case["boundary"], "boundary"),
        None if session is None else (session,),
        compiled(case["policy"], "resource"),
    )
    question = Question(subject, case["action"], case["resource"], case["owner"], case["keys"])
    assert decide(question, policies).is_allowed == allowed(case)
