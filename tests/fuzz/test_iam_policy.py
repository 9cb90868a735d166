"""No document and no request makes the policy language do anything but decide or refuse."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.languages.iam_policy import Policy, PolicyError, parse_policy
from gatepost.languages.iam_policy_conditions import OPERATORS
from gatepost.languages.iam_policy_evaluation import Decision, Policies, decide
from tests.support.policies import SESSION, TABLE_ARN, USER, a_question

TEXTS = st.text("aA1*?:/${},' -.Z\u00e9", max_size=16) | st.sampled_from(
    [
        "*",
        "arn:aws:s3:::b/*",
        TABLE_ARN,
        "dynamodb:PutItem",
        "${aws:username}",
        "${a, 'b'}",
        "true",
        "10.0.0.0/8",
        "2026",
    ]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3),
    max_leaves=8,
)
OPERATOR_NAMES = st.builds(
    lambda before, name, after: before + name + after,
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
    st.sampled_from([operator.name for operator in OPERATORS.values()] + ["Null"]),
    st.sampled_from(["", "IfExists"]),
)
SOME = TEXTS | st.lists(TEXTS, max_size=3) | JSON_VALUES
CONDITIONS = st.dictionaries(OPERATOR_NAMES | TEXTS, st.dictionaries(TEXTS, SOME, max_size=2) | JSON_VALUES, max_size=2)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]) | JSON_VALUES},
    optional={
        "Sid": TEXTS,
        "Action": SOME,
        "NotAction": SOME,
        "Resource": SOME,
        "NotResource": SOME,
        "Principal": SOME | st.dictionaries(st.sampled_from(["AWS", "Service", "Federated"]), SOME),
        "NotPrincipal": SOME,
        "Condition": CONDITIONS,
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"Statement": STATEMENTS | st.lists(STATEMENTS, max_size=3) | JSON_VALUES},
    optional={"Version": st.sampled_from(["2012-10-17", "2008-10-17"]) | JSON_VALUES, "Id": JSON_VALUES},
)
KINDS = st.sampled_from(["identity", "boundary", "session", "resource", "trust"])
KEYS = st.dictionaries(TEXTS.map(str.lower), TEXTS | st.lists(TEXTS, max_size=3).map(tuple), max_size=4)


def parsed(text: str, kind: Any) -> Policy | None:
    try:
        return parse_policy(text, kind)
    except PolicyError:
        return None


@settings(max_examples=600, deadline=None)
@given(DOCUMENTS | JSON_VALUES, KINDS, KEYS, TEXTS, TEXTS)
def test_any_document_is_compiled_and_decides_or_is_refused(
    document: Any, kind: str, keys: dict, action: str, resource: str
) -> None:
    policy = parsed(json.dumps(document), kind)
    if policy is None:
        return
    for subject in (USER, SESSION):
        for policies in (Policies(identity=(policy,)), Policies(resource=policy, is_trust=kind == "trust")):
            decision = decide(a_question(subject, keys=keys, action=action, resource=resource), policies)
            assert isinstance(decision, Decision)
            assert decision.is_allowed or decision.sentence(subject.arn, action, resource)


@given(st.text(max_size=200), KINDS)
def test_any_text_is_refused_or_compiled(text: str, kind: str) -> None:
    parsed(text, kind)


def test_deeply_nested_documents_are_refused() -> None:
    for text in ("[" * 60_000, '{"a":' * 20_000, '{"Statement":[' + "[" * 50_000):
        assert parsed(text, "identity") is None
