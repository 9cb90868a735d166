"""Query strings, times, traces, ids, deadlines and address policies: small parts with sharp edges."""

from __future__ import annotations

import asyncio
import re

import pytest

from gatepost.gateway.clf import request_time
from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.query import decode_parameter, parse_query
from gatepost.gateway.request_ids import BLOCK, RequestIds
from gatepost.gateway.trace import trace_root
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.tasks import Tasks
from tests.support.gateways import a_request, an_exchange, until


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", []),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=b", [("", "b")]),
        ("a=1&a=2", [("a", "1"), ("a", "2")]),
        ("a=1;b=2", [("a", "1"), ("b", "2")]),
        ("&&a=1&", [("a", "1")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a=%25", [("a", "%25")]),
        ("a=%zz", [("a", "%25zz")]),
        ("a=%ff", [("a", "\ufffd")]),
    ],
)
def test_query_strings_are_read_as_api_gateway_reads_them(query, expected):
    assert parse_query(query) == expected


def test_a_parameter_without_percent_signs_is_itself():
    assert decode_parameter("a+b") == "a+b"
    assert decode_parameter("a%2Bb") == "a+b"


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(0, "01/Jan/1970:00:00:00 +0000"), (1_519_166_937_665, "20/Feb/2018:22:48:57 +0000")],
)
def test_request_times_are_in_the_common_log_format(at_ms, expected):
    assert request_time(at_ms) == expected


GIVEN = "Root=1-5759e988-bd862e3fe1be46a994272793"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (GIVEN, GIVEN),
        (f"Self=1-67891234-12456789abcdef012345678;{GIVEN};Sampled=1", GIVEN),
        ("Root=1-5759e988-short", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_the_clients_trace_is_kept_and_else_one_is_made(header, expected):
    exchange = an_exchange(a_request(headers=(("X-Amzn-Trace-Id", header),) if header else ()))
    assert trace_root(exchange) == (expected or f"Root=1-{1_760_000_000:08x}-89ab4cde8f0123456789abcd")
    assert trace_root(exchange) is trace_root(exchange)


def test_request_ids_are_version_4_uuids_and_never_the_same():
    ids = RequestIds()
    made = [ids.next() for _ in range(BLOCK * 2 + 10)]
    assert len(set(made)) == len(made)
    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(pattern.fullmatch(each) for each in made)
    assert len({each[:23] for each in made}) == 3


def test_extended_ids_are_sixteen_characters_and_never_the_same():
    ids = RequestIds()
    made = [ids.next_extended() for _ in range(3_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{15}=", each) for each in made)


class Refused(ServiceError):
    code = "Refused"


@pytest.mark.parametrize("as_future", [False, True])
def test_work_within_its_time_gives_its_result_or_its_error(as_future):
    async def scenario():
        tasks = Tasks("test")

        async def work(result):
            await asyncio.sleep(0)
            if isinstance(result, Exception):
                raise result
            return result

        def awaitable(result):
            return asyncio.ensure_future(work(result)) if as_future else work(result)

        found = await within(awaitable(7), timeout_ms=1000, tasks=tasks, name="work")
        with pytest.raises(Refused):
            await within(awaitable(Refused("no")), timeout_ms=1000, tasks=tasks, name="work")
        await tasks.close()
        return found

    assert asyncio.run(scenario()) == 7


def test_work_that_takes_too_long_goes_on(caplog):
    async def scenario():
        tasks, gate, ended = Tasks("test"), asyncio.Event(), asyncio.Event()

        async def work():
            await gate.wait()
            ended.set()
            raise Refused("too late")

        with pytest.raises(DeadlinePassed):
            await within(work(), timeout_ms=10, tasks=tasks, name="work")
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(DeadlinePassed):
            await within(future, timeout_ms=10, tasks=tasks, name="work")
        future.set_exception(Refused("too late"))
        gate.set()
        await until(ended.is_set)
        await until(lambda: len(tasks) == 0)

    asyncio.run(scenario())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("address", "with_private", "without_private"),
    [
        ("93.184.216.34", True, True),
        ("127.0.0.1", True, False),
        ("10.1.2.3", True, False),
        ("192.168.1.1", True, False),
        ("::1", True, False),
        ("fd12::1", True, False),
        ("2606:2800:220:1::1", True, True),
        ("169.254.169.254", False, False),
        ("169.254.170.2", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("not an address", False, False),
    ],
)
def test_metadata_addresses_are_never_allowed_and_private_ones_by_choice(address, with_private, without_private):
    assert AddressPolicy()(address) is with_private
    assert AddressPolicy(private_allowed=False)(address) is without_private


@pytest.mark.parametrize(
    "address",
    [
        "::169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:db8::5efe:a9fe:a9fe",
        "2001:db8::200:5efe:a9fe:a9fe",
    ],
)
def test_no_ipv6_address_leads_to_a_metadata_service(address):
    assert not AddressPolicy()(address)
