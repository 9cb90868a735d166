"""API keys and limits on a whole gateway: real keys, plans, journal and plans of routes; a clock that stands still."""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatepost.app.usage_limits import UsageLimits
from gatepost.config import Settings
from gatepost.gateway.limits import StageLimits
from gatepost.kernel.clock import FixedClock
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.deployment import GatewayResponse, Method, StageSettings
from gatepost.services.apigateway.usage_model import ApiStage, Quota, Throttle, UsagePlan
from gatepost.telemetry.usage import UsageJournal
from gatepost.wire.headers import read_block
from gatepost.wire.messages import Request, Response
from tests.support.gateways import ACCOUNT, API, LAMBDA, MOCK, REGION, TestGateway, a_request

VALUE = "a-key-of-twenty-characters"
OTHER = "another-key-of-27-characters"
NOW_MS = 1_760_000_000_000  # 2025-10-09T08:53:20Z, a Thursday
PLACE = f"{ACCOUNT}/{REGION}"
STAGE = ApiStage(API, "prod")
DAY_MS = 86_400_000
KEYED = Method("GET", api_key_required=True, integration=MOCK)
OPEN = Method("GET", integration=MOCK)


class UsageGateway(TestGateway):
    """A gateway with keys and limits, whose journal lies in `folder`."""

    __test__ = False

    def __init__(self, folder: Path, clock: FixedClock | None = None, *, settings: Settings | None = None) -> None:
        super().__init__(clock=clock or FixedClock(NOW_MS))
        self.journal = UsageJournal(folder / "usage.journal", clock=self.clock, send=self._send)
        self.journal.open()
        self.batches: list[tuple[int, Any]] = []
        self.seal = Seal(bytes(range(32)))
        limits = UsageLimits(settings or Settings(), seal=self.seal, clock=self.clock, journal=self.journal)
        self.keys = limits.keys
        self.limits: StageLimits = limits.stages
        object.__setattr__(self.parts, "keys", limits.keys)
        object.__setattr__(self.parts, "limits", limits.stages)
        self.pages: dict[str, dict[str, str]] = {}

    def _send(self, number: int, batch: Any) -> bool:
        self.batches.append((number, orjson.loads(orjson.dumps(batch))))
        return True

    def plan(self, plan_id: str = "gold", **changes: Any) -> None:
        facts: dict[str, Any] = {"id": plan_id, "name": plan_id, "stages": (STAGE,)}
        self.keys.take_plan(f"{PLACE}/{plan_id}", UsagePlan(**(facts | changes)).to_json())

    def key(self, value: str = VALUE, key_id: str = "k1", *, plans: str = "gold", stages: str = "") -> None:
        digest = self.seal.digester("api-key")(value.encode())
        page = self.pages.setdefault(f"{PLACE}/{digest[:3]}", {})
        page[digest] = f"{digest} {key_id} {plans} {stages}"
        self._publish(f"{PLACE}/{digest[:3]}")

    def no_key(self, value: str = VALUE) -> None:
        digest = self.seal.digester("api-key")(value.encode())
        del self.pages[f"{PLACE}/{digest[:3]}"][digest]
        self._publish(f"{PLACE}/{digest[:3]}")

    def _publish(self, name: str) -> None:
        lines = "\n".join(self.pages[name].values())
        self.keys.take_page(name, {"lines": lines} if lines else None)

    def call(self, value: str | None = VALUE, *, path: str = "/orders", count: int = 1) -> list[int]:
        return [self.one(value, path=path).status for _ in range(count)]

    def one(self, value: str | None = VALUE, *, path: str = "/orders") -> Response:
        headers = () if value is None else (("x-api-key", value),)
        return self.get(f"/prod{path}", headers=headers)

    def flush(self) -> None:
        async def scenario() -> None:
            await self.journal.flush()
            self.journal.send_waiting()

        asyncio.run(scenario())

    def close(self) -> None:
        asyncio.run(self.journal.close())

    def counted(self) -> Counts[str]:
        self.flush()
        found: Counts[str] = Counts()
        for _, batch in self.batches:
            found.update({name: count for name, count in batch["counts"].items() if name.startswith("key:")})
        return found


def a_gateway(folder: Path, *methods: Method, stage: StageSettings | None = None, **options: Any) -> UsageGateway:
    gateway = UsageGateway(folder, **options)
    gateway.deploy({"/orders": methods or (KEYED,), "/open": (OPEN,)}, stage=stage)
    return gateway


def header(response: Response, name: bytes) -> str:
    return next((value.decode() for key, value in response.headers if key.lower() == name.lower()), "")


# -- keys


