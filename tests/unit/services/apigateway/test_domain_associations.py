"""Private domain names, and the VPC endpoints that are associated with them."""

from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from tests.support.rest_apis import Control, with_control
from tests.unit.services.apigateway.test_api_endpoint import POLICY, a_private_api
from tests.unit.services.apigateway.test_domain_names import NAME, Issued


async def a_private_name(control: Control, **params) -> dict:
    control.provider.domain_parts.names._certificates = Issued()
    endpoint = {"types": ["PRIVATE"]}
    given = {"domainName": NAME, "certificateArn": "arn", "endpointConfiguration": endpoint, "policy": POLICY}
    return await control("CreateDomainName", **given | params)


async def associated(control: Control, domain: dict, vpc_endpoint_id: str = "vpce-1", **params) -> dict:
    return await control(
        "CreateDomainNameAccessAssociation",
        domainNameArn=domain["domainNameArn"],
        accessAssociationSourceType="VPCE",
        accessAssociationSource=vpc_endpoint_id,
        **params,
    )


def test_private_names_are_told_apart_by_their_ids(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        one, two = await a_private_name(control), await a_private_name(control)
        reference = f"{NAME}+{one['domainNameId']}"
        assert one["domainNameArn"] == f"arn:aws:apigateway:us-east-1:000000000000:/domainnames/{reference}"
        assert (one["policy"], one["certificateArn"]) == (POLICY, "arn")
        named = {"domainName": NAME, "domainNameId": one["domainNameId"]}
        assert (await control("GetDomainName", **named))["domainNameArn"] == one["domainNameArn"]
        with pytest.raises(NotFoundException):
            await control("GetDomainName", domainName=NAME)
        await control("TagResource", resourceArn=one["domainNameArn"], tags={"a": "1"})
        assert (await control("GetDomainName", **named))["tags"] == {"a": "1"}
        patch = [{"op": "replace", "path": "/policy", "value": '{"Statement":[]}'}]
        assert (await control("UpdateDomainName", **named, patchOperations=patch))["policy"] == '{"Statement":[]}'
        await control("DeleteDomainName", **named)
        (left,) = (await control("GetDomainNames"))["items"]
        assert left["domainNameId"] == two["domainNameId"]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"domainName": "*.shop.test"}, "Wildcard"),
        ({"securityPolicy": "TLS_1_0"}, "have the security policy TLS_1_2"),
        ({"regionalCertificateArn": "arn"}, "Cannot specify regionalCertificateArn"),
        ({"policy": "no"}, "Invalid policy document"),
        ({"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}}, "Only dualstack"),
        ({"endpointConfiguration": {"types": ["PRIVATE"], "vpcEndpointIds": ["vpce-1"]}}, "are associated by"),
        ({"endpointConfiguration": {"types": ["EDGE"]}}, "private domain names only"),
    ],
)
def test_what_a_private_name_cannot_be_is_refused(tmp_path, params, words) -> None:
    async def scenario(control: Control) -> None:
        Issued.certificate = lambda _self, arn: CertificateOf(arn)
        with pytest.raises(BadRequestException, match=words):
            await a_private_name(control, **params)

    original = Issued.certificate
    try:
        with_control(tmp_path, scenario)
    finally:
        Issued.certificate = original


class CertificateOf:
    """A certificate for whatever is asked."""

    names = ("*.shop.test",)
    status = "ISSUED"

    def __init__(self, arn: str) -> None:
        self.arn = arn


@pytest.mark.parametrize("path", ["/securityPolicy", "/endpointConfiguration/types/PRIVATE", "/managementPolicy"])
def test_a_private_name_cannot_be_changed_into_what_it_is_not(tmp_path, path) -> None:
    async def scenario(control: Control) -> None:
        domain = await a_private_name(control)
        patch = [{"op": "replace", "path": path, "value": "TLS_1_0" if path == "/securityPolicy" else "REGIONAL"}]
        named = {"domainName": NAME, "domainNameId": domain["domainNameId"]}
        with pytest.raises(BadRequestException):
            await control("UpdateDomainName", **named, patchOperations=patch)

    with_control(tmp_path, scenario)


