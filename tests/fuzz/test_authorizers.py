"""Whatever an authorizer's function returns and whatever a client sends as a token: a result or a refusal."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.gateway.authorizer_result import AuthorizerResult
from gatepost.gateway.guards.authorizer_output import parse_output
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, Refusal
from gatepost.gateway.user_pools import UserPools
from gatepost.kernel.clock import FixedClock
from gatepost.security.jwt import BadToken

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=8,
)
STATEMENTS = st.fixed_dictionaries(
    {},
    optional={
        "Effect": st.sampled_from(["Allow", "Deny"]) | JSON_VALUES,
        "Action": st.just("execute-api:Invoke") | JSON_VALUES,
        "Resource": st.just("*") | JSON_VALUES,
        "Condition": JSON_VALUES,
        "Principal": JSON_VALUES,
    },
)
OUTPUTS = st.fixed_dictionaries(
    {},
    optional={
        "principalId": st.text(max_size=4) | JSON_VALUES,
        "policyDocument": st.fixed_dictionaries({"Statement": STATEMENTS | st.lists(STATEMENTS, max_size=2)})
        | JSON_VALUES,
        "context": st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=3) | JSON_VALUES,
        "usageIdentifierKey": JSON_VALUES,
    },
)


@settings(max_examples=200, deadline=None)
@given(OUTPUTS.map(orjson.dumps) | st.binary(max_size=64) | JSON_VALUES.map(orjson.dumps))
def test_any_output_is_a_result_or_a_configuration_error(payload: bytes) -> None:
    try:
        result = parse_output(payload, authorizer_id="a", name="p")
    except Refusal as refusal:
        assert refusal.kind is AUTHORIZER_CONFIGURATION_ERROR  # noqa: PT017
        return
    assert isinstance(result, AuthorizerResult)
    assert result.principal_id
    assert all(isinstance(value, str) for value in result.context.values())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=64) | st.lists(st.from_regex(r"[A-Za-z0-9_-]{0,16}"), max_size=4).map(".".join))
def test_any_text_as_a_token_is_refused(token: str) -> None:
    pools = UserPools(FixedClock())
    pools.take_keys("arn", {"issuer": "i", "keys": []})
    with pytest.raises(BadToken):
        pools.verify(("arn",), token)