def test_a_key_in_a_plan_of_the_stage_gets_through(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    assert gateway.call() == [200]


@pytest.mark.parametrize(
    "value",
    [None, "", "wrong-key-of-twenty-characters", VALUE[:-1], VALUE + "x", VALUE.upper(), "x" * 5_000, "\x01" * 30],
)
def test_missing_and_wrong_keys_are_forbidden_alike(tmp_path: Path, value: str | None) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    response = gateway.one(value)
    assert (response.status, response.body) == (403, b'{"message":"Forbidden"}')
    assert header(response, b"x-amzn-ErrorType") == "ForbiddenException"
    gateway.request_log.flush()
    assert VALUE.encode() not in b"".join(gateway.lines)


def test_a_key_without_a_plan_or_in_a_plan_of_another_stage_is_forbidden(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan("elsewhere", stages=(ApiStage(API, "test"),))
    gateway.key(plans="elsewhere")
    gateway.key(OTHER, "k2", plans="nosuch")
    assert gateway.call() == gateway.call(OTHER) == [403]


def test_a_stage_takes_its_old_stage_keys_without_a_plan_and_counts_nothing(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.key(plans="", stages=f"{API}/prod")
    gateway.key(OTHER, "k2", plans="", stages=f"{API}/test")
    assert gateway.call() == [200]
    assert gateway.call(OTHER) == [403]
    assert gateway.counted() == {}


def test_a_key_that_is_disabled_deleted_or_taken_out_is_refused_at_once(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    assert gateway.call() == [200]
    gateway.no_key()
    assert gateway.call() == [403]
    gateway.key()
    assert gateway.call() == [200]
    gateway.plan(stages=())
    assert gateway.call() == [403]
    gateway.plan()
    assert gateway.call() == [200]
    gateway.keys.take_plan(f"{PLACE}/gold", None)
    assert gateway.call() == [403]


def test_a_method_that_needs_no_key_ignores_keys_and_counts_nothing(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(1, "DAY"))
    gateway.key()
    assert gateway.call(path="/open", count=5) == [200] * 5
    assert gateway.call("wrong", path="/open") == [200]
    assert gateway.counted() == {}
    assert gateway.call() == [200]


def test_an_api_declares_its_own_answer_for_a_bad_key(tmp_path: Path) -> None:
    gateway = UsageGateway(tmp_path)
    declared = GatewayResponse("INVALID_API_KEY", "401", response_templates={"application/json": '{"key":"bad"}'})
    gateway.deploy({"/orders": (KEYED,)}, gateway_responses=(declared,))
    response = gateway.one()
    assert (response.status, response.body) == (401, b'{"key":"bad"}')


def test_functions_and_variables_see_the_key_and_its_id(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, Method("GET", api_key_required=True, integration=LAMBDA))
    gateway.plan()
    gateway.key()
    assert gateway.call() == [200]
    identity = gateway.functions.event["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == (VALUE, "k1")


def test_a_gateway_without_keys_serves_no_method_that_requires_one() -> None:
    gateway = TestGateway()
    compiled = gateway.deploy({"/orders": (KEYED,)})
    assert "built without API keys" in compiled.problems[0]
    assert gateway.get("/prod/orders").status == 500


# -- throttles


def a_throttled(gateway: UsageGateway, value: str | None = VALUE) -> Response:
    response = gateway.one(value)
    assert (response.status, response.body) == (429, b'{"message":"Too Many Requests"}')
    assert header(response, b"x-amzn-ErrorType") == "TooManyRequestsException"
    return response


def test_a_plan_throttles_each_of_its_keys_for_itself(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(throttle=Throttle(2, 3))
    gateway.key()
    gateway.key(OTHER, "k2")
    assert gateway.call(count=4) == [200, 200, 200, 429]
    a_throttled(gateway)
    assert gateway.call(OTHER) == [200]
    gateway.clock.advance(ms=499)
    assert gateway.call() == [429]
    gateway.clock.advance(ms=1)
    assert gateway.call(count=2) == [200, 429]


def test_a_method_of_a_plan_has_a_throttle_of_its_own_before_the_plans(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    stage = ApiStage(API, "prod", {"/orders/GET": Throttle(1, 2)})
    gateway.plan(stages=(stage,), throttle=Throttle(1, 5))
    gateway.key()
    assert gateway.call(count=3) == [200, 200, 429]
    member = gateway.keys.stage(ACCOUNT, REGION, API, "prod").find(VALUE.encode())
    assert member is not None
    assert member.bucket is not None
    assert member.bucket.left == 3  # what the method refused did not cost the plan anything


def test_a_stage_throttles_each_method_by_its_settings_or_the_stages_default(tmp_path: Path) -> None:
    settings = StageSettings(
        "prod",
        "dep123",
        method_settings={
            "*/*": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 2},
            "~1open/GET": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 4},
        },
    )
    gateway = a_gateway(tmp_path, OPEN, stage=settings)
    assert gateway.call(path="/open", count=5) == [200] * 4 + [429]
    assert gateway.call(count=3) == [200, 200, 429]
    a_throttled(gateway)


def test_a_stage_that_is_deployed_again_goes_on_with_what_is_left(tmp_path: Path) -> None:
    settings = StageSettings(
        "prod", "dep123", method_settings={"*/*": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 2}}
    )
    gateway = a_gateway(tmp_path, OPEN, stage=settings)
    assert gateway.call(count=2) == [200, 200]
    gateway.deploy({"/orders": (OPEN,)}, stage=settings)
    assert gateway.call() == [429]


def test_a_throttle_of_nothing_lets_nobody_pass_and_minus_one_everybody(tmp_path: Path) -> None:
    nothing = {"throttlingRateLimit": 0.0, "throttlingBurstLimit": 0}
    unlimited = {"throttlingRateLimit": -1.0, "throttlingBurstLimit": -1}
    settings = StageSettings("prod", "dep123", method_settings={"*/*": nothing, "~1open/GET": unlimited})
    gateway = a_gateway(tmp_path, OPEN, stage=settings)
    assert gateway.call() == [429]
    assert gateway.call(path="/open", count=20) == [200] * 20


def test_the_account_has_one_bucket_for_all_apis(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, OPEN, settings=Settings(account_throttle_rate=1, account_throttle_burst=3))
    assert gateway.call(path="/open", count=2) == [200, 200]
    assert gateway.call(count=2) == [200, 429]


def test_a_request_that_one_limit_refuses_uses_up_no_other(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, KEYED, settings=Settings(account_throttle_rate=0.001, account_throttle_burst=2))
    gateway.plan(throttle=Throttle(0.001, 5), quota=Quota(4, "DAY"))
    gateway.key()
    assert gateway.call(count=4) == [200, 200, 429, 429]
    member = gateway.keys.stage(ACCOUNT, REGION, API, "prod").find(VALUE.encode())
    assert member is not None
    assert member.bucket is not None
    assert member.quota is not None
    assert (member.bucket.left, member.quota.left) == (3, 2)
    assert list(gateway.counted().values()) == [2]


def test_a_plan_that_is_changed_keeps_what_was_taken(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(throttle=Throttle(0.001, 3))
    gateway.key()
    assert gateway.call(count=4) == [200, 200, 200, 429]
    gateway.plan(throttle=Throttle(0.001, 4))
    assert gateway.call(count=2) == [200, 429]
    gateway.plan(throttle=None)
    assert gateway.call(count=2) == [200, 200]


# -- quotas


def test_a_quota_ends_in_limit_exceeded_until_the_next_day_in_utc(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(2, "DAY"))
    gateway.key()
    assert gateway.call(count=2) == [200, 200]
    response = gateway.one()
    assert (response.status, response.body) == (429, b'{"message":"Limit Exceeded"}')
    assert header(response, b"x-amzn-ErrorType") == "LimitExceededException"
    gateway.clock.advance(ms=DAY_MS - NOW_MS % DAY_MS - 1)
    assert gateway.call() == [429]
    gateway.clock.advance(ms=1)
    assert gateway.call(count=3) == [200, 200, 429]
    assert gateway.counted() == {
        f"key:{PLACE}/gold/k1/2025-10-09": 2,
        f"key:{PLACE}/gold/k1/2025-10-10": 2,
    }


def test_the_offset_is_taken_off_the_first_period(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(3, "WEEK", offset=1, since_ms=NOW_MS))
    gateway.key()
    assert gateway.call(count=3) == [200, 200, 429]
    gateway.clock.advance(ms=3 * DAY_MS)  # a Sunday
    assert gateway.call(count=4) == [200, 200, 200, 429]


def test_what_was_used_outlives_a_restart_and_the_file_that_is_written_anew(tmp_path: Path) -> None:
    clock = FixedClock(NOW_MS)
    used = 0
    for _ in range(4):
        gateway = a_gateway(tmp_path, clock=clock)
        gateway.plan(quota=Quota(10, "MONTH"))
        gateway.key()
        assert gateway.call(count=2) == [200, 200]
        used += 2
        gateway.flush()
        for number, _batch in gateway.batches:
            gateway.journal.acknowledge(number)
        gateway.close()
    gateway = a_gateway(tmp_path, clock=clock)
    gateway.plan(quota=Quota(10, "MONTH"))
    gateway.key()
    assert used == 8
    assert gateway.call(count=3) == [200, 200, 429]


def test_a_clock_that_jumps_forward_and_back_finds_the_old_count_again(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(2, "MONTH"))
    gateway.key()
    assert gateway.call(count=3) == [200, 200, 429]
    gateway.clock._now_ms += 400 * DAY_MS
    assert gateway.call(count=3) == [200, 200, 429]
    gateway.clock._now_ms -= 400 * DAY_MS
    assert gateway.call() == [429]
    gateway.clock._now_ms -= 40 * DAY_MS
    assert gateway.call(count=3) == [200, 200, 429]


def test_a_wall_clock_that_jumps_grants_no_tokens(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(throttle=Throttle(1, 1))
    gateway.key()
    assert gateway.call(count=2) == [200, 429]
    gateway.clock._now_ms += 400 * DAY_MS
    assert gateway.call() == [429]
    gateway.clock._now_ms -= 800 * DAY_MS
    assert gateway.call() == [429]
    gateway.clock.advance(ms=1_000)
    assert gateway.call() == [200]


def test_a_quota_that_is_changed_keeps_what_was_used(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(2, "DAY"))
    gateway.key()
    assert gateway.call(count=3) == [200, 200, 429]
    gateway.plan(quota=Quota(3, "DAY"))
    assert gateway.call(count=2) == [200, 429]
    gateway.plan(quota=Quota(1, "DAY"))
    assert gateway.call() == [429]
    gateway.plan(quota=None)
    assert gateway.call() == [200]


def test_what_is_granted_by_update_usage_counts_for_its_period_only(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(quota=Quota(2, "DAY"))
    gateway.key()
    assert gateway.call(count=3) == [200, 200, 429]
    gateway.keys._quotas.take_extension(f"{PLACE}/gold/k1", {"2025-10-09": 5})
    assert gateway.call(count=4) == [200, 200, 200, 429]
    gateway.clock.advance(ms=DAY_MS)
    assert gateway.call(count=3) == [200, 200, 429]


def test_usage_is_counted_without_a_quota_too(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    assert gateway.call(count=5) == [200] * 5
    assert gateway.counted() == {f"key:{PLACE}/gold/k1/2025-10-09": 5}


# -- bounds


def test_over_the_bound_of_members_old_ones_go_and_their_quotas_stay(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.keys.members_max = 5
    gateway.plan(quota=Quota(2, "DAY"))
    values = [f"a-key-of-twenty-characters-{number}" for number in range(12)]
    for number, value in enumerate(values):
        gateway.key(value, f"k{number}")
        assert gateway.call(value, count=2) == [200, 200]
    assert gateway.keys._count_of_members <= 5
    assert all(gateway.call(value) == [429] for value in values)


@pytest.mark.parametrize(("values", "status"), [((VALUE, OTHER), 200), ((OTHER, VALUE), 403)])
def test_of_the_header_twice_the_first_counts(tmp_path: Path, values: tuple[str, str], status: int) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    request = a_request(target="/prod/orders", headers=(("x-api-key", values[0]), ("X-API-Key", values[1])))
    assert gateway.answer(request).status == status


def test_a_connection_that_repeats_its_header_lines_loses_its_key_with_the_next_request(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan()
    gateway.key()
    host = a_request().host()
    lines = f"\r\nHost: {host}\r\nX-API-Key: {VALUE}\r\n\r\n".encode()
    block = read_block(lines, is_http_1_0=False, headers_max=100)

    def status() -> int:
        return gateway.answer(Request("GET", "/prod/orders", block=block)).status

    assert (status(), status()) == (200, 200)
    gateway.no_key()
    assert status() == 403
    gateway.key()
    assert status() == 200
    gateway.plan(stages=())
    assert status() == 403


def test_a_stage_that_is_deleted_is_forgotten_and_one_that_is_published_again_is_not(tmp_path: Path) -> None:
    throttled = {"*/*": {"throttlingRateLimit": 0.001, "throttlingBurstLimit": 1}}
    gateway = a_gateway(tmp_path, stage=StageSettings("prod", "dep123", method_settings=throttled))
    gateway.plan()
    gateway.key()
    assert gateway.call(count=2) == [200, 429]
    name = f"{API}/prod"
    for value in ({"stage": {}}, None):
        gateway.limits.take_stage(name, value)
        gateway.keys.take_stage(name, value)
        gateway.limits.take_stage(name[:-1], None)
        gateway.keys.take_stage(name[:-1], None)
        assert bool(gateway.limits._stages) is bool(gateway.keys._stages) is (value is not None)
    gateway.deploy({"/orders": (KEYED,)}, stage=StageSettings("prod", "dep123", method_settings=throttled))
    assert gateway.call(count=2) == [200, 429]
