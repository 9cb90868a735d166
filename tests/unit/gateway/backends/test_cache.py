from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.gateway.backends.cache import CacheParts
from gatepost.gateway.near_answers import BYTES_MAX, KEYS_MAX
from gatepost.gateway.plans import ActivePlans
from gatepost.gateway.server import Gateway
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.deployment import (
    CanarySettings,
    Method,
    StageSettings,
    deployment_to_json,
    stage_to_json,
)
from gatepost.state.memory import MemoryState
from tests.support.gateways import (
    API,
    HOST,
    LAMBDA,
    Functions,
    TestGateway,
    a_deployment,
    a_request,
    an_exchange,
    header,
    until,
)

CACHED = {"cachingEnabled": True, "cacheTtlInSeconds": 60}
ANYBODY = {"requireAuthorizationForCacheControl": False}


class Gone(MemoryState):
    """A state that has gone away."""

    def recall(self, space, key):
        raise StateUnavailable("gone")

    def remember(self, space, key, value, *, expires_after_ms):
        raise StateUnavailable("gone")


class Slow(MemoryState):
    """A state in another process: every answer has to be awaited."""

    def recall(self, space, key):
        return self._later(super().recall(space, key))

    def remember(self, space, key, value, *, expires_after_ms):
        return self._later(super().remember(space, key, value, expires_after_ms=expires_after_ms))

    def forget(self, space, key):
        return self._later(super().forget(space, key))

    async def _later(self, answer):
        await asyncio.sleep(0)
        return answer


def a_gateway(functions=None, *, state=None, clock=None):
    gateway = TestGateway(functions or Functions(), clock=clock)
    gateway.state = state or MemoryState(gateway.clock)
    gateway.parts = replace(gateway.parts, cache=CacheParts(gateway.state, Seal(bytes(32))))
    gateway.plans = ActivePlans(gateway.parts)
    gateway.door = Gateway(gateway.plans, gateway.parts, ids=gateway.ids, clock=gateway.clock)
    return gateway


def a_stage(settings=CACHED, *, key="*/*", **changes):
    facts = {"is_cache_cluster_enabled": True, "cache_cluster_size": "0.5", "method_settings": {key: settings}}
    return StageSettings("prod", "dep123", **(facts | changes))


def keyed(*names, verb="GET", parameters=None, **changes):
    integration = replace(LAMBDA, cache_key_parameters=names, request_parameters=parameters or {})
    return Method(verb, integration=replace(integration, **changes))


def answers(count=1, **changes):
    return {"statusCode": 200, "headers": {"X-Made": "here"}, "body": f"answer {count}", **changes}


def calls(gateway):
    return len(gateway.functions.invocations)


def test_a_second_request_is_answered_without_the_integration():
    gateway = a_gateway(Functions(answers()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    first, second = gateway.get(), gateway.get()
    assert (first.status, first.body) == (second.status, second.body) == (200, b"answer 1")
    assert header(second, "X-Made") == ["here"]
    assert calls(gateway) == 1


def test_each_answer_has_a_request_id_of_its_own():
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    assert header(gateway.get(), "x-amzn-RequestId") != header(gateway.get(), "x-amzn-RequestId")
    assert len(header(gateway.get(), "x-amzn-RequestId")) == 1


@pytest.mark.parametrize(
    "stage",
    [
        a_stage(is_cache_cluster_enabled=False),
        a_stage({**CACHED, "cachingEnabled": False}),
        a_stage({**CACHED, "cacheTtlInSeconds": 0}),
        a_stage(key="~1others/GET"),
    ],
)
def test_without_cluster_switch_and_time_to_live_nothing_is_cached(stage):
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=stage)
    gateway.get(), gateway.get()
    assert calls(gateway) == 2


def test_an_entry_ends_with_its_time_to_live():
    clock = FixedClock()
    gateway = a_gateway(clock=clock)
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get()
    clock.advance(ms=59_999)
    gateway.get()
    assert calls(gateway) == 1
    clock.advance(ms=1)
    gateway.get()
    assert calls(gateway) == 2


@pytest.mark.parametrize(("key", "called"), [("*/*", 2), ("~1orders/POST", 1)])
def test_settings_of_all_methods_cache_get_only_and_a_methods_own_any_verb(key, called):
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(verb="POST"),)}, stage=a_stage(key=key))
    for _ in range(2):
        gateway.answer(a_request("POST"))
    assert calls(gateway) == called


