"""What people read of an explanation."""

from __future__ import annotations

from gatepost.cli.explain import lines_of

POLICIES = {
    "principal": "arn:aws:iam::1:user/ana",
    "action": "dynamodb:PutItem",
    "resource": "*",
    "decidedBy": "no identity-based policy allows it",
    "statements": [
        {
            "layer": "identity-based policy",
            "policy": "writers",
            "statement": "Office",
            "effect": "Allow",
            "applies": False,
            "failed": ["Condition IpAddress aws:sourceip"],
            "conditions": [
                {
                    "key": "aws:sourceip",
                    "holds": False,
                    "operator": "IpAddress",
                    "wanted": ["192.0.2.0/24"],
                    "seen": None,
                }
            ],
        }
    ],
}


def test_a_denied_operation_is_told_with_its_statements():
    told = {
        "service": "dynamodb",
        "operation": "PutItem",
        "principal": "ana",
        "ip": "127.0.0.1",
        "message": "no",
        "policies": POLICIES,
        "wouldHaveAllowed": "this",
    }
    text = "\n".join(lines_of(told))
    assert "dynamodb PutItem by ana from 127.0.0.1: denied" in text
    assert "Allow Office of writers (identity-based policy) does not apply: Condition IpAddress" in text
    assert "fails: IpAddress aws:sourceip 192.0.2.0/24 (seen: absent)" in text
    assert text.endswith("would have allowed it: this")


def test_a_request_of_an_api_is_told_guard_by_guard():
    told = {
        "httpMethod": "GET",
        "path": "/prod/orders",
        "apiId": "abc",
        "stage": "prod",
        "ip": "127.0.0.1",
        "status": 403,
        "guards": [
            {"guard": "One()", "verdict": "passed", "authorizer": {"id": "a"}},
            {"guard": "Two()", "verdict": "refused", "refusal": "ACCESS_DENIED", "reason": "why", "policies": POLICIES},
            {"backend": "Three()", "verdict": "not reached"},
        ],
    }
    lines = lines_of(told)
    assert lines[0] == "GET /prod/orders (abc/prod) from 127.0.0.1: 403"
    assert lines[1].split() == ["passed", "One()"]
    assert any("ACCESS_DENIED: why" in line for line in lines)
    assert lines[-1].split() == ["not", "reached", "Three()"]
