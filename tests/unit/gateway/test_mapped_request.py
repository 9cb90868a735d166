from __future__ import annotations

import pytest

from gatepost.gateway.mapped_request import compile_mapped_request
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import BAD_REQUEST, Refusal
from gatepost.services.apigateway.deployment import Integration
from tests.support.gateways import a_request, a_route, a_stage, an_exchange

ROUTE = a_route("/orders/{id}")


def mapped(**parameters):
    given = {f"integration.request.{target.replace('__', '.')}": source for target, source in parameters.items()}
    return compile_mapped_request(Integration("AWS", request_parameters=given), a_stage(), ROUTE)


def an_order(target="/prod/orders/7", value="7"):
    return an_exchange(a_request(target=target), route=ROUTE, values=(value,))


def test_a_path_is_filled_and_the_routes_own_variables_stay_encoded():
    made = mapped(path__id="method.request.path.id", path__kind="'a b'")
    pieces = ("/x/", "id", "/", "kind", "")
    assert made.fill(pieces, an_order(value="7%2F8"), {}) == "/x/7%2F8/a%20b"
    assert made.fill(pieces, an_order(), {"id": "é/"}) == "/x/%C3%A9%2F/a%20b"


@pytest.mark.parametrize("value", ["..", "%2e%2e", "a%2F..%2Fb", "..;x", "a%5C..", "."])
def test_a_path_variable_cannot_climb(value):
    made = mapped(path__id="method.request.path.id")
    with pytest.raises(Refusal) as refused:
        made.fill(("/x/", "id", ""), an_order(value=value), {})
    assert refused.value.kind is BAD_REQUEST


def test_a_query_holds_what_is_mapped_and_what_a_template_overrides():
    made = mapped(querystring__q="method.request.multivaluequerystring.q", querystring__r="'a&b'")
    assert made.query_text(an_order("/prod/orders/7?q=1&q=2"), {}) == "q=1&q=2&r=a%26b"
    assert made.query_text(an_order("/prod/orders/7?q=1"), {"q": "9", "s t": "="}) == "r=a%26b&q=9&s%20t=%3D"


def test_what_has_no_place_is_refused():
    with pytest.raises(MappingError):
        mapped(body__x="'a'")
    with pytest.raises(MappingError, match="has no mapping"):
        mapped(path__a="'a'").check_variables(["b"])