def test_of_a_method_for_any_verb_only_get_is_cached():
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(verb="ANY"),)}, stage=a_stage())
    for verb in ("GET", "GET", "POST", "POST", "HEAD"):
        gateway.answer(a_request(verb))
    assert calls(gateway) == 4


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("method.request.querystring.page", None),
        ("integration.request.querystring.q", {"integration.request.querystring.q": "method.request.querystring.page"}),
    ],
)
def test_entries_are_told_apart_by_their_key_parameters_alone(name, parameters):
    integration = {"type": "HTTP_PROXY", "uri": "http://127.0.0.1:9/", "http_method": "GET"} if parameters else {}
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(name, parameters=parameters, **integration),)}, stage=a_stage())
    for target in ("?page=1", "?page=2", "?page=1&other=x", "?page=2&page=2", ""):
        gateway.get(f"/prod/orders{target}")
    assert (len(gateway.upstreams.requests) if parameters else calls(gateway)) == 3


def test_headers_and_paths_can_be_keys_and_others_are_not():
    gateway = a_gateway()
    method = keyed("method.request.header.Accept-Language", "method.request.path.id")
    gateway.deploy({"/orders/{id}": (method,)}, stage=a_stage())
    for target, headers in [
        ("/prod/orders/1", {"accept-language": "de"}),
        ("/prod/orders/1", {"Accept-Language": "de", "Accept": "text/html", "X-HTTP-Method-Override": "DELETE"}),
        ("/prod/orders/1", {"Accept-Language": "en"}),
        ("/prod/orders/2", {"Accept-Language": "de"}),
    ]:
        gateway.get(target, headers=tuple(headers.items()))
    assert calls(gateway) == 3


def test_no_two_lists_of_values_are_one_key():
    gateway = a_gateway()
    method = keyed("method.request.querystring.a", "method.request.querystring.b")
    gateway.deploy({"/orders": (method,)}, stage=a_stage())
    for target in ("?a=1&b=23", "?a=12&b=3", "?a=1%3Bb=23", "?a=&b=123", "?b=123"):
        gateway.get(f"/prod/orders{target}")
    assert calls(gateway) == 5


def test_methods_of_one_cache_namespace_share_their_entries():
    gateway = a_gateway()
    shared = keyed(cache_namespace="shared")
    gateway.deploy({"/orders": (shared,), "/carts": (shared,), "/others": (keyed(),)}, stage=a_stage())
    for path in ("orders", "carts", "others"):
        gateway.get(f"/prod/{path}")
    assert calls(gateway) == 2


@pytest.mark.parametrize(
    "answer",
    [
        answers(statusCode=404),
        answers(statusCode=500),
        answers(statusCode=302),
        {"nonsense": True},
        answers(body="x" * 1_048_577),
    ],
)
def test_errors_and_what_is_too_large_are_not_cached(answer):
    gateway = a_gateway(Functions(answer))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get(), gateway.get()
    assert calls(gateway) == 2


def test_an_answer_of_exactly_the_limit_is_cached():
    gateway = a_gateway(Functions(answers(body="x" * 1_048_576)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    assert gateway.get().body == gateway.get().body
    assert calls(gateway) == 1


def test_the_size_of_a_cluster_is_a_bound_in_bytes_and_the_oldest_go_first():
    gateway = a_gateway(Functions(answers(body="x" * 1_000_000)))
    gateway.state = MemoryState(gateway.clock, bytes_max=2_500_000)
    gateway.parts = replace(gateway.parts, cache=CacheParts(gateway.state, Seal(bytes(32))))
    gateway.plans = ActivePlans(gateway.parts)
    gateway.door = Gateway(gateway.plans, gateway.parts, ids=gateway.ids, clock=gateway.clock)
    gateway.deploy({"/orders": (keyed("method.request.querystring.p"),)}, stage=a_stage())
    for page in (1, 2, 3, 3, 1):
        gateway.get(f"/prod/orders?p={page}")
    assert calls(gateway) == 4
    assert gateway.state.bytes <= 2_500_000


def test_a_client_may_have_its_entry_made_anew_where_anybody_may():
    gateway = a_gateway(Functions(answers(1)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | ANYBODY))
    gateway.get()
    gateway.functions.returns = answers(2)
    assert gateway.get().body == b"answer 1"
    assert gateway.get(headers=(("Cache-Control", "no-store, Max-Age=0"),)).body == b"answer 2"
    assert gateway.get().body == b"answer 2"
    assert calls(gateway) == 2


@pytest.mark.parametrize("value", ["no-cache", "max-age=00", "max-age=01", "s-maxage=0", "max-age=0x", ""])
def test_other_words_of_cache_control_mean_nothing(value):
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | ANYBODY))
    gateway.get(), gateway.get(headers=(("Cache-Control", value),))
    assert calls(gateway) == 1


