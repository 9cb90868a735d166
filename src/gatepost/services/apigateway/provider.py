"""The operations of Amazon API Gateway's REST APIs: what is listed here exists, everything else is refused.

Each one hands over to the file that is named for its noun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.operations import Access, Call, Change, operation
from gatepost.kernel.ports import Assets, Authorization, Certificates, FunctionCalls, MethodTests, Publisher
from gatepost.kernel.stored_objects import StoredObjects
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.access import access_of
from gatepost.services.apigateway.account import DEFAULT_THROTTLE, Account
from gatepost.services.apigateway.authorizers import Authorizers
from gatepost.services.apigateway.client_certificates import all_certificate_changes
from gatepost.services.apigateway.deployments import Deployments
from gatepost.services.apigateway.document_operations import DocumentOperations, DocumentParts
from gatepost.services.apigateway.domain_operations import DomainOperations, DomainParts
from gatepost.services.apigateway.domain_trust import TrustStores
from gatepost.services.apigateway.exports import Exports
from gatepost.services.apigateway.gateway_responses import GatewayResponses
from gatepost.services.apigateway.imports import Imports
from gatepost.services.apigateway.integrations import Integrations
from gatepost.services.apigateway.limits import AWS_LIMITS, ApiLimits
from gatepost.services.apigateway.methods import Methods
from gatepost.services.apigateway.models import Models
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.request_validators import RequestValidators
from gatepost.services.apigateway.resources import Resources
from gatepost.services.apigateway.rest_apis import RestApis, all_endpoint_changes
from gatepost.services.apigateway.stages import Stages, all_stage_changes
from gatepost.services.apigateway.tags import Tags
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.services.apigateway.usage_operations import UsageOperations, UsageParts, all_usage_changes
from gatepost.storage.base import Records

_TYPES: Final = "/endpointConfiguration/types"


class ApiGateway(DocumentOperations, DomainOperations, UsageOperations):
    """Amazon API Gateway's control plane for REST APIs.

    Deployed stages are published under `deployment.REST_API_STAGE` after their commit.
    """

    service = "apigateway"

    def __init__(
        self,
        records: Records,
        publisher: Publisher,
        authorization: Authorization,
        seal: Seal,
        *,
        certificates: Certificates | None = None,
        assets: Assets | None = None,
        objects: StoredObjects | None = None,
        account_throttle: Throttle = DEFAULT_THROTTLE,
        is_lenient: bool = False,
        limits: ApiLimits = AWS_LIMITS,
        tests: MethodTests | None = None,
        functions: FunctionCalls | None = None,
    ) -> None:
        self._store = records
        self.records = held = ApiRecords(records, limits)
        self._rest_apis = RestApis(held, publisher, authorization)
        self._imports = Imports(held, self._rest_apis, authorization, is_lenient=is_lenient)
        self._exports = Exports(held)
        self._gateway_responses = GatewayResponses(held)
        self._resources = Resources(held)
        self._methods = Methods(held)
        self._integrations = Integrations(held)
        self._models = Models(held)
        self._request_validators = RequestValidators(held)
        self._authorizers = Authorizers(held)
        self._deployments = Deployments(held, publisher)
        self._stages = Stages(held, publisher)
        self.usage_parts = UsageParts(held, publisher, seal)
        self.document_parts = DocumentParts(held, publisher, seal, self._stages, tests=tests, functions=functions)
        self.domain_parts = DomainParts(held, publisher, certificates, TrustStores(assets, authorization, objects))
        self._tags = Tags(held, publisher, self.usage_parts, self.document_parts.certificates, self.domain_parts.v2)
        self._account = Account(held, account_throttle)

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what a call touches: a verb on a path, and a role that is passed on."""
        return access_of(call, params)

    async def published(self) -> Sequence[Change]:
        """Give every deployed stage with its frozen API, every usage plan, API key and domain name, from the store."""
        certificates = await all_certificate_changes(self._store)
        certificates.extend(await self.domain_parts.changes())
        endpoints = await all_endpoint_changes(self._store)
        return [*await all_usage_changes(self._store), *certificates, *endpoints, *await all_stage_changes(self._store)]

    @operation("CreateRestApi")
    async def create_rest_api(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an API: empty, or with the definition of another one."""
        return await self._rest_apis.create(call, params)

    @operation("GetRestApi")
    async def get_rest_api(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an API's settings."""
        return await self._rest_apis.get(call, params)

    @operation("GetRestApis")
    async def get_rest_apis(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of the account's APIs."""
        return await self._rest_apis.list(call, params)

    @operation("UpdateRestApi")
    async def update_rest_api(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an API's settings; the gateway sees them with the next deployment, but where it is reached at once."""
        if any(each.get("path", "").startswith(_TYPES) for each in params.get("patchOperations", ())):
            await self.domain_parts.records.check_type_may_change(call, params["restApiId"])
        return await self._rest_apis.update(call, params)

    @operation("DeleteRestApi")
    async def delete_rest_api(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete an API with everything that belongs to it."""
        await self.domain_parts.records.check_unmapped(call, params["restApiId"])
        await self._rest_apis.delete(call, params)

    @operation("ImportRestApi")
    async def import_rest_api(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create an API from an OpenAPI document."""
        return await self._imports.create(call, params)

    @operation("PutRestApi")
    async def put_rest_api(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Overwrite an API by an OpenAPI document, or merge it in."""
        return await self._imports.put(call, params)

    @operation("GetExport")
    async def get_export(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stage's API as an OpenAPI document."""
        return await self._exports.get(call, params)

    @operation("PutGatewayResponse")
    async def put_gateway_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Declare an API's own answer where the gateway says no."""
        return await self._gateway_responses.put(call, params)

    @operation("GetGatewayResponse")
    async def get_gateway_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the answer for a response type."""
        return await self._gateway_responses.get(call, params)

    @operation("GetGatewayResponses")
    async def get_gateway_responses(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the answers for all response types."""
        return await self._gateway_responses.list(call, params)

    @operation("UpdateGatewayResponse")
    async def update_gateway_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch the answer for a response type."""
        return await self._gateway_responses.update(call, params)

    @operation("DeleteGatewayResponse")
    async def delete_gateway_response(self, call: Call, params: Mapping[str, Any]) -> None:
        """Go back to AWS's own answer for a response type."""
        await self._gateway_responses.delete(call, params)

    @operation("CreateResource")
    async def create_resource(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Hang a resource under its parent."""
        return await self._resources.create(call, params)

    @operation("GetResource")
    async def get_resource(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a resource."""
        return await self._resources.get(call, params)

    @operation("GetResources")
    async def get_resources(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's resources."""
        return await self._resources.list(call, params)

    @operation("UpdateResource")
    async def update_resource(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Rename a resource or hang it elsewhere."""
        return await self._resources.update(call, params)

    @operation("DeleteResource")
    async def delete_resource(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a resource away with everything below it."""
        await self._resources.delete(call, params)

    @operation("PutMethod")
    async def put_method(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a method to a resource."""
        return await self._methods.put(call, params)

    @operation("GetMethod")
    async def get_method(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a method with its integration and responses."""
        return await self._methods.get(call, params)

    @operation("UpdateMethod")
    async def update_method(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a method."""
        return await self._methods.update(call, params)

    @operation("DeleteMethod")
    async def delete_method(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a method away."""
        await self._methods.delete(call, params)

    @operation("PutMethodResponse")
    async def put_method_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Declare a response of a method."""
        return await self._methods.put_response(call, params)

    @operation("GetMethodResponse")
    async def get_method_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a declared response."""
        return await self._methods.get_response(call, params)

    @operation("UpdateMethodResponse")
    async def update_method_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a declared response."""
        return await self._methods.update_response(call, params)

    @operation("DeleteMethodResponse")
    async def delete_method_response(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a declared response away."""
        await self._methods.delete_response(call, params)

    @operation("PutIntegration")
    async def put_integration(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say what a method calls."""
        return await self._integrations.put(call, params)

    @operation("GetIntegration")
    async def get_integration(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give what a method calls."""
        return await self._integrations.get(call, params)

    @operation("UpdateIntegration")
    async def update_integration(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch what a method calls."""
        return await self._integrations.update(call, params)

    @operation("DeleteIntegration")
    async def delete_integration(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take away what a method calls."""
        await self._integrations.delete(call, params)

    @operation("PutIntegrationResponse")
    async def put_integration_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Say how an integration's answer becomes the method's."""
        return await self._integrations.put_response(call, params)

    @operation("GetIntegrationResponse")
    async def get_integration_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an integration response."""
        return await self._integrations.get_response(call, params)

    @operation("UpdateIntegrationResponse")
    async def update_integration_response(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an integration response."""
        return await self._integrations.update_response(call, params)

    @operation("DeleteIntegrationResponse")
    async def delete_integration_response(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an integration response away."""
        await self._integrations.delete_response(call, params)

    @operation("CreateModel")
    async def create_model(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a model."""
        return await self._models.create(call, params)

    @operation("GetModel")
    async def get_model(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a model."""
        return await self._models.get(call, params)

    @operation("GetModels")
    async def get_models(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's models."""
        return await self._models.list(call, params)

    @operation("UpdateModel")
    async def update_model(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a model."""
        return await self._models.update(call, params)

    @operation("DeleteModel")
    async def delete_model(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a model away."""
        await self._models.delete(call, params)

    @operation("CreateRequestValidator")
    async def create_request_validator(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a validator to an API."""
        return await self._request_validators.create(call, params)

    @operation("GetRequestValidator")
    async def get_request_validator(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a validator."""
        return await self._request_validators.get(call, params)

    @operation("GetRequestValidators")
    async def get_request_validators(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's validators."""
        return await self._request_validators.list(call, params)

    @operation("UpdateRequestValidator")
    async def update_request_validator(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a validator."""
        return await self._request_validators.update(call, params)

    @operation("DeleteRequestValidator")
    async def delete_request_validator(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a validator away."""
        await self._request_validators.delete(call, params)

    @operation("CreateAuthorizer")
    async def create_authorizer(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add an authorizer to an API."""
        return await self._authorizers.create(call, params)

    @operation("GetAuthorizer")
    async def get_authorizer(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an authorizer."""
        return await self._authorizers.get(call, params)

    @operation("GetAuthorizers")
    async def get_authorizers(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's authorizers."""
        return await self._authorizers.list(call, params)

    @operation("UpdateAuthorizer")
    async def update_authorizer(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an authorizer."""
        return await self._authorizers.update(call, params)

    @operation("DeleteAuthorizer")
    async def delete_authorizer(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an authorizer away."""
        await self._authorizers.delete(call, params)

    @operation("CreateDeployment")
    async def create_deployment(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Freeze an API; with a stage's name, point the stage at it."""
        return await self._deployments.create(call, params)

    @operation("GetDeployment")
    async def get_deployment(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a deployment."""
        return await self._deployments.get(call, params)

    @operation("GetDeployments")
    async def get_deployments(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's deployments."""
        return await self._deployments.list(call, params)

    @operation("UpdateDeployment")
    async def update_deployment(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change a deployment's description."""
        return await self._deployments.update(call, params)

    @operation("DeleteDeployment")
    async def delete_deployment(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a deployment that no stage points at."""
        await self._deployments.delete(call, params)

    @operation("CreateStage")
    async def create_stage(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Point a new stage at a deployment."""
        return await self._stages.create(call, params)

    @operation("GetStage")
    async def get_stage(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a stage."""
        return await self._stages.get(call, params)

    @operation("GetStages")
    async def get_stages(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an API's stages."""
        return await self._stages.list(call, params)

    @operation("UpdateStage")
    async def update_stage(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a stage; the gateway sees it at once."""
        return await self._stages.update(call, params)

    @operation("DeleteStage")
    async def delete_stage(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a stage: its URL stops to answer."""
        await self.domain_parts.records.check_unmapped(call, params["restApiId"], params["stageName"])
        await self._stages.delete(call, params)

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Mapping[str, Any]) -> None:
        """Add or replace tags of an API or a stage."""
        await self._tags.tag(call, params)

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take tags away."""
        await self._tags.untag(call, params)

    @operation("GetTags")
    async def get_tags(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the tags of an API or a stage."""
        return await self._tags.get(call, params)

    @operation("GetAccount")
    async def get_account(self, call: Call, _params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the account's settings."""
        return await self._account.get(call)

    @operation("UpdateAccount")
    async def update_account(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch the account's settings."""
        return await self._account.update(call, params)
