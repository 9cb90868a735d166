"""Domain names as records, as the gateway gets them, and the bounds of what is mapped to them."""

import asyncio

import pytest

from gatepost.services.apigateway.domain_mappings import ANY_OF_MAX, BasePathMappings
from gatepost.services.apigateway.domain_model import BasePathMapping, DomainName, RoutingRule
from gatepost.services.apigateway.domain_names import DomainNames
from gatepost.services.apigateway.domain_operations import DomainParts, NoCertificates
from gatepost.services.apigateway.domain_publication import PublishedDomain
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.domain_trust import TrustStores
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.records import ApiRecords
from tests.support.rest_apis import GrantsAllBut, KeptChanges, a_call
from tests.support.stores import some_records

CONDITIONS = (
    {"MatchBasePaths": {"AnyOf": ["/orders/"]}},
    {"MatchHeaders": {"AnyOf": [{"Header": "X-Version", "ValueGlob": "beta*"}]}},
)


def a_domain(**more):
    given = {
        "name": "api.shop.test",
        "account_id": "000000000000",
        "region": "us-east-1",
        "local_name": "d-abc",
        "certificate_arn": "arn",
        "created_at_ms": 1,
        "certificate_at_ms": 1,
        "mappings": (BasePathMapping("m1", "orders/v1", "api", "prod"),),
        "rules": (RoutingRule("r1", 5, CONDITIONS, "api", "prod", strips_base_path=True),),
        "trust_store_warnings": ("old",),
    }
    return DomainName(**(given | more))


def test_a_record_is_read_as_it_was_written():
    assert DomainName.from_json(a_domain().to_json()) == a_domain()


def test_the_gateway_gets_what_it_routes_by_and_reads_it_back():
    published = PublishedDomain.from_json(a_domain().published().value)
    assert published.mappings[0].base_path == "orders/v1"
    assert published.rules[0].base_paths == ("orders",)
    assert published.rules[0].headers == ((("x-version", "beta*"),),)


def test_an_edge_domain_shows_cloudfronts_names():
    shape = a_domain(endpoint_type="EDGE", local_name="dabc").to_aws()
    assert shape["distributionDomainName"] == "dabc.cloudfront.net"
    assert shape["distributionHostedZoneId"] == "Z2FDTNDATAQYW2"
    assert "regionalDomainName" not in shape


def on_records(tmp_path, work):
    async def scenario():
        async with some_records(tmp_path) as records:
            held = ApiRecords(records)
            domains = DomainRecords(held, KeptChanges())
            await domains.add(a_call("CreateDomainName"), a_domain(routing_mode="ROUTING_RULE_THEN_API_MAPPING"))
            return await work(held, domains)

    return asyncio.run(scenario())


def test_without_a_certificate_manager_no_domain_name_is_made(tmp_path):
    async def work(_, domains):
        names = DomainNames(domains, NoCertificates(), TrustStores(None, GrantsAllBut(), None))
        params = {
            "domainName": "b.shop.test",
            "regionalCertificateArn": "arn",
            "endpointConfiguration": {"types": ["REGIONAL"]},
        }
        with pytest.raises(BadRequestException, match="no such certificate"):
            await names.create(a_call("CreateDomainName"), params)

    on_records(tmp_path, work)


def test_the_uses_of_certificates_are_told_by_their_arn(tmp_path):
    async def work(held, _):
        parts = DomainParts(held, KeptChanges(), None, TrustStores(None, GrantsAllBut(), None))
        assert [change.key for change in await parts.changes()] == ["000000000000/us-east-1/api.shop.test"]
        return await parts.certificate_uses()

    uses = on_records(tmp_path, work)
    assert uses == {"arn": ["arn:aws:apigateway:us-east-1::/domainnames/api.shop.test"]}


@pytest.mark.parametrize(
    "conditions",
    [
        [{}],
        [{"MatchBasePaths": {"AnyOf": []}}],
        [{"MatchBasePaths": {"AnyOf": ["a"] * (ANY_OF_MAX + 1)}}],
        [{"MatchBasePaths": {"AnyOf": ["a"]}}] * 2,
        [{"MatchHeaders": {"AnyOf": [{"Header": "a", "ValueGlob": "b"}]}}] * 3,
        [{"MatchHeaders": {"AnyOf": [{"Header": "a b", "ValueGlob": "b"}]}}],
        [{"MatchHeaders": {"AnyOf": [{"Header": "a", "ValueGlob": "b*c"}]}}],
        [{"MatchHeaders": {"AnyOf": [{"Header": "a", "ValueGlob": "b\r\n"}]}}],
        [{"MatchBasePaths": {"AnyOf": ["a//b"]}}],
        [{**CONDITIONS[0], **CONDITIONS[1]}],
    ],
)
def test_conditions_that_cannot_be_are_refused(tmp_path, conditions):
    async def work(_, domains):
        rule = RoutingRule("r2", 1, tuple(conditions), "api", "prod")
        with pytest.raises(BadRequestException):
            await BasePathMappings(domains).put_rule(a_call("CreateRoutingRule"), "api.shop.test", rule, is_new=True)

    on_records(tmp_path, work)


def test_a_base_path_has_only_what_urls_take_as_it_is(tmp_path):
    async def work(_, domains):
        for path in ("a b", "/a", "a/", "a//b", "a?b", "ä", "x" * 301, "%41"):
            mapping = BasePathMapping("m2", path, "api", "prod")
            with pytest.raises(BadRequestException, match="Invalid base path"):
                await BasePathMappings(domains).add(a_call("CreateApiMapping"), "api.shop.test", mapping)

    on_records(tmp_path, work)