@pytest.mark.parametrize(
    ("strategy", "status", "warnings"),
    [
        (None, 200, 1),
        ("SUCCEED_WITH_RESPONSE_HEADER", 200, 1),
        ("SUCCEED_WITHOUT_RESPONSE_HEADER", 200, 0),
        ("FAIL_WITH_403", 403, 0),
    ],
)
def test_without_permission_an_entry_stays_and_the_strategy_says_what_else(strategy, status, warnings):
    gateway = a_gateway()
    settings = CACHED | ({"unauthorizedCacheControlHeaderStrategy": strategy} if strategy else {})
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(settings))
    gateway.get()
    answer = gateway.get(headers=(("Cache-Control", "max-age=0"),))
    assert answer.status == status
    assert len(header(answer, "Warning")) == warnings
    assert calls(gateway) == 1
    assert header(gateway.get(), "Warning") == []


def test_an_error_in_place_of_an_entry_takes_the_entry_away():
    gateway = a_gateway(Functions(answers(1)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | ANYBODY))
    gateway.get()
    gateway.functions.returns = answers(2, statusCode=503)
    assert gateway.get(headers=(("Cache-Control", "max-age=0"),)).status == 503
    assert gateway.get().status == 503


def test_a_flush_makes_every_entry_of_the_stage_void():
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(cache_flushes=1))
    gateway.get(), gateway.get()
    assert calls(gateway) == 2


def test_a_new_deployment_keeps_the_entries():
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get()
    gateway.deploy({"/orders": (keyed(),), "/carts": (keyed(),)}, stage=a_stage())
    gateway.get()
    assert calls(gateway) == 1


@pytest.mark.parametrize(("uses_stage_cache", "called"), [(True, 1), (False, 2)])
def test_a_canary_shares_the_stages_entries_when_it_says_so(uses_stage_cache, called):
    gateway = a_gateway()
    deployment = deployment_to_json(a_deployment({"/orders": (keyed(),)}))

    def serve(percent):
        canary = CanarySettings("dep123", percent, uses_stage_cache=uses_stage_cache)
        stage = stage_to_json(a_stage(canary=canary))
        gateway.plans.take(f"{API}/prod", {"deployment": deployment, "stage": stage, "canary": deployment})

    for percent in (0.0, 100.0):
        serve(percent)
        gateway.get()
    assert calls(gateway) == called


def test_encrypted_entries_hold_nothing_that_can_be_read():
    gateway = a_gateway(Functions(answers(body="the customer's secret")))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | {"cacheDataEncrypted": True}))
    gateway.get()
    kept = [value for entries in gateway.state._spaces.values() for _, value in entries.values.values()]
    assert len(kept) == 1
    assert b"secret" not in kept[0]
    assert gateway.get().body == b"the customer's secret"
    assert calls(gateway) == 1


