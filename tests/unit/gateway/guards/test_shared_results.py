"""Results of Lambda authorizers that gateways share: one memory, which ends for all of them at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatepost.gateway.backends.cache import CacheParts
from gatepost.gateway.plans import ActivePlans
from gatepost.gateway.server import Gateway
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.deployment import Method, StageSettings
from gatepost.state.memory import MemoryState
from tests.support.gateways import LAMBDA, TestGateway
from tests.unit.gateway.guards.test_lambda_authorizer import TOKEN, AuthorizerFunctions, an_output, with_token
from tests.unit.gateway.guards.test_signature import signature_parts

GUARDED = {"/orders": (Method("ANY", "CUSTOM", authorizer_id="au1", integration=LAMBDA),)}


class Gone(MemoryState):
    """A state that has gone away."""

    def recall(self, space, key):
        raise StateUnavailable("gone")

    def remember(self, space, key, value, *, expires_after_ms):
        raise StateUnavailable("gone")


class Nodes:
    """Gateways with one clock and one state, each with functions of its own that count how often they are asked."""

    def __init__(self, *, state=None, count=2, authorizer=TOKEN, is_shared=True):
        self.clock = FixedClock()
        self.state = state or MemoryState(self.clock)
        self.authorizer = authorizer
        self.gateways = []
        for _ in range(count):
            gateway = TestGateway(AuthorizerFunctions(), clock=self.clock, signatures=signature_parts(None))
            cache = CacheParts(self.state, Seal(bytes(32)), is_shared=is_shared)
            gateway.parts = replace(gateway.parts, cache=cache)
            gateway.plans = ActivePlans(gateway.parts)
            gateway.door = Gateway(gateway.plans, gateway.parts, ids=gateway.ids, clock=self.clock)
            self.gateways.append(gateway)
        self.publish(StageSettings("prod", "dep123"))

    def publish(self, stage):
        for gateway in self.gateways:
            gateway.deploy(GUARDED, authorizers=(self.authorizer,), stage=stage, id=stage.deployment_id)

    def statuses(self, token="tok"):
        return [gateway.answer(with_token(token)).status for gateway in self.gateways]

    @property
    def asked(self):
        return [len(gateway.functions.asked) for gateway in self.gateways]


def test_what_one_gateway_was_told_the_others_know():
    nodes = Nodes(count=3)
    assert nodes.statuses() == nodes.statuses() == [200, 200, 200]
    assert nodes.asked == [1, 0, 0]
    nodes.gateways[0].functions.says = an_output("Deny")
    assert nodes.statuses("other") == [403, 403, 403]
    assert nodes.asked == [2, 0, 0]


def test_an_entry_ends_for_all_when_it_ends_for_the_one_that_asked():
    nodes = Nodes(authorizer=replace(TOKEN, result_ttl_s=60))
    one, other = nodes.gateways
    assert one.answer(with_token()).status == 200
    nodes.clock.advance(ms=59_999)
    assert other.answer(with_token()).status == 200
    assert nodes.asked == [1, 0]
    nodes.clock.advance(ms=1)
    assert other.answer(with_token()).status == 200
    assert nodes.asked == [1, 1]
    assert one.answer(with_token()).status == 200
    assert nodes.asked == [1, 1]


@pytest.mark.parametrize(
    "stage",
    [StageSettings("prod", "dep123", authorizer_cache_flushes=1), StageSettings("prod", "dep124")],
    ids=["flushed", "deployed"],
)
def test_a_flush_or_a_deployment_forgets_for_all(stage):
    nodes = Nodes()
    nodes.statuses()
    nodes.publish(stage)
    nodes.gateways[1].functions.says = an_output("Deny")
    assert nodes.gateways[1].answer(with_token()).status == 403
    assert nodes.gateways[0].answer(with_token()).status == 403
    assert nodes.asked == [1, 1]


def test_nothing_is_shared_that_is_not_to_be_remembered():
    nodes = Nodes(authorizer=replace(TOKEN, result_ttl_s=0))
    nodes.statuses()
    assert nodes.asked == [1, 1]
    assert nodes.state.bytes == 0


def test_alone_a_gateway_keeps_what_it_was_told_to_itself():
    nodes = Nodes(is_shared=False)
    nodes.statuses()
    assert nodes.asked == [1, 1]
    assert nodes.state.bytes == 0


def test_errors_and_nonsense_are_not_shared():
    nodes = Nodes()
    nodes.gateways[0].functions.says = b"nonsense"
    assert nodes.statuses() == [500, 200]
    assert nodes.asked == [1, 1]


def test_without_the_state_the_function_is_asked():
    nodes = Nodes(state=Gone(FixedClock()))
    assert nodes.statuses() == nodes.statuses() == [200, 200]
    assert nodes.asked == [1, 1]


@pytest.mark.parametrize("forge", [lambda mine, theirs: mine, lambda mine, theirs: b"0" * 50, lambda mine, theirs: b""])
def test_who_can_write_into_the_state_cannot_give_one_caller_the_policy_of_another(forge):
    nodes = Nodes()
    one, other = nodes.gateways
    assert one.answer(with_token("mine")).status == 200
    one.functions.says = other.functions.says = an_output("Deny")
    assert one.answer(with_token("theirs")).status == 403
    ((name, entries),) = nodes.state._spaces.items()
    assert name.startswith("authorizers/")
    mine, theirs = entries.values
    for key in (mine, theirs):
        assert "mine" not in key
        assert "theirs" not in key
    expires, stolen = entries.values[mine]
    assert b"ana" not in stolen
    entries.values[theirs] = (expires, forge(stolen, entries.values[theirs][1]))
    assert other.answer(with_token("theirs")).status == 403
    assert len(other.functions.asked) == 1
