from __future__ import annotations

import pytest

from gatepost.gateway.exchange import CALLER, FactNotWritten
from gatepost.gateway.guards.invoke_permission import InvokePermissionGuard, for_deployment
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import ACCESS_DENIED, Refusal
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Principal
from tests.support.gateways import a_deployment, a_request, a_route, a_stage, an_exchange

ALICE = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/alice", "AIDA", "AKIA", "alice")


class Asked:
    """An authorization that keeps what it is asked, and denies when told to."""

    def __init__(self, denies=False):
        self.denies = denies
        self.asked = []

    def check(self, call, access):
        self.asked.append((call, access))
        if self.denies:
            raise AccessDeniedException(f"not on {access.resource}")


def an_exchange_of_alice():
    request = a_request("DELETE", headers=(("User-Agent", "curl/8"),), is_tls=True)
    exchange = an_exchange(request, route=a_route("/orders/{id}", "ANY"), values=("5",))
    exchange.write(CALLER, ALICE)
    return exchange


def test_the_question_names_caller_action_resource_and_circumstances():
    authorization = Asked()
    InvokePermissionGuard(authorization, a_stage(), "{}").check(an_exchange_of_alice())
    ((call, access),) = authorization.asked
    assert (access.action, access.resource_policy) == ("execute-api:Invoke", "{}")
    assert access.resource == "arn:aws:execute-api:us-east-1:123456789012:abc1234567/prod/DELETE/orders/5"
    assert call.principal is ALICE
    assert (call.source_ip, call.user_agent, call.is_tls) == ("198.51.100.7", "curl/8", True)


def test_a_denial_is_a_refusal_with_the_account_hidden():
    with pytest.raises(Refusal) as refused:
        InvokePermissionGuard(Asked(denies=True), a_stage(), None).check(an_exchange_of_alice())
    assert refused.value.kind is ACCESS_DENIED
    assert "********9012:abc1234567/prod/DELETE/orders/5" in refused.value.message


def test_without_a_caller_the_plan_is_wrong():
    with pytest.raises(FactNotWritten):
        InvokePermissionGuard(Asked(), a_stage(), None).check(an_exchange())


def test_it_cannot_be_made_without_an_authorization():
    with pytest.raises(MappingError):
        for_deployment(a_deployment({}), a_stage(), None)
