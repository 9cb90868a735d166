"""Routing by Host, path and headers: mappings of several levels, routing rules, wildcards, and who may not pass."""

import pytest

from gatepost.gateway.client_identity import client_certificate
from gatepost.gateway.custom_domains import NOT_ALLOWED, CustomDomains
from gatepost.gateway.tls_names import trust_of
from gatepost.wire.messages import Peer, Request
from tests.support.tls import NOW_MS, a_client_certificate, an_authority


class Session:
    """What a handshake has settled."""

    def __init__(self, name, *, domain_name=None, certificate=None, trust_store="PEM"):
        self.server_name = name
        self.domain_name = name if domain_name is None else domain_name
        self.client_certificate = certificate
        self.client = None
        self.trust = trust_of(trust_store)


def a_domain(name="api.shop.test", mappings=(), rules=(), **more):
    value = {
        "name": name,
        "certificate_arn": "arn",
        "security_policy": "TLS_1_2",
        "mappings": [dict(zip(("base_path", "api_id", "stage_name"), each, strict=True)) for each in mappings],
        "rules": list(rules),
    }
    return value | more


def a_rule(priority, api_id, *, paths=(), headers=(), strips=False):
    return {
        "id": f"rule{priority}",
        "priority": priority,
        "base_paths": list(paths),
        "headers": [[list(each) for each in condition] for condition in headers],
        "api_id": api_id,
        "stage_name": "prod",
        "strips_base_path": strips,
    }


def domains(*values):
    found = CustomDomains()
    for number, value in enumerate(values):
        found.take(str(number), value)
    return found


def ask(found, path, host="api.shop.test", headers=(), tls=None):
    request = Request("GET", path, [(b"Host", host.encode()), *headers])
    request.peer = Peer("127.0.0.1", 1, is_tls=tls is not None, tls=tls)
    return found.find(request)


MAPPED = (("", "root", "prod"), ("orders", "orders", "prod"), ("orders/v1/items", "items", "prod"), ("any", "any", ""))


@pytest.mark.parametrize(
    ("path", "api_id", "rest", "base_path"),
    [
        ("/", "root", "/", ""),
        ("/other", "root", "/other", ""),
        ("/orders", "orders", "/", "orders"),
        ("/orders/", "orders", "/", "orders"),
        ("/orders/7", "orders", "/7", "orders"),
        ("/ordersX", "root", "/ordersX", ""),
        ("/Orders/7", "root", "/Orders/7", ""),
        ("/orders/v1/items/7", "items", "/7", "orders/v1/items"),
        ("/orders/v1/other", "orders", "/v1/other", "orders"),
        ("/any/dev/x", "any", "/x", "any"),
    ],
)
def test_the_mapping_of_the_most_levels_takes_a_path(path, api_id, rest, base_path):
    match = ask(domains(a_domain(mappings=MAPPED)), path)
    assert (match.api_id, match.path, match.base_path) == (api_id, rest, base_path)


def test_a_mapping_without_a_stage_takes_it_from_the_path():
    found = domains(a_domain(mappings=MAPPED))
    assert ask(found, "/any/dev/x").stage_name == "dev"
    assert ask(found, "/any").stage_name == ""


def test_a_path_without_a_mapping_leads_nowhere():
    assert ask(domains(a_domain(mappings=[("orders", "orders", "prod")])), "/other") is NOT_ALLOWED
    assert ask(domains(a_domain()), "/") is NOT_ALLOWED


def test_a_host_that_is_no_domain_name_is_not_ours():
    found = domains(a_domain(mappings=MAPPED))
    assert ask(found, "/", host="other.shop.test") is None
    assert ask(found, "/", host="api.shop.test:8443").api_id == "root"
    assert ask(found, "/", host="api.shop.test.").api_id == "root"
    found.take("0", None)
    assert ask(found, "/") is None


def test_what_cannot_be_read_takes_nothing_else_away():
    found = domains(a_domain(mappings=MAPPED))
    found.take("1", {"name": "x"})
    assert ask(found, "/").api_id == "root"


def test_a_wildcard_is_one_label():
    found = domains(
        a_domain("*.shop.test", mappings=[("", "wild", "prod")]), a_domain(mappings=[("", "exact", "prod")])
    )
    assert ask(found, "/").api_id == "exact"
    assert ask(found, "/", host="x.shop.test").api_id == "wild"
    assert ask(found, "/", host="x.shop.test").domain_name == "x.shop.test"
    assert ask(found, "/", host="x.y.shop.test") is None
    assert ask(found, "/", host="shop.test") is None


RULES = (
    a_rule(
        50, "second", paths=["PetStoreShopper"], headers=[[("accept", "image/webp")], [("pet", "Dog-*")]], strips=True
    ),
    a_rule(10, "first", headers=[[("hello", "World")]]),
    a_rule(100, "third"),
)


