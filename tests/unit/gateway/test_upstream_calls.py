from __future__ import annotations

import pytest

from gatepost.gateway.mapped_request import compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import Refusal
from gatepost.gateway.upstream_calls import HttpProxyParts, compile_upstream_calls
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import Integration
from tests.support.gateways import Upstreams, a_route, a_stage, an_exchange

ROUTE = a_route("/orders/{id}")


def calls(uri, **parameters):
    integration = Integration("HTTP", http_method="GET", uri=uri, request_parameters=parameters)
    mapped = compile_mapped_request(integration, a_stage(), ROUTE)
    parts = HttpProxyParts(Upstreams(), FixedClock())
    return compile_upstream_calls(integration, a_stage(), mapped, parts, tasks=Tasks("t"))


def test_a_target_is_filled_with_path_variables_and_queries():
    made = calls(
        "http://h/{a}/{b}?s=1",
        **{
            "integration.request.path.a": "method.request.path.id",
            "integration.request.path.b": "'x y'",
        },
    )
    exchange = an_exchange(route=ROUTE, values=("7%20",))
    assert made.target(exchange, "q=1") == "/7%20/x%20y?s=1&q=1"
    assert made.target(exchange, "", {"a": "é"}) == "/%C3%A9/x%20y?s=1"
    with pytest.raises(Refusal):
        made.target(exchange, "", {"a": "../x"})


def test_a_variable_without_a_mapping_and_an_odd_target_are_refused():
    with pytest.raises(MappingError, match="has no mapping"):
        calls("http://h/{a}")
    with pytest.raises(MappingError, match=r"use integration\.request\.path"):
        calls("http://h/", **{"integration.request.body.a": "'x'"})
