"""Patch operations of domain names, row by row; nothing else is taken.

That the rows are AWS's is the matter of `test_patch_operations_page.py`.
"""

import asyncio

import pytest

from gatepost.kernel.ports import CertificateInfo
from gatepost.security.certificates import pem_of
from gatepost.services.apigateway.domain_mappings import BasePathMappings
from gatepost.services.apigateway.domain_names import DomainNames
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.domain_trust import TrustStores
from gatepost.services.apigateway.model import BadRequestException, ConflictException
from gatepost.services.apigateway.records import ApiRecords
from tests.support.rest_apis import GrantsAllBut, KeptChanges, a_call
from tests.support.stores import some_records
from tests.support.tls import an_authority

OPS = ("add", "replace", "remove", "copy", "move", "test")
NAME = "api.shop.test"


class Issued:
    """Certificates that all are there and good for one name."""

    def certificate(self, arn):
        return CertificateInfo(arn, (NAME,), "EC_prime256v1", "IMPORTED", "ISSUED", 1)


WORDS = r"Invalid patch |is required|is not a setting of|private domain names only"
DOMAIN_ROWS = [
    ("/regionalCertificateArn", "add replace", "other", "regionalCertificateArn"),
    ("/regionalCertificateName", "add replace remove", "mine", "regionalCertificateName"),
    ("/ownershipVerificationCertificateArn", "add replace remove", "other", "ownershipVerificationCertificateArn"),
    ("/securityPolicy", "replace", "TLS_1_0", "securityPolicy"),
    ("/routingMode", "replace", "ROUTING_RULE_ONLY", "routingMode"),
    ("/endpointAccessMode", "replace", "BASIC", "endpointAccessMode"),
    ("/endpointConfiguration/ipAddressType", "replace", "dualstack", ""),
    ("/endpointConfiguration/types/REGIONAL", "replace", "EDGE", ""),
    ("/mutualTlsAuthentication/truststoreUri", "add replace remove", "", ""),
    ("/mutualTlsAuthentication/truststoreVersion", "add replace remove", "", ""),
    ("/certificateName", "remove", "", ""),
    ("/certificateArn", "remove", "", ""),
    ("/endpointConfiguration/types", "", "nothing", ""),
    ("/domainName", "", "x", ""),
    ("/tags/a", "", "x", ""),
    ("/policy", "", "{}", ""),
    ("/managementPolicy", "", "{}", ""),
]


def with_a_domain(tmp_path, work, objects=None):
    async def scenario():
        async with some_records(tmp_path) as records:
            held = ApiRecords(records)
            names = DomainNames(
                DomainRecords(held, KeptChanges()), Issued(), TrustStores(None, GrantsAllBut(), objects)
            )
            params = {"domainName": NAME, "regionalCertificateArn": "arn"}
            await names.create(a_call("CreateDomainName"), params | {"endpointConfiguration": {"types": ["REGIONAL"]}})
            return await work(names, held)

    return asyncio.run(scenario())


@pytest.mark.parametrize(("path", "ops", "value", "shown"), DOMAIN_ROWS, ids=lambda each: str(each)[:40])
def test_a_domain_name_takes_what_the_page_lists_and_nothing_else(tmp_path, path, ops, value, shown):
    async def work(names, _):
        for op in OPS:
            params = {"domainName": NAME, "patchOperations": [{"op": op, "path": path, "value": value}]}
            if op in ops.split():
                answer = await names.update(a_call("UpdateDomainName"), params)
                assert not shown or (op == "remove" and shown not in answer) or answer[shown] == value
            else:
                with pytest.raises(BadRequestException, match=WORDS):
                    await names.update(a_call("UpdateDomainName"), params)

    with_a_domain(tmp_path, work)


def test_a_mapping_needs_an_api_that_is_there_and_one_level(tmp_path):
    async def work(_, held):
        mappings = BasePathMappings(DomainRecords(held, KeptChanges()))
        call = a_call("CreateBasePathMapping")
        params = {"domainName": NAME, "basePath": "v1", "restApiId": "nothere"}
        with pytest.raises(BadRequestException, match="Invalid REST API identifier"):
            await mappings.create(call, params)
        with pytest.raises(BadRequestException, match="V1 doesn't support the slash"):
            await mappings.create(call, {**params, "basePath": "a/b"})

    with_a_domain(tmp_path, work)


def test_a_domain_name_migrates_through_having_both_endpoint_types(tmp_path):
    async def work(names, _):
        async def update(*patches):
            operations = [{"op": op, "path": path, "value": value} for op, path, value in patches]
            return await names.update(a_call("UpdateDomainName"), {"domainName": NAME, "patchOperations": operations})

        types = "/endpointConfiguration/types"
        with pytest.raises(BadRequestException, match="certificate is required for the endpoint type EDGE"):
            await update(("add", types, "EDGE"))
        both = await update(("add", types, "EDGE"), ("add", "/certificateArn", "of the edge"))
        assert both["endpointConfiguration"]["types"] == ["REGIONAL", "EDGE"]
        assert (both["regionalCertificateArn"], both["certificateArn"]) == ("arn", "of the edge")
        assert both["distributionDomainName"].endswith(".cloudfront.net")
        with pytest.raises(BadRequestException, match="added and removed in the same request"):
            await update(("remove", types, "REGIONAL"), ("add", "/certificateArn", "x"))
        edge = await update(("remove", types, "REGIONAL"), ("remove", "/regionalCertificateArn", ""))
        assert edge["endpointConfiguration"]["types"] == ["EDGE"]
        assert (edge["certificateArn"], edge["distributionDomainName"]) == (
            "of the edge",
            both["distributionDomainName"],
        )
        assert "regionalCertificateArn" not in edge
        with pytest.raises(BadRequestException, match="Invalid patch value"):
            await update(("remove", types, "EDGE"))

    with_a_domain(tmp_path, work)


class Slow:
    """An S3 whose objects take until somebody else has patched the domain name."""

    def __init__(self):
        self.meanwhile = None

    async def read(self, bucket, key, version, *, region, bytes_max):
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return pem_of(an_authority().certificate).encode()


def test_a_trust_store_that_another_request_exchanges_meanwhile_is_not_mixed_up(tmp_path):
    objects = Slow()

    async def work(names, _):
        def patch(what, value):
            operations = [{"op": "replace", "path": f"/mutualTlsAuthentication/truststore{what}", "value": value}]
            return names.update(a_call("UpdateDomainName"), {"domainName": NAME, "patchOperations": operations})

        await patch("Uri", "s3://bucket/one.pem")
        objects.meanwhile = lambda: patch("Uri", "s3://bucket/two.pem")
        with pytest.raises(ConflictException, match="at the same time"):
            await patch("Version", "3")
        shown = await names.get(a_call("GetDomainName"), {"domainName": NAME})
        assert shown["mutualTlsAuthentication"] == {"truststoreUri": "s3://bucket/two.pem"}
        again = await patch("Version", "3")
        assert again["mutualTlsAuthentication"] == {"truststoreUri": "s3://bucket/two.pem", "truststoreVersion": "3"}

    with_a_domain(tmp_path, work, objects)
