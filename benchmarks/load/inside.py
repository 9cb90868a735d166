"""What needs no server to be measured: CPU time of one call, in this process. Prints one line of JSON.

Run as a process of its own, `python -m benchmarks.load.inside`, with PYTHONPATH naming the source to measure.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

from gatepost.gateway.guards.cognito_authorizer import claim_texts
from gatepost.gateway.user_pools import UserPools
from gatepost.kernel.clock import SystemClock
from gatepost.languages.iam_policy import parse_policy
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_principals import Subject
from gatepost.security.jwt import SigningKey

TOKENS: Final = 1_000
EVALUATIONS: Final = 20_000
ACCOUNT: Final = "000000000000"
POOL: Final = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/us-east-1_Shop"
ISSUER: Final = "http://localhost:4566/us-east-1_Shop"
TABLE: Final = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/"


def first_verification_us() -> float:
    """Give the microseconds that a token takes which was never seen before."""
    clock = SystemClock()
    now_s = clock.now_ms() // 1000
    key = SigningKey.generate("key-1")
    pools = UserPools(clock)
    pools.take_keys(POOL, {"issuer": ISSUER, "keys": [key.public_jwk()]})
    claims = {
        "iss": ISSUER,
        "aud": "4h57kv3q1u3m1dvqg5cj8t9p2f",
        "token_use": "id",
        "auth_time": now_s,
        "iat": now_s,
        "exp": now_s + 3_600,
        "cognito:groups": ["customers", "vendors"],
        "email": "ana@example.com",
        "email_verified": True,
    }
    tokens = [key.sign({**claims, "sub": f"user-{number}"}) for number in range(TOKENS + 1)]
    _verified(pools, tokens.pop())  # imports
    began_ns = time.process_time_ns()
    for token in tokens:
        _verified(pools, token)
    return (time.process_time_ns() - began_ns) / 1000 / TOKENS


def _verified(pools: UserPools, token: str) -> dict[str, str]:
    verified = pools.verify((POOL,), token)
    if not pools.is_current(verified):
        raise AssertionError("the token was not revoked")
    return claim_texts(verified.token.claims)


def policy_us() -> float:
    """Give the microseconds that a decision takes over a policy of 20 statements, the last of which allows."""
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:Get*", "dynamodb:Query"],
            "Resource": f"{TABLE}Shop{number}-*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        }
        for number in range(18)
    ]
    statements.append({"Effect": "Deny", "Action": "dynamodb:Delete*", "Resource": "*"})
    statements.append({"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": f"{TABLE}Orders"})
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), "identity")
    policies = Policies(identity=(policy,))
    user = Subject("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ana", principal_id="AIDAEXAMPLE")
    keys = {"aws:RequestedRegion": ("us-east-1",)}
    question = Question(user, "dynamodb:PutItem", f"{TABLE}Orders", ACCOUNT, keys)
    if not decide(question, policies).is_allowed:
        raise AssertionError("the last statement allows it")
    began_ns = time.process_time_ns()
    for _ in range(EVALUATIONS):
        decide(question, policies)
    return (time.process_time_ns() - began_ns) / 1000 / EVALUATIONS


if __name__ == "__main__":
    print(json.dumps({"first": first_verification_us(), "policy": policy_us()}))
