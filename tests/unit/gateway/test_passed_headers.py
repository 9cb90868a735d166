from __future__ import annotations

from gatepost.gateway.passed_headers import KNOWN_MAX, PassedHeaders
from gatepost.wire.messages import Peer, Request
from tests.support.gateways import a_request


def again(request, peer=None):
    return Request(request.method, request.target, block=request.block, peer=peer or request.peer)


def a_memory():
    prepared = []

    def prepare(request):
        prepared.append(request)
        return request.client_ip

    return PassedHeaders(), prepared, prepare


def test_headers_that_a_connection_repeats_are_worked_out_once():
    passed, prepared, prepare = a_memory()
    request = a_request()
    assert passed.of(request, "rule", prepare) == passed.of(again(request), "rule", prepare) == "198.51.100.7"
    assert len(prepared) == 1


def test_another_rule_another_client_or_another_block_is_worked_out_anew():
    passed, prepared, prepare = a_memory()
    request = a_request()
    passed.of(request, "rule", prepare)
    passed.of(again(request), "other rule", prepare)
    passed.of(a_request(), "rule", prepare)
    assert passed.of(again(request, Peer("203.0.113.1", 1, is_tls=False)), "rule", prepare) == "203.0.113.1"
    assert len(prepared) == 4


def test_requests_made_by_hand_are_not_remembered():
    passed, prepared, prepare = a_memory()
    request = Request("GET", "/", [(b"Host", b"x")])
    passed.of(request, "rule", prepare)
    passed.of(request, "rule", prepare)
    assert len(prepared) == 2


def test_blocks_are_remembered_within_a_bound():
    passed, _, prepare = a_memory()
    for _ in range(KNOWN_MAX * 2 + 3):
        passed.of(a_request(), "rule", prepare)
    assert len(passed._known) <= KNOWN_MAX
