from __future__ import annotations

import pytest

from gatepost.gateway.guards.arn_length import ARN_BYTES_MAX, ArnLengthGuard
from gatepost.gateway.responses import URI_TOO_LONG, Refusal
from gatepost.services.apigateway.deployment import Method
from tests.support.gateways import LAMBDA, TestGateway, a_request, a_route, a_stage, an_exchange

PREFIX = len("arn:aws:execute-api:us-east-1:123456789012:abc1234567/prod/GET/orders/")


def an_order(characters):
    exchange = an_exchange(route=a_route("/orders/{id}"), values=("a" * characters,))
    exchange.path = f"/orders/{'a' * characters}"
    return exchange


def test_an_arn_of_1600_bytes_passes_and_one_more_does_not():
    guard = ArnLengthGuard(a_stage())
    guard.check(an_order(1))
    guard.check(an_order(ARN_BYTES_MAX - PREFIX))
    with pytest.raises(Refusal) as refused:
        guard.check(an_order(ARN_BYTES_MAX - PREFIX + 1))
    assert (refused.value.kind, refused.value.kind.status) == (URI_TOO_LONG, 414)


def test_methods_without_authorization_have_no_such_limit():
    gateway = TestGateway()
    gateway.deploy({"/orders/{id}": (Method("GET", integration=LAMBDA),)})
    assert gateway.answer(a_request("GET", f"/prod/orders/{'a' * 3000}")).status == 200
