"""Terms by server name: as certificates and domain names come, change and go."""

import base64
import ssl

from gatepost.gateway.tls_names import TlsNames, trust_of
from gatepost.security.certificates import pem_of
from gatepost.security.sealing import Seal
from gatepost.services.acm.publication import DEFAULT, KEY_PURPOSE
from gatepost.services.apigateway.domain_publication import PublishedDomain
from tests.support.tls import an_authority, issued

SEAL = Seal(b"k" * 32)
AUTHORITY = an_authority("shop.test")


def a_certificate(*names):
    pair = issued(AUTHORITY, *names)
    sealed = base64.b64encode(SEAL.seal(pair.key, purpose=KEY_PURPOSE)).decode()
    return {"certificates": pair.certificate + pair.chain, "sealed_key": sealed}


def a_domain(name="api.shop.test", **more):
    return PublishedDomain(**{"name": name, "certificate_arn": "arn", "security_policy": "TLS_1_2"} | more).to_json()


def some_names():
    names = TlsNames(SEAL)
    names.take_certificate(DEFAULT, a_certificate("localhost"))
    names.take_certificate("arn", a_certificate("*.shop.test"))
    return names


def test_before_any_certificate_there_are_no_terms():
    assert TlsNames(SEAL).find("localhost") is None


def test_the_domain_itself_comes_before_its_wildcard_and_that_before_the_default():
    names = some_names()
    names.take_domain("1", a_domain("*.shop.test"))
    names.take_domain("2", a_domain("api.shop.test"))
    assert names.find("api.shop.test").domain_name == "api.shop.test"
    assert names.find("other.shop.test").domain_name == "*.shop.test"
    assert names.find("a.other.shop.test").domain_name == ""
    assert names.find("").domain_name == ""


def test_a_certificate_that_comes_again_makes_new_terms_for_its_domains_only():
    names = some_names()
    names.take_domain("1", a_domain())
    before, default = names.find("api.shop.test"), names.find("")
    names.take_certificate("arn", a_certificate("*.shop.test"))
    assert names.find("api.shop.test").context is not before.context
    assert names.find("") is default


def test_a_domain_whose_paths_change_keeps_its_terms():
    names = some_names()
    names.take_domain("1", a_domain())
    before = names.find("api.shop.test")
    names.take_domain("1", a_domain(mappings=[{"base_path": "", "api_id": "a", "stage_name": "prod"}]))
    assert names.find("api.shop.test") is before
    assert before.trust == ""
    names.take_domain("1", a_domain(trust_store=pem_of(AUTHORITY.certificate)))
    assert names.find("api.shop.test") is not before
    assert names.find("api.shop.test").trust == trust_of(pem_of(AUTHORITY.certificate))


def test_the_order_of_arrival_does_not_matter():
    names = TlsNames(SEAL)
    names.take_domain("1", a_domain())
    assert names.find("api.shop.test") is None
    names.take_certificate("arn", a_certificate("api.shop.test"))
    assert names.find("api.shop.test").domain_name == "api.shop.test"


def test_what_goes_is_gone_and_what_cannot_be_read_serves_nobody():
    names = some_names()
    names.take_domain("1", a_domain())
    names.take_domain("1", None)
    assert names.find("api.shop.test").domain_name == ""
    names.take_domain("1", {"name": "api.shop.test"})
    names.take_domain("3", a_domain("bad.shop.test", trust_store="nonsense"))
    names.take_certificate("other", {"certificates": "nonsense", "sealed_key": "AAAA"})
    names.take_domain("4", a_domain("other.shop.test", certificate_arn="other"))
    for name in ("api", "bad", "other"):
        assert names.find(f"{name}.shop.test").domain_name == ""


def test_a_user_pools_domain_has_its_certificate_and_its_terms_until_it_goes():
    names = some_names()
    names.take_pool_domain("login.shop.test", {"certificate_arn": "arn", "security_policy": "TLS_1_2"})
    before = names.find("login.shop.test")
    assert (before.domain_name, before.context.minimum_version) == ("login.shop.test", ssl.TLSVersion.TLSv1_2)
    strict = {"certificate_arn": "arn", "security_policy": "SecurityPolicy_TLS13_1_3_2025_09"}
    names.take_pool_domain("login.shop.test", strict)
    assert names.find("login.shop.test").context.minimum_version == ssl.TLSVersion.TLSv1_3
    names.take_pool_domain("login.shop.test", {"certificate_arn": "arn"})
    assert names.find("login.shop.test").domain_name == ""
    names.take_pool_domain("login.shop.test", strict)
    names.take_pool_domain("login.shop.test", None)
    assert names.find("login.shop.test").domain_name == ""


def an_endpoint(policy):
    return {"type": "REGIONAL", "vpc_endpoint_ids": [], "security_policy": policy, "is_strict": False}


def test_an_apis_security_policy_holds_for_its_own_names_only():
    names = some_names()
    names.take_api("abc", an_endpoint("SecurityPolicy_TLS13_1_3_2025_09"))
    host = "abc.execute-api.us-east-1.localhost"
    for name in (host, "abc.execute-api.localhost", "abc-vpce-1a.execute-api.us-east-1.amazonaws.com"):
        for found in (names.find(name), names.find_private(name)):
            assert found.context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert names.find("abd.execute-api.localhost") is names.find("")
    names.take_certificate(DEFAULT, a_certificate("localhost"))
    assert names.find(host).context.minimum_version is ssl.TLSVersion.TLSv1_3
    names.take_api("abc", an_endpoint("SecurityPolicy_OF_TOMORROW"))
    assert names.find(host) is None  # nobody gets in on terms that cannot be made
    names.take_api("abc", an_endpoint(""))
    assert names.find(host) is names.find("")


def test_private_domain_names_are_known_at_the_private_listener_only():
    names = some_names()
    names.take_domain("1", a_domain())
    names.take_domain("2", a_domain(vpc_endpoint_ids=("vpce-1",), domain_id="x"))
    public, private = names.find("api.shop.test"), names.find_private("api.shop.test")
    assert public.domain_name == private.domain_name == "api.shop.test"
    assert public is not private
    names.take_domain("1", None)
    assert names.find("api.shop.test") is names.find("")
    assert names.find_private("api.shop.test") is private
    names.take_domain("2", None)
    assert names.find_private("api.shop.test") is names.find("")