def test_rules_are_looked_at_by_priority_and_the_first_that_fits_wins():
    """AWS's own example: rest-api-routing-rules-examples.html, "Routing rules only"."""
    found = domains(a_domain(rules=RULES, routing_mode="ROUTING_RULE_ONLY", mappings=MAPPED))
    hello, pet, webp = (b"Hello", b"World"), (b"Pet", b"Dog-Bella"), (b"Accept", b"image/webp")
    assert ask(found, "/", headers=[hello]).api_id == "first"
    assert ask(found, "/PetStoreShopper", headers=[hello, pet, webp]).api_id == "first"
    match = ask(found, "/PetStoreShopper/cats", headers=[pet, webp])
    assert (match.api_id, match.path, match.rule_id, match.base_path) == (
        "second",
        "/cats",
        "rule50",
        "PetStoreShopper",
    )
    assert ask(found, "/PetStoreShopper", headers=[pet]).api_id == "third"
    assert ask(found, "/petstoreshopper", headers=[pet, webp]).api_id == "third"
    assert ask(found, "/orders/7").path == "/orders/7"


def test_each_mode_looks_at_what_it_says():
    rules = [a_rule(1, "ruled", paths=["orders"])]
    both = domains(a_domain(rules=rules, routing_mode="ROUTING_RULE_THEN_API_MAPPING", mappings=MAPPED))
    assert ask(both, "/orders").api_id == "ruled"
    assert ask(both, "/other").api_id == "root"
    only = domains(a_domain(rules=rules, routing_mode="ROUTING_RULE_ONLY", mappings=MAPPED))
    assert ask(only, "/other") is NOT_ALLOWED
    mappings = domains(a_domain(rules=rules, routing_mode="API_MAPPING_ONLY", mappings=MAPPED))
    assert ask(mappings, "/orders").api_id == "orders"


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("beta", [b"beta"], [b"Beta", b"beta2", b""]),
        ("beta*", [b"beta", b"beta2"], [b"xbeta"]),
        ("*beta", [b"beta", b"xbeta"], [b"beta2"]),
        ("*beta*", [b"xbeta2"], [b"bet"]),
        ("*", [b"", b"anything"], []),
    ],
)
def test_values_fit_their_globs(glob, yes, no):
    rules = [a_rule(1, "ruled", headers=[[("x-version", glob)]])]
    found = domains(a_domain(rules=rules, routing_mode="ROUTING_RULE_ONLY"))
    for value in yes:
        assert ask(found, "/", headers=[(b"X-Version", value)]).api_id == "ruled"
    for value in no:
        assert ask(found, "/", headers=[(b"X-Version", value)]) is NOT_ALLOWED
    assert ask(found, "/") is NOT_ALLOWED


def test_with_mutual_tls_only_a_certificate_under_the_domains_own_terms_passes():
    found = domains(a_domain(mappings=MAPPED, trust_store="PEM"))
    assert ask(found, "/") is NOT_ALLOWED
    for tls in (
        Session("api.shop.test"),
        Session("other.shop.test", certificate=b"DER"),
        Session("api.shop.test", domain_name="", certificate=b"DER"),
    ):
        assert ask(found, "/", tls=tls) is NOT_ALLOWED
    assert ask(found, "/", tls=Session("api.shop.test", certificate=b"DER")).api_id == "root"


def test_a_connection_may_ask_no_more_when_the_trust_store_of_its_handshake_is_exchanged():
    found = domains(a_domain(mappings=MAPPED, trust_store="PEM"))
    session = Session("api.shop.test", certificate=b"DER")
    assert ask(found, "/", tls=session).api_id == "root"
    found.take("0", a_domain(mappings=MAPPED, trust_store="OTHER PEM"))
    assert ask(found, "/", tls=session) is NOT_ALLOWED
    assert ask(found, "/", tls=Session("api.shop.test", certificate=b"DER", trust_store="OTHER PEM")).api_id == "root"
    found.take("0", a_domain(mappings=MAPPED))
    assert ask(found, "/", tls=session).api_id == "root"


def test_a_strict_domain_wants_the_server_name_to_be_the_host():
    found = domains(a_domain(mappings=MAPPED, is_strict=True))
    assert ask(found, "/", tls=Session("other.shop.test")) is NOT_ALLOWED
    assert ask(found, "/", tls=Session("api.shop.test")).api_id == "root"
    assert ask(found, "/").api_id == "root"  # nothing was asked for on a plain connection


def test_a_client_certificate_is_told_in_awss_words():
    import ssl

    authority = an_authority("shop.test")
    pair = a_client_certificate(authority, now_ms=NOW_MS)
    request = Request("GET", "/")
    assert client_certificate(request) is None
    session = Session("api.shop.test", certificate=ssl.PEM_cert_to_DER_cert(pair.certificate))
    request.peer = Peer("127.0.0.1", 1, is_tls=True, tls=session)
    event = client_certificate(request).to_event()
    assert event["subjectDN"] == "CN=client.shop.test"
    assert event["issuerDN"].startswith("O=Gatepost local development,CN=Gatepost local CA")
    assert event["serialNumber"] == "a1:b2:c3"
    assert event["validity"]["notAfter"].endswith(" GMT")
    assert event["clientCertPem"].startswith("-----BEGIN CERTIFICATE-----")
    assert client_certificate(request) is client_certificate(request)


def test_a_wildcard_does_not_catch_a_user_pools_domain():
    found = domains(a_domain("*.shop.test", mappings=MAPPED))
    assert ask(found, "/", host="login.shop.test").api_id == "root"
    found.take_pool_domain("login.shop.test", {"certificate_arn": "arn"})
    assert ask(found, "/", host="login.shop.test") is None
    assert ask(found, "/", host="api.shop.test").api_id == "root"
    found.take_pool_domain("login.shop.test", None)
    assert ask(found, "/", host="login.shop.test").api_id == "root"
