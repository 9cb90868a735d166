"""No file of keys, patch, key or reply of a server that is none breaks anything."""

from __future__ import annotations

import asyncio
import random

import pytest

from gatepost.gateway.addresses import ClientAddresses
from gatepost.kernel.clock import SystemClock
from gatepost.services.apigateway.api_keys_csv import parse_key_rows
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.stage_extensions import stage_extensions
from gatepost.services.apigateway.usage_model import ApiStage, Quota, Throttle, UsagePlan
from gatepost.services.apigateway.usage_plan_patches import patched
from gatepost.services.apigateway.usage_plans import check_plan
from gatepost.state.resp import RespConnection
from tests.support.gateways import a_request

SEEDS = range(20)
TEXTS = (
    *(
        "",
        "0",
        "-1",
        "1",
        "1.5",
        "nan",
        "inf",
        "1e400",
        "9" * 40,
        "DAY",
        "true",
        "{}",
        "[]",
        '{"/a/GET":{"rateLimit":1}}',
    ),
    *("\x00", "ü", "a1:prod", "a1:prod:x", '{"rateLimit":1e999}', '{"rateLimit":true}', '{"/a/GET":null}', "[" * 2_000),
)
PATHS = (
    *("/name", "/quota/limit", "/quota/offset", "/quota/period", "/quota", "/throttle", "/throttle/rateLimit", "/"),
    *("/throttle/burstLimit", "/apiStages", "/apiStages/a1:prod/throttle", "/apiStages/a1:prod/throttle/~1a/GET", ""),
    *("/apiStages/a1:prod/throttle//a/GET/rateLimit", "/apiStages/a1:prod/throttle/x", "/apiStages//throttle//", "/~"),
    *(
        "/apiStages/a1:prod/throttle/~1a/GET/burstLimit",
        "/apiStages/other:prod/throttle",
        "/apiStages/a1:prod/throttle/",
    ),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_bytes_are_a_file_of_keys_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    pieces = (b"name", b"key", b",", b"\n", b'"', b"Enabled", b"TRUE", b"\r", b"\x00", b"\xff", b"0123456789abcdefghij")
    for _ in range(200):
        body = b"name,key\n" * chance.randrange(2) + b"".join(chance.choices(pieces, k=chance.randrange(40)))
        try:
            rows, _ = parse_key_rows(body)
        except BadRequestException:
            continue
        assert all(isinstance(row.value, str) for row in rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_patch_leaves_a_plan_that_works_or_is_refused(seed: int) -> None:
    chance = random.Random(seed)
    plan = UsagePlan("p", "gold", "", (ApiStage("a1", "prod"),), Throttle(1, 1), Quota(5, "DAY"))
    for _ in range(300):
        patch = {
            "op": chance.choice(("add", "replace", "remove", "move", "")),
            "path": chance.choice(PATHS),
            "value": chance.choice(TEXTS),
        }
        try:
            changed = patched(plan, {"patchOperations": [patch]})
            check_plan(changed)
        except (BadRequestException, NotFoundException, ConflictException):
            continue
        plan = UsagePlan.from_json(changed.to_json())


@pytest.mark.parametrize("seed", SEEDS)
def test_any_reply_of_a_server_ends_in_an_answer_or_in_the_end_of_the_connection(seed: int) -> None:
    chance = random.Random(seed)
    pieces = (b"+", b"-", b":", b"$", b"*", b"\r\n", b"1", b"-1", b"999999999999", b"x", b"\x00", b"3\r\nabc\r\n")

    class Wire:
        def write(self, data: bytes) -> None:
            del data

        def abort(self) -> None:
            """Nothing to abort."""

    async def scenario() -> None:
        for _ in range(50):
            connection = RespConnection(clock=SystemClock(), deadline_ms=1_000, lost=lambda _: None)
            connection.connection_made(Wire())  # type: ignore[arg-type]
            waiting = connection.send(b"")
            for _ in range(10):
                if not connection.is_over:
                    connection.data_received(b"".join(chance.choices(pieces, k=6)))
            connection.close()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", SEEDS)
def test_any_chain_of_addresses_gives_a_text(seed: int) -> None:
    chance = random.Random(seed)
    addresses = ClientAddresses(("10.0.0.0/8", "fd00::/8"))
    pieces = (
        "10.0.0.1",
        "1.2.3.4",
        "::1",
        "fd00::1",
        ",",
        " ",
        "x",
        "%",
        "2001:db8::1",
        "1.2.3",
        "::ffff:1.2.3.4",
        ":",
    )
    for _ in range(200):
        chain = "".join(chance.choices(pieces, k=chance.randrange(1, 30)))
        request = a_request(headers=(("X-Forwarded-For", chain),), client_ip=chance.choice(("10.0.0.1", "fd00::2")))
        assert addresses.of(request)


@pytest.mark.parametrize("value", TEXTS)
@pytest.mark.parametrize("name", ["address-throttle", "rate-limit-headers", "other"])
def test_any_tag_is_an_extension_or_refused(name: str, value: str) -> None:
    if (name, value) == ("rate-limit-headers", "true"):
        assert stage_extensions({f"gatepost:{name}": value}).has_rate_limit_headers
        return
    with pytest.raises(ValueError, match="gatepost:"):
        stage_extensions({f"gatepost:{name}": value})
