"""The operations on documentation, client certificates, caches and tests: a part of the provider.

The provider inherits them, because what is an operation is found by its class; nothing else is inherited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.kernel.ports import FunctionCalls, MethodTests, Publisher
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.authorizer_tests import AuthorizerInvocations
from gatepost.services.apigateway.client_certificates import ClientCertificates
from gatepost.services.apigateway.documentation_parts import DocumentationParts
from gatepost.services.apigateway.documentation_versions import DocumentationVersions
from gatepost.services.apigateway.method_tests import MethodInvocations
from gatepost.services.apigateway.model import NotFoundException
from gatepost.services.apigateway.model_templates import ModelTemplates
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.sdks import Sdks
from gatepost.services.apigateway.stages import Stages

_API: Final = "/restapis/{restApiId}"
_PARTS: Final = f"{_API}/documentation/parts"
_PART: Final = f"{_PARTS}/{{documentationPartId}}"
_VERSIONS: Final = f"{_API}/documentation/versions"
_VERSION: Final = f"{_VERSIONS}/{{documentationVersion}}"
_CERTIFICATES: Final = "/clientcertificates"
_CERTIFICATE: Final = f"{_CERTIFICATES}/{{clientCertificateId}}"
_STAGE: Final = f"{_API}/stages/{{stageName}}"

DOCUMENT_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "CreateDocumentationPart": ("POST", _PARTS),
    "CreateDocumentationVersion": ("POST", _VERSIONS),
    "DeleteClientCertificate": ("DELETE", _CERTIFICATE),
    "DeleteDocumentationPart": ("DELETE", _PART),
    "DeleteDocumentationVersion": ("DELETE", _VERSION),
    "FlushStageAuthorizersCache": ("DELETE", f"{_STAGE}/cache/authorizers"),
    "FlushStageCache": ("DELETE", f"{_STAGE}/cache/data"),
    "GenerateClientCertificate": ("POST", _CERTIFICATES),
    "GetClientCertificate": ("GET", _CERTIFICATE),
    "GetClientCertificates": ("GET", _CERTIFICATES),
    "GetDocumentationPart": ("GET", _PART),
    "GetDocumentationParts": ("GET", _PARTS),
    "GetDocumentationVersion": ("GET", _VERSION),
    "GetDocumentationVersions": ("GET", _VERSIONS),
    "GetModelTemplate": ("GET", f"{_API}/models/{{modelName}}/default_template"),
    "GetSdk": ("GET", f"{_STAGE}/sdks/{{sdkType}}"),
    "GetSdkType": ("GET", "/sdktypes/{id}"),
    "GetSdkTypes": ("GET", "/sdktypes"),
    "GetVpcLink": ("GET", "/vpclinks/{vpcLinkId}"),
    "GetVpcLinks": ("GET", "/vpclinks"),
    "TestInvokeAuthorizer": ("POST", f"{_API}/authorizers/{{authorizerId}}"),
    "TestInvokeMethod": ("POST", f"{_API}/resources/{{resourceId}}/methods/{{httpMethod}}"),
    "ImportDocumentationParts": ("PUT", _PARTS),
    "UpdateClientCertificate": ("PATCH", _CERTIFICATE),
    "UpdateDocumentationPart": ("PATCH", _PART),
    "UpdateDocumentationVersion": ("PATCH", _VERSION),
}


class DocumentParts:
    """What the operations hand over to."""

    def __init__(
        self,
        records: ApiRecords,
        publisher: Publisher,
        seal: Seal,
        stages: Stages,
        *,
        tests: MethodTests | None,
        functions: FunctionCalls | None,
    ) -> None:
        self.method_tests = MethodInvocations(records, tests)
        self.authorizer_tests = AuthorizerInvocations(records, functions, tests)
        self.parts = DocumentationParts(records)
        self.versions = DocumentationVersions(records, self.parts, publisher)
        self.certificates = ClientCertificates(records, publisher, seal)
        self.stages = stages
        self.templates = ModelTemplates(records)
        self.sdks = Sdks(records)


class DocumentOperations:
    """Twenty-four of API Gateway's operations."""

    document_parts: DocumentParts

    @operation("CreateDocumentationPart")
    async def create_documentation_part(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say something about an entity of an API."""
        return await self.document_parts.parts.create(call, params)

    @operation("GetDocumentationPart")
    async def get_documentation_part(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give what is said about one entity."""
        return await self.document_parts.parts.get(call, params)

    @operation("GetDocumentationParts")
    async def get_documentation_parts(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of what is said about an API."""
        return await self.document_parts.parts.list(call, params)

    @operation("UpdateDocumentationPart")
    async def update_documentation_part(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say something else about an entity."""
        return await self.document_parts.parts.update(call, params)

    @operation("DeleteDocumentationPart")
    async def delete_documentation_part(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a part away."""
        await self.document_parts.parts.delete(call, params)

    @operation("ImportDocumentationParts")
    async def import_documentation_parts(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Take in the parts of a document."""
        return await self.document_parts.parts.import_parts(call, params)

    @operation("CreateDocumentationVersion")
    async def create_documentation_version(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Freeze what is said about an API."""
        return await self.document_parts.versions.create(call, params)

    @operation("GetDocumentationVersion")
    async def get_documentation_version(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a version."""
        return await self.document_parts.versions.get(call, params)

    @operation("GetDocumentationVersions")
    async def get_documentation_versions(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's versions."""
        return await self.document_parts.versions.list(call, params)

    @operation("UpdateDocumentationVersion")
    async def update_documentation_version(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a version's description."""
        return await self.document_parts.versions.update(call, params)

    @operation("DeleteDocumentationVersion")
    async def delete_documentation_version(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a version that no stage names."""
        await self.document_parts.versions.delete(call, params)

    @operation("GenerateClientCertificate")
    async def generate_client_certificate(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a certificate by which backends know the gateway."""
        return await self.document_parts.certificates.generate(call, params)

    @operation("GetClientCertificate")
    async def get_client_certificate(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a certificate without its key."""
        return await self.document_parts.certificates.get(call, params)

    @operation("GetClientCertificates")
    async def get_client_certificates(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of certificates."""
        return await self.document_parts.certificates.list(call, params)

    @operation("UpdateClientCertificate")
    async def update_client_certificate(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a certificate's description."""
        return await self.document_parts.certificates.update(call, params)

    @operation("DeleteClientCertificate")
    async def delete_client_certificate(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a certificate that no stage names."""
        await self.document_parts.certificates.delete(call, params)

    @operation("FlushStageCache")
    async def flush_stage_cache(self, call: Call, params: Mapping[str, Any]) -> None:
        """Make void what was cached of a stage's answers."""
        await self.document_parts.stages.flush(call, params, "cache_flushes")

    @operation("FlushStageAuthorizersCache")
    async def flush_stage_authorizers_cache(self, call: Call, params: Mapping[str, Any]) -> None:
        """Make void what was cached of a stage's authorizers."""
        await self.document_parts.stages.flush(call, params, "authorizer_cache_flushes")

    @operation("TestInvokeMethod")
    async def test_invoke_method(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Run a method as it stands with a made-up request."""
        return await self.document_parts.method_tests.run(call, params)

    @operation("TestInvokeAuthorizer")
    async def test_invoke_authorizer(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a Lambda authorizer about a made-up request."""
        return await self.document_parts.authorizer_tests.run(call, params)

    @operation("GetModelTemplate")
    async def get_model_template(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a mapping template that makes a body of a model."""
        return await self.document_parts.templates.get(call, params)

    @operation("GetSdkTypes")
    async def get_sdk_types(self, _call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the kinds of client code that AWS makes."""
        return self.document_parts.sdks.types(params)

    @operation("GetSdkType")
    async def get_sdk_type(self, _call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give one kind of client code."""
        return self.document_parts.sdks.type(params)

    @operation("GetSdk")
    async def get_sdk(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give client code for a stage."""
        return await self.document_parts.sdks.get(call, params)

    @operation("GetVpcLinks")
    async def get_vpc_links(self, _call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give no VPC link: none can be made here."""
        return {"items": paged({}, params)[0]}

    @operation("GetVpcLink")
    async def get_vpc_link(self, _call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Find no VPC link. Raises: NotFoundException."""
        raise NotFoundException(f"Invalid Vpc Link identifier specified {params['vpcLinkId']}")
