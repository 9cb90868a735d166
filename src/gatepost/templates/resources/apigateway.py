"""AWS::ApiGateway types of a REST API's tree by API Gateway's operations. Stages have a module of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import (
    Unnamed,
    added_and_gone,
    json_text,
    present,
    tag_changes,
    tag_map,
    unless_gone,
)

CUSTOM_ID_TAG: Final = "_custom_id_"
API_ID_LENGTH: Final = 10


def pointer(text: str) -> str:
    """Escape one step of a patch path: `application/json` becomes `application~1json`."""
    return text.replace("~", "~0").replace("/", "~1")


def patch(op: str, path: str, value: Any = None) -> dict[str, str]:
    """Make one patch operation; values are texts."""
    if value is None:
        return {"op": op, "path": path}
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return {"op": op, "path": path, "value": text}


class RestApi(Unnamed):
    """AWS::ApiGateway::RestApi, by its body (an OpenAPI document) or to be filled by other resources.

    CloudFormation creates the API and then puts the body, so do we: only CreateRestApi takes tags, and the
    tag `_custom_id_` gives the API an id that survives redeployment.
    """

    def is_named(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the template pins the API's id."""
        return CUSTOM_ID_TAG in tag_map(properties)

    def replacing(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Replace an API that loses its body: nothing says what it was before."""
        had, has = (any(key in properties for key in ("Body", "BodyS3Location")) for properties in (before, after))
        return ("Body",) if had and not has else ()

    async def create(self, work: Work) -> Outcome:
        """Make the API and put its body."""
        properties = work.properties
        body = await self._body(work)
        name = properties.get("Name") or _title(body)
        if not name and isinstance(body, str):
            name = work.name("", length_max=128)  # until the file's own title is put
        if not name:
            raise ResourceFailure("a REST API needs a Name, or a Body whose info has a title")
        tags = tag_map(properties)
        tags.setdefault(CUSTOM_ID_TAG, work.stable(length=API_ID_LENGTH))
        await work.initiated(tags[CUSTOM_ID_TAG])
        made = await work.invoke(
            "apigateway",
            "CreateRestApi",
            present(
                name=name,
                description=properties.get("Description"),
                version=properties.get("Version"),
                cloneFrom=properties.get("CloneFrom"),
                binaryMediaTypes=properties.get("BinaryMediaTypes"),
                minimumCompressionSize=properties.get("MinimumCompressionSize"),
                apiKeySource=properties.get("ApiKeySourceType"),
                endpointConfiguration=_endpoint(properties),
                policy=json_text(properties["Policy"]) if "Policy" in properties else None,
                disableExecuteApiEndpoint=properties.get("DisableExecuteApiEndpoint"),
                securityPolicy=properties.get("SecurityPolicy"),
                endpointAccessMode=properties.get("EndpointAccessMode"),
                tags=tags,
            ),
        )
        api_id = made["id"]
        await work.made(api_id)
        if body is not None:
            made = await self._put(work, api_id, body)
            await self._patch(work, api_id, _declared_over_body(work, made))
        return await self._outcome(work, api_id, made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the body when it changed, patch settings, and change tags.

        The patches begin at what stands, not at what was applied: an update that failed half-way is undone alike.
        """
        body = await self._body(work)
        if body is not None and work.changed("Body", "BodyS3Location", "Mode", "Parameters", "FailOnWarnings"):
            standing = await self._put(work, physical_id, body)
        else:
            standing = await work.invoke("apigateway", "GetRestApi", {"restApiId": physical_id})
        operations = _rest_api_patches(work, standing)
        if body is not None:
            operations.extend(_declared_over_body(work, standing))
        await self._patch(work, physical_id, operations)
        added, gone = tag_changes(work.before, work.properties)
        arn = f"arn:aws:apigateway:{work.region}::/restapis/{physical_id}"
        if CUSTOM_ID_TAG in added or CUSTOM_ID_TAG in gone:
            raise ResourceFailure(f"the tag {CUSTOM_ID_TAG} names an API when it is made and cannot change")
        if added:
            await work.invoke("apigateway", "TagResource", {"resourceArn": arn, "tags": added})
        if gone:
            await work.invoke("apigateway", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        return await self._outcome(work, physical_id, standing)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the API with everything in it."""
        await unless_gone(work.invoke("apigateway", "DeleteRestApi", {"restApiId": physical_id}))

    async def _body(self, work: Work) -> Any:
        location = work.properties.get("BodyS3Location")
        if location is None:
            return work.properties.get("Body")
        text = work.asset_text(str(location.get("Bucket", "")), str(location.get("Key", "")))
        if text is None:
            raise ResourceFailure(f"BodyS3Location: there is no uploaded file {location.get('Key')!r}")
        return text

    async def _put(self, work: Work, api_id: str, body: Any) -> dict[str, Any]:
        body = await work.resolved(body)  # while it is a tree: what a secret holds is then quoted as JSON
        content = body if isinstance(body, str) else json.dumps(body)
        parameters = work.properties.get("Parameters")
        return await work.invoke(
            "apigateway",
            "PutRestApi",
            present(
                restApiId=api_id,
                mode=work.properties.get("Mode", "overwrite"),
                failOnWarnings=work.properties.get("FailOnWarnings"),
                parameters=parameters,
                body=content.encode(),
            ),
        )

    async def _patch(self, work: Work, api_id: str, operations: list[dict[str, str]]) -> None:
        if operations:
            parameters = {"restApiId": api_id, "patchOperations": operations}
            await work.invoke("apigateway", "UpdateRestApi", parameters)

    async def _outcome(self, work: Work, api_id: str, made: Mapping[str, Any]) -> Outcome:
        root_id = made.get("rootResourceId")
        if not root_id:
            root_id = (await work.invoke("apigateway", "GetRestApi", {"restApiId": api_id}))["rootResourceId"]
        return Outcome(api_id, {"RestApiId": api_id, "RootResourceId": root_id})


def _title(body: Any) -> str:
    info = body.get("info") if isinstance(body, dict) else None
    return str(info.get("title", "")) if isinstance(info, dict) else ""


def _endpoint(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    declared = properties.get("EndpointConfiguration")
    if declared is None:
        return None
    names = {"Types": "types", "VpcEndpointIds": "vpcEndpointIds", "IpAddressType": "ipAddressType"}
    return {names[key]: value for key, value in declared.items()}


def _declared_over_body(work: Work, made: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the patches by which the template's own words win over the body's."""
    operations = []
    for key, member in (("Name", "name"), ("Description", "description")):
        wanted = work.properties.get(key)
        if wanted is not None and made.get(member) != wanted:
            operations.append(patch("replace", f"/{member}", wanted))
    if "BinaryMediaTypes" in work.properties:
        standing = made.get("binaryMediaTypes", [])
        missing = [kind for kind in work.properties["BinaryMediaTypes"] if kind not in standing]
        operations.extend(patch("add", f"/binaryMediaTypes/{pointer(kind)}") for kind in missing)
    if "Policy" in work.properties and not made.get("policy"):
        operations.append(patch("replace", "/policy", json_text(work.properties["Policy"])))
    return operations


def _rest_api_patches(work: Work, standing: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the patches for every setting that the template has changed."""
    operations = []
    has_body = "Body" in work.properties or "BodyS3Location" in work.properties
    for key, path, default in (
        ("Name", "/name", ""),
        ("Description", "/description", ""),
        ("ApiKeySourceType", "/apiKeySource", "HEADER"),
        ("DisableExecuteApiEndpoint", "/disableExecuteApiEndpoint", False),
        ("MinimumCompressionSize", "/minimumCompressionSize", ""),
    ):
        is_bodys = has_body and key in ("Name", "Description")
        if work.changed(key) and not is_bodys:
            operations.append(patch("replace", path, work.properties.get(key, default)))
    if work.changed("Policy"):
        policy = work.properties.get("Policy")
        operations.append(patch("replace", "/policy", json_text(policy) if policy else ""))
    wanted = work.properties.get("BinaryMediaTypes", [])
    stands = standing.get("binaryMediaTypes", [])
    dropped = [kind for kind in work.before.get("BinaryMediaTypes", []) if kind not in wanted and kind in stands]
    operations.extend(patch("remove", f"/binaryMediaTypes/{pointer(kind)}") for kind in dropped)
    if not has_body:
        added = [kind for kind in wanted if kind not in stands]
        operations.extend(patch("add", f"/binaryMediaTypes/{pointer(kind)}") for kind in added)
    return operations + _endpoint_patches(work, standing)


def _endpoint_patches(work: Work, standing: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the patches for where the API is reached. Modes and policies need each other: one request has them all."""
    operations = []
    for key, member in (("SecurityPolicy", "securityPolicy"), ("EndpointAccessMode", "endpointAccessMode")):
        if work.changed(key):
            operations.append(patch("replace", f"/{member}", work.properties.get(key, "")))
    if not work.changed("EndpointConfiguration"):
        return operations
    place = "/endpointConfiguration"
    old, new = standing.get("endpointConfiguration") or {}, work.properties.get("EndpointConfiguration") or {}
    was, becomes = old.get("types", ["EDGE"])[0], (new.get("Types") or ["EDGE"])[0]
    if was != becomes:
        operations.append(patch("replace", f"{place}/types/{was}", becomes))
    address_type = new.get("IpAddressType", "")
    if address_type and address_type != old.get("ipAddressType"):
        operations.append(patch("replace", f"{place}/ipAddressType", address_type))
    had = old.get("vpcEndpointIds", []) if becomes == "PRIVATE" else []
    added, gone = added_and_gone(had, new.get("VpcEndpointIds") or [])
    operations.extend(patch("add", f"{place}/vpcEndpointIds", each) for each in added)
    operations.extend(patch("remove", f"{place}/vpcEndpointIds", each) for each in gone)
    return operations


class Resource(Unnamed):
    """AWS::ApiGateway::Resource: a node of the path tree. Every change makes a new one."""

    async def create(self, work: Work) -> Outcome:
        """Add the node below its parent."""
        made = await work.invoke(
            "apigateway",
            "CreateResource",
            {
                "restApiId": work.properties["RestApiId"],
                "parentId": work.properties["ParentId"],
                "pathPart": work.properties["PathPart"],
            },
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"ResourceId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give what stands: nothing of a node changes in place."""
        del work
        return Outcome(physical_id, {"ResourceId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the node with its methods."""
        parameters = {"restApiId": work.properties["RestApiId"], "resourceId": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteResource", parameters))


class Method(Unnamed):
    """AWS::ApiGateway::Method with its integration and responses.

    A change deletes the method and puts it again: deployments are snapshots, so clients notice nothing.
    """

    async def create(self, work: Work) -> Outcome:
        """Put the method, its responses, its integration and that one's responses."""
        place = _method_place(work.properties)
        physical_id = "|".join(place.values())
        await work.initiated(physical_id)
        await work.invoke("apigateway", "PutMethod", {**place, **_method(work.properties)})
        await work.made(physical_id)
        await self._fill(work, place)
        return Outcome(physical_id, ref=work.name("", length_max=64))

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the method anew."""
        place = _method_place(work.properties)
        await unless_gone(work.invoke("apigateway", "DeleteMethod", place))
        await work.invoke("apigateway", "PutMethod", {**place, **_method(work.properties)})
        await self._fill(work, place)
        return Outcome(physical_id, ref=work.name("", length_max=64))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the method with its integration."""
        del physical_id
        await unless_gone(work.invoke("apigateway", "DeleteMethod", _method_place(work.properties)))

    async def _fill(self, work: Work, place: Mapping[str, str]) -> None:
        for response in work.properties.get("MethodResponses", []):
            await work.invoke(
                "apigateway",
                "PutMethodResponse",
                present(
                    **place,
                    statusCode=response["StatusCode"],
                    responseParameters=response.get("ResponseParameters"),
                    responseModels=response.get("ResponseModels"),
                ),
            )
        integration = work.properties.get("Integration")
        if not integration:
            return
        await work.invoke("apigateway", "PutIntegration", {**place, **_integration(integration)})
        for response in integration.get("IntegrationResponses", []):
            await work.invoke(
                "apigateway",
                "PutIntegrationResponse",
                present(
                    **place,
                    statusCode=response["StatusCode"],
                    selectionPattern=response.get("SelectionPattern"),
                    responseParameters=response.get("ResponseParameters"),
                    responseTemplates=response.get("ResponseTemplates"),
                    contentHandling=response.get("ContentHandling"),
                ),
            )


def _method_place(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        "restApiId": properties["RestApiId"],
        "resourceId": properties["ResourceId"],
        "httpMethod": properties["HttpMethod"],
    }


def _method(properties: Mapping[str, Any]) -> dict[str, Any]:
    return present(
        authorizationType=properties.get("AuthorizationType", "NONE"),
        authorizerId=properties.get("AuthorizerId"),
        authorizationScopes=properties.get("AuthorizationScopes"),
        apiKeyRequired=properties.get("ApiKeyRequired"),
        operationName=properties.get("OperationName"),
        requestParameters=properties.get("RequestParameters"),
        requestModels=properties.get("RequestModels"),
        requestValidatorId=properties.get("RequestValidatorId"),
    )


def _integration(integration: Mapping[str, Any]) -> dict[str, Any]:
    return present(
        type=integration["Type"],
        integrationHttpMethod=integration.get("IntegrationHttpMethod"),
        uri=integration.get("Uri"),
        credentials=integration.get("Credentials"),
        connectionType=integration.get("ConnectionType"),
        connectionId=integration.get("ConnectionId"),
        requestParameters=integration.get("RequestParameters"),
        requestTemplates=integration.get("RequestTemplates"),
        passthroughBehavior=integration.get("PassthroughBehavior"),
        contentHandling=integration.get("ContentHandling"),
        timeoutInMillis=integration.get("TimeoutInMillis"),
        cacheNamespace=integration.get("CacheNamespace"),
        cacheKeyParameters=integration.get("CacheKeyParameters"),
        responseTransferMode=integration.get("ResponseTransferMode"),
    )


class Model(Unnamed):
    """AWS::ApiGateway::Model: a JSON schema of an API."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the model. Its name is letters and digits, so a generated one has no dashes."""
        name = work.properties.get("Name") or f"{work.logical_id}{work.stable()}"
        await work.initiated(name)
        await work.invoke(
            "apigateway",
            "CreateModel",
            present(
                restApiId=work.properties["RestApiId"],
                name=name,
                contentType=work.properties.get("ContentType", "application/json"),
                description=work.properties.get("Description"),
                schema=json_text(work.properties.get("Schema", {})),
            ),
        )
        return Outcome(name)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change schema and description."""
        operations = []
        if work.changed("Schema"):
            operations.append(patch("replace", "/schema", json_text(work.properties.get("Schema", {}))))
        if work.changed("Description"):
            operations.append(patch("replace", "/description", work.properties.get("Description", "")))
        parameters = {"restApiId": work.properties["RestApiId"], "modelName": physical_id}
        await work.invoke("apigateway", "UpdateModel", {**parameters, "patchOperations": operations})
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the model."""
        parameters = {"restApiId": work.properties["RestApiId"], "modelName": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteModel", parameters))


class GatewayResponse(Unnamed):
    """AWS::ApiGateway::GatewayResponse: an API's own answer for one response type."""

    async def create(self, work: Work) -> Outcome:
        """Put the response."""
        physical_id = work.name("", length_max=128)
        await work.initiated(physical_id)
        await self._put(work)
        await work.made(physical_id)
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the response anew."""
        await self._put(work)
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Go back to AWS's own response."""
        del physical_id
        parameters = {"restApiId": work.properties["RestApiId"], "responseType": work.properties["ResponseType"]}
        await unless_gone(work.invoke("apigateway", "DeleteGatewayResponse", parameters))

    async def _put(self, work: Work) -> None:
        parameters = present(
            restApiId=work.properties["RestApiId"],
            responseType=work.properties["ResponseType"],
            statusCode=work.properties.get("StatusCode"),
            responseParameters=work.properties.get("ResponseParameters"),
            responseTemplates=work.properties.get("ResponseTemplates"),
        )
        await work.invoke("apigateway", "PutGatewayResponse", parameters)


class Account(Unnamed):
    """AWS::ApiGateway::Account: the role by which API Gateway writes logs, one for account and region."""

    async def create(self, work: Work) -> Outcome:
        """Set the role."""
        physical_id = work.name("", length_max=64)
        await work.initiated(physical_id)
        await self._set(work)
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the role anew."""
        await self._set(work)
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Leave the account's setting as it is, as CloudFormation does."""
        del work, physical_id

    async def _set(self, work: Work) -> None:
        role = work.properties.get("CloudWatchRoleArn", "")
        operations = [patch("replace", "/cloudwatchRoleArn", role)]
        await work.invoke("apigateway", "UpdateAccount", {"patchOperations": operations})


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service's tree by type."""
    return {
        "AWS::ApiGateway::Account": Account(),
        "AWS::ApiGateway::GatewayResponse": GatewayResponse(),
        "AWS::ApiGateway::Method": Method(),
        "AWS::ApiGateway::Model": Model(),
        "AWS::ApiGateway::Resource": Resource(),
        "AWS::ApiGateway::RestApi": RestApi(),
    }