def test_associations_come_and_go_and_reach_the_gateway(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        domain, other = await a_private_name(control), await a_private_name(control)
        key = f"000000000000/us-east-1/{NAME}+{domain['domainNameId']}"
        made = await associated(control, domain, tags={"a": "1"})
        assert made["domainNameAccessAssociationArn"] == (
            "arn:aws:apigateway:us-east-1:000000000000:/domainnameaccessassociations/domainname/"
            f"{NAME}+{domain['domainNameId']}/vpcesource/vpce-1"
        )
        assert control.changes.held[key]["vpc_endpoint_ids"] == ("vpce-1",)
        assert (await control("GetDomainNameAccessAssociations"))["items"] == [made]
        assert (await control("GetDomainNameAccessAssociations", resourceOwner="OTHER_ACCOUNTS"))["items"] == []
        for again in (domain, other):  # a VPC endpoint leads to one domain name of a name
            with pytest.raises(ConflictException):
                await associated(control, again)
        with pytest.raises(BadRequestException, match="delete them first"):
            await control("DeleteDomainName", domainName=NAME, domainNameId=domain["domainNameId"])
        arn = {"domainNameAccessAssociationArn": made["domainNameAccessAssociationArn"]}
        with pytest.raises(BadRequestException, match="not one of this domain name"):
            await control("RejectDomainNameAccessAssociation", **arn, domainNameArn=other["domainNameArn"])
        await control("RejectDomainNameAccessAssociation", **arn, domainNameArn=domain["domainNameArn"])
        assert control.changes.held[key]["vpc_endpoint_ids"] == ()
        with pytest.raises(NotFoundException):
            await control("DeleteDomainNameAccessAssociation", **arn)
        await associated(control, domain)
        await control("DeleteDomainNameAccessAssociation", **arn)
        await control("DeleteDomainName", domainName=NAME, domainNameId=domain["domainNameId"])

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "changes",
    [
        {"domainNameArn": "arn:aws:apigateway:us-east-1::/domainnames/api.shop.test"},
        {"domainNameArn": "arn:aws:apigateway:us-east-1:111111111111:/domainnames/api.shop.test+abcd"},
        {"domainNameArn": "arn:aws:apigateway:eu-west-1:000000000000:/domainnames/api.shop.test+abcd"},
        {"accessAssociationSource": "vpc-1"},
    ],
)
def test_an_association_with_what_cannot_be_is_refused(tmp_path, changes) -> None:
    async def scenario(control: Control) -> None:
        domain = await a_private_name(control)
        given = {
            "domainNameArn": domain["domainNameArn"],
            "accessAssociationSourceType": "VPCE",
            "accessAssociationSource": "vpce-1",
        }
        with pytest.raises(BadRequestException):
            await control("CreateDomainNameAccessAssociation", **given | changes)

    with_control(tmp_path, scenario)


def test_a_private_name_leads_to_private_apis_only_and_holds_their_endpoint_type(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        domain = await a_private_name(control)
        named = {"domainName": NAME, "domainNameId": domain["domainNameId"]}
        public = await control.an_api("public")
        with pytest.raises(BadRequestException, match="cannot be mapped to a public"):
            await control("CreateBasePathMapping", **named, restApiId=public["id"])
        api = await a_private_api(control)
        await control("CreateBasePathMapping", **named, restApiId=api["id"], basePath="v1")
        patch = [{"op": "replace", "path": "/endpointConfiguration/types/PRIVATE", "value": "REGIONAL"}]
        with pytest.raises(BadRequestException, match="while a private domain name is mapped"):
            await control("UpdateRestApi", restApiId=api["id"], patchOperations=patch)
        mapping = {**named, "basePath": "v1"}
        moved = [{"op": "replace", "path": "/basePath", "value": "v2"}]
        assert (await control("UpdateBasePathMapping", **mapping, patchOperations=moved))["basePath"] == "v2"
        assert [each["basePath"] for each in (await control("GetBasePathMappings", **named))["items"]] == ["v2"]
        await control("DeleteBasePathMapping", **named, basePath="v2")
        await control("UpdateRestApi", restApiId=api["id"], patchOperations=patch)

    with_control(tmp_path, scenario)
