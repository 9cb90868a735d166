"""What `$context.authorizer` gives, for both kinds of authorizer."""

from __future__ import annotations

import pytest

from gatepost.gateway.authorizer_result import DECISIONS_MAX, AuthorizerResult, claim_text
from gatepost.languages.iam_policy_evaluation import Decision

LAMBDA = AuthorizerResult("a", "ana", {"role": "admin"}, latency_ms=7)
POOL = AuthorizerResult("a", claims={"sub": "s", "cognito:groups": "a,b"})


@pytest.mark.parametrize(
    ("result", "name", "expected"),
    [
        (LAMBDA, "principalId", "ana"),
        (LAMBDA, "role", "admin"),
        (LAMBDA, "claims.sub", None),
        (LAMBDA, "integrationLatency", "7"),
        (LAMBDA, "none", None),
        (POOL, "claims.sub", "s"),
        (POOL, "claims.cognito:groups", "a,b"),
        (POOL, "claims.none", None),
        (POOL, "principalId", None),
    ],
)
def test_a_variable_is_read_by_name(result, name, expected):
    assert result.variable(name) == expected


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (1, "1"), (1.5, "1.5"), (True, "true"), (["a"], '["a"]'), (None, "null")]
)
def test_values_become_texts(value, text):
    assert claim_text(value) == text


def test_remembered_decisions_are_bounded():
    result = AuthorizerResult("a")
    for number in range(DECISIONS_MAX + 1):
        result.remember(str(number), Decision(True, True, "identity-based policy"))
    assert list(result.decisions) == [str(DECISIONS_MAX)]
