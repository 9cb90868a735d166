from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.gateway.response_cache import from_bytes, is_cacheable, stage_space, to_bytes
from gatepost.kernel.errors import StateUnavailable
from gatepost.services.apigateway.deployment import StageSettings
from gatepost.wire.messages import Response
from tests.support.gateways import a_stage

TEXT = st.binary(max_size=30).map(lambda value: value.replace(b"\0", b"."))


@given(st.integers(100, 599), st.lists(st.tuples(TEXT, TEXT), max_size=5), st.binary(max_size=200))
def test_an_answer_comes_back_as_it_was(status, headers, body):
    found, expires_at_ms = from_bytes(to_bytes(Response(status, list(headers), body), expires_at_ms=1_760_000_000_000))
    assert (found.status, found.headers, found.body) == (status, headers, body)
    assert expires_at_ms == 1_760_000_000_000


@pytest.mark.parametrize("value", [b"", b"200", b"abc000001760000000000", b"200000031760000000000a\0b"])
def test_what_is_no_answer_counts_as_a_lost_state(value):
    with pytest.raises(StateUnavailable):
        from_bytes(value)


def test_headers_without_end_are_not_kept():
    assert not is_cacheable(Response(200, [(b"x", b"y" * 100_000)]))
    assert is_cacheable(Response(200, [(b"x", b"y" * 90_000)]))


def test_a_part_of_an_answer_is_not_kept_for_those_who_ask_for_the_whole():
    assert not is_cacheable(Response(206, [(b"Content-Range", b"bytes 0-0/1000")], b"x"))
    assert is_cacheable(Response(203, [], b"x"))


@pytest.mark.parametrize(("size", "bytes_max"), [("", 536_870_912), ("0.5", 536_870_912), ("6.1", 6_549_825_126)])
def test_a_clusters_size_is_in_gigabytes(size, bytes_max):
    settings = StageSettings("prod", "dep123", is_cache_cluster_enabled=True, cache_cluster_size=size)
    assert stage_space(a_stage(), settings).bytes_max == bytes_max
