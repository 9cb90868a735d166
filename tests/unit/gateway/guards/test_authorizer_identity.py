"""Identity sources on their own: what they read, and which ones cannot be."""

from __future__ import annotations

import pytest

from gatepost.gateway.guards.authorizer_identity import compile_identity, compile_token_source, compile_validation
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import UNAUTHORIZED, Refusal
from tests.support.gateways import a_request, a_stage, an_exchange

STAGE = a_stage(variables={"tenant": "blue"})


def test_the_order_of_sources_is_the_order_of_the_identity():
    identity = compile_identity("stageVariables.tenant , method.request.querystring.b,method.request.header.A", STAGE)
    exchange = an_exchange(a_request(target="/prod/x?b=2", headers=(("a", "1"),)))
    assert identity(exchange) == ("blue", "2", "1")


def test_a_missing_source_is_named_in_the_detail_and_not_to_the_client():
    identity = compile_identity("method.request.header.A", STAGE)
    with pytest.raises(Refusal) as caught:
        identity(an_exchange())
    assert (caught.value.kind, caught.value.message) == (UNAUTHORIZED, "Unauthorized")
    assert "method.request.header.A" in caught.value.detail


def test_no_source_is_an_empty_identity():
    assert compile_identity(" ", STAGE)(an_exchange()) == ()


def test_every_value_counts_and_no_two_lists_are_one_identity():
    identity = compile_identity("method.request.querystring.a,method.request.header.B", STAGE)
    requests = [
        ("/prod/x?a=1", ("2",)),
        ("/prod/x?a=0&a=1", ("2",)),
        ("/prod/x?a=1&a=0", ("2",)),
        ("/prod/x?a=1", ("0", "2")),
        ("/prod/x?a=1", ("1", "2")),
        ("/prod/x?a=1&a=1", ("2",)),
        ("/prod/x?a=1", ("1", "2", "2", "1")),
        ("/prod/x?a=1&a=1&a=2", ("2", "1")),
    ]
    found = {
        identity(an_exchange(a_request(target=target, headers=tuple(("b", value) for value in values))))
        for target, values in requests
    }
    assert len(found) == len(requests)


@pytest.mark.parametrize("text", ["method.request.path.id", "a", "'literal'", ",".join(["context.path"] * 17)])
def test_other_expressions_and_too_many_are_refused(text):
    with pytest.raises(MappingError, match="identitySource"):
        compile_identity(text, STAGE)


def test_a_token_comes_from_authorization_unless_another_header_is_named():
    exchange = an_exchange(a_request(headers=(("Authorization", "one"), ("X-Token", "two"))))
    assert compile_token_source("", STAGE)(exchange) == "one"
    assert compile_token_source("method.request.header.x-token", STAGE)(exchange) == "two"
    with pytest.raises(MappingError, match="one header"):
        compile_token_source("method.request.header.A,method.request.header.B", STAGE)


def test_without_an_expression_there_is_nothing_to_match():
    assert compile_validation("") is None


def test_two_tokens_are_none_because_an_upstream_may_read_the_other():
    exchange = an_exchange(a_request(headers=(("Authorization", "forged"), ("authorization", "valid"))))
    assert compile_token_source("", STAGE)(exchange) is None