def test_without_the_state_requests_go_to_the_integration():
    gateway = a_gateway(state=Gone(FixedClock()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    assert [gateway.get().status, gateway.get().status] == [200, 200]
    assert calls(gateway) == 2


def test_an_integration_that_fails_is_asked_once_whatever_it_raises():
    class Fails:
        calls = 0

        def answer(self, exchange):
            self.calls += 1
            raise StateUnavailable("the integration's own")

    gateway = a_gateway()
    compiled = gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    (plan,) = compiled.plans
    plan.backend.inner = Fails()
    with pytest.raises(StateUnavailable):
        plan.backend.answer(an_exchange(route=plan.route))
    assert plan.backend.inner.calls == 1


def test_a_state_in_another_process_serves_the_same():
    gateway = a_gateway(Functions(answers()), state=Slow(FixedClock()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | ANYBODY))

    async def scenario():
        first = await gateway.send(a_request())
        await until(lambda: gateway.state.bytes)
        gateway.parts.cache.near.clear()
        return first, await gateway.send(a_request())

    first, second = gateway.run(scenario)
    assert first.body == second.body == b"answer 1"
    assert calls(gateway) == 1


class Asked(MemoryState):
    """A state that counts how often an answer was fetched."""

    recalls = 0

    def recall(self, space, key):
        self.recalls += 1
        return super().recall(space, key)


def test_an_answer_that_many_ask_for_is_fetched_once_a_second():
    clock = FixedClock()
    gateway = a_gateway(Functions(answers()), state=Asked(clock), clock=clock)
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    for _ in range(5):
        assert gateway.get().body == b"answer 1"
    assert gateway.state.recalls == 1  # the miss
    clock.advance(ms=1_000)
    for _ in range(5):
        assert gateway.get().body == b"answer 1"
    assert (gateway.state.recalls, calls(gateway)) == (2, 1)


def test_an_answer_at_hand_ends_with_its_entry():
    clock = FixedClock()
    gateway = a_gateway(Functions(answers()), state=Asked(clock), clock=clock)
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get()
    clock.advance(ms=59_500)
    gateway.get()
    assert (gateway.state.recalls, calls(gateway)) == (2, 1)
    clock.advance(ms=499)
    gateway.get()
    assert (gateway.state.recalls, calls(gateway)) == (2, 1)
    clock.advance(ms=1)
    gateway.get()
    assert calls(gateway) == 2


def test_an_entry_made_anew_is_another_one_in_every_gateway():
    clock = FixedClock()
    state = Asked(clock)
    one, other = (a_gateway(Functions(answers()), state=state, clock=clock) for _ in range(2))
    for gateway in (one, other):
        gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | ANYBODY))
    assert one.get().body == other.get().body == b"answer 1"
    one.functions.returns = answers(2)
    one.get(headers=(("Cache-Control", "max-age=0"),))
    assert other.get().body == b"answer 2"
    one.functions.returns = answers(statusCode=500)
    one.get(headers=(("Cache-Control", "max-age=0"),))
    other.functions.returns = answers(3)
    assert other.get().body == b"answer 3"


