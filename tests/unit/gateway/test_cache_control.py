from __future__ import annotations

import pytest

from gatepost.gateway.cache_control import CacheControl
from gatepost.gateway.exchange import CALLER
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.responses import ACCESS_DENIED, Refusal
from tests.support.gateways import a_request, a_route, a_stage, an_exchange
from tests.unit.gateway.guards.test_invoke_permission import ALICE, Asked

ASKED = b"max-age=0"


def an_exchange_of(caller=None):
    exchange = an_exchange(a_request(headers=(("Cache-Control", "max-age=0"),)), route=a_route())
    if caller is not None:
        exchange.write(CALLER, caller)
    return exchange


def a_control(authorization, **settings):
    return CacheControl(settings, a_stage(), SignatureParts(None, authorization))


def test_a_caller_with_the_permission_has_the_entry_made_anew():
    authorization, warnings = Asked(), []
    assert a_control(authorization).invalidates(an_exchange_of(ALICE), ASKED, warnings)
    ((call, access),) = authorization.asked
    assert call.principal is ALICE
    assert access.action == "execute-api:InvalidateCache"
    assert access.resource == "arn:aws:execute-api:us-east-1:123456789012:abc1234567/prod/GET/orders"
    assert warnings == []


@pytest.mark.parametrize(("caller", "asked"), [(ALICE, 1), (None, 0)])
def test_a_caller_without_it_and_one_without_a_name_have_not(caller, asked):
    authorization, warnings = Asked(denies=True), []
    assert not a_control(authorization).invalidates(an_exchange_of(caller), ASKED, warnings)
    assert [name for name, _ in warnings] == [b"Warning"]
    assert len(authorization.asked) == asked


def test_they_are_refused_where_the_method_says_so():
    control = a_control(Asked(denies=True), unauthorizedCacheControlHeaderStrategy="FAIL_WITH_403")
    with pytest.raises(Refusal) as refused:
        control.invalidates(an_exchange_of(ALICE), ASKED, [])
    assert refused.value.kind is ACCESS_DENIED