def test_encrypted_answers_are_nowhere_in_clear():
    gateway = a_gateway(Functions(answers()), state=Asked(FixedClock()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(CACHED | {"cacheDataEncrypted": True}))
    assert [gateway.get().body for _ in range(3)] == [b"answer 1"] * 3
    assert (gateway.state.recalls, calls(gateway)) == (3, 1)
    assert not gateway.parts.cache.near.answers


def test_headers_that_a_finisher_adds_stay_out_of_what_is_at_hand():
    gateway = a_gateway(Functions(answers()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    gateway.get()  # the one that names its trace
    assert len({len(gateway.get().headers) for _ in range(4)}) == 1


def test_what_a_key_was_worked_out_from_is_never_taken_for_anothers():
    """The same target means other parameters in another route, verb or stage; what was worked out goes by all."""
    gateway = a_gateway()
    gateway.deploy({"/{a}/{b}": (keyed("method.request.path.a"),)}, stage=a_stage())
    for path in ("/x/1", "/x/2", "/y/1", "/x%2f/1", "/x/1"):
        gateway.get(f"/prod{path}")
    assert calls(gateway) == 3
    gateway.deploy({"/{b}/{a}": (keyed("method.request.path.a"),)}, stage=a_stage())
    for path in ("/x/1", "/x/2", "/y/1"):
        gateway.get(f"/prod{path}")
    assert calls(gateway) == 5


@pytest.mark.parametrize(
    "poisoned",
    [
        a_request("GET", "/prod/orders", body=b"what no key says"),
        a_request("POST", "/prod/orders", (("X-HTTP-Method-Override", "GET"),), b"what no key says"),
        a_request("POST", "/prod/orders", (("X-HTTP-Method-Override", "GET"),)),
    ],
)
def test_a_request_that_no_key_tells_from_a_plain_one_neither_fills_nor_gets_an_entry(poisoned):
    gateway = a_gateway(Functions(answers(1)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    assert gateway.answer(poisoned).body == b"answer 1"
    gateway.functions.returns = answers(2)
    assert gateway.get().body == b"answer 2"
    gateway.functions.returns = answers(3)
    assert gateway.answer(poisoned).body == b"answer 3"
    assert gateway.get().body == b"answer 2"


def test_apis_and_stages_with_the_same_routes_never_share_an_entry():
    gateway = a_gateway(Functions(answers(1)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    assert gateway.get().body == b"answer 1"
    gateway.functions.returns = answers(2)
    deployment = a_deployment({"/orders": (keyed(),)}, api_id="other12345")
    for key, stage in ((f"{API}/test", replace(a_stage(), stage_name="test")), ("other12345/prod", a_stage())):
        of_api = deployment if key.startswith("other") else replace(deployment, api_id=API)
        gateway.plans.take(key, {"deployment": deployment_to_json(of_api), "stage": stage_to_json(stage)})
    assert gateway.get("/test/orders").body == b"answer 2"
    gateway.functions.returns = answers(3)
    assert gateway.get(host=HOST.replace(API, "other12345")).body == b"answer 3"
    assert gateway.get().body == b"answer 1"


def test_endless_distinct_keys_cost_a_bounded_memory():
    gateway = a_gateway(Functions(answers(body="x" * 10_000)))
    gateway.state._bytes_max = 200_000
    gateway.deploy({"/orders": (keyed("method.request.querystring.p"),)}, stage=a_stage())
    near = gateway.parts.cache.near
    for number in range(500):
        gateway.get(f"/prod/orders?p={number}")
        assert gateway.state.bytes <= 200_000
        assert len(near.answers) * 10_000 <= BYTES_MAX
        assert len(near.keys) <= KEYS_MAX


def test_hits_and_misses_are_counted():
    gateway = a_gateway()
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage())
    for _ in range(3):
        gateway.get()
    (stage,) = (meter for meter in gateway.metrics._meters.values() if meter.dimensions.stage)
    told = stage.so_far().to_json()
    assert (told["Count"], told["CacheHitCount"], told["CacheMissCount"]) == (3, 2, 1)
    assert told["IntegrationLatency"]["count"] == 1


@pytest.mark.parametrize(("tags", "called"), [({}, 5), ({"gatepost:collapse-cache-misses": "true"}, 1)])
def test_simultaneous_misses_share_one_call_when_the_stage_asks_for_it(tags, called):
    gateway = a_gateway(Functions(answers()))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(tags=tags))

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        asked = [asyncio.ensure_future(gateway.send(a_request())) for _ in range(5)]
        await until(lambda: calls(gateway) >= called)
        gateway.functions.gate.set()
        return await asyncio.gather(*asked)

    assert [answer.body for answer in gateway.run(scenario)] == [b"answer 1"] * 5
    assert calls(gateway) == called


def test_whoever_waited_for_an_answer_that_cannot_be_kept_asks_for_its_own():
    gateway = a_gateway(Functions(answers(statusCode=500)))
    gateway.deploy({"/orders": (keyed(),)}, stage=a_stage(tags={"gatepost:collapse-cache-misses": "true"}))

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        asked = [asyncio.ensure_future(gateway.send(a_request())) for _ in range(3)]
        await until(lambda: calls(gateway))
        gateway.functions.gate.set()
        return await asyncio.gather(*asked)

    assert [answer.status for answer in gateway.run(scenario)] == [500] * 3
    assert calls(gateway) == 3


def test_a_key_parameter_that_the_integration_does_not_map_is_a_configuration_error():
    gateway = a_gateway()
    compiled = gateway.deploy({"/orders": (keyed("integration.request.querystring.q"),)}, stage=a_stage())
    assert gateway.get().status == 500
    assert "cache key parameter integration.request.querystring.q" in compiled.problems[0]
