"""AWS::ApiGateway::Authorizer and RequestValidator: what methods name to be guarded and checked."""

from __future__ import annotations

from typing import Final

from gatepost.templates.resources.apigateway import patch
from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, added_and_gone, present, unless_gone

# Property -> path of its patch, and what it is when it is not declared.
_AUTHORIZER_SETTINGS: Final = (
    ("AuthType", "/authType", ""),
    ("AuthorizerCredentials", "/authorizerCredentials", ""),
    ("AuthorizerResultTtlInSeconds", "/authorizerResultTtlInSeconds", 300),
    ("AuthorizerUri", "/authorizerUri", ""),
    ("IdentitySource", "/identitySource", ""),
    ("IdentityValidationExpression", "/identityValidationExpression", ""),
    ("Name", "/name", ""),
    ("Type", "/type", ""),
)
_DEFAULT_IDENTITY_SOURCE: Final = "method.request.header.Authorization"


class Authorizer(Unnamed):
    """AWS::ApiGateway::Authorizer. Everything changes in place, the type too."""

    async def create(self, work: Work) -> Outcome:
        """Make the authorizer."""
        properties = work.properties
        made = await work.invoke(
            "apigateway",
            "CreateAuthorizer",
            present(
                restApiId=properties["RestApiId"],
                name=properties["Name"],
                type=properties["Type"],
                providerARNs=properties.get("ProviderARNs"),
                authType=properties.get("AuthType"),
                authorizerUri=properties.get("AuthorizerUri"),
                authorizerCredentials=properties.get("AuthorizerCredentials"),
                identitySource=properties.get("IdentitySource"),
                identityValidationExpression=properties.get("IdentityValidationExpression"),
                authorizerResultTtlInSeconds=properties.get("AuthorizerResultTtlInSeconds"),
            ),
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"AuthorizerId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch what changed."""
        operations = []
        for key, path, default in _AUTHORIZER_SETTINGS:
            if work.changed(key):
                value = work.properties.get(key, default)
                if key == "IdentitySource" and not value and work.properties["Type"] != "REQUEST":
                    value = _DEFAULT_IDENTITY_SOURCE
                operations.append(patch("replace", path, value))
        added, gone = added_and_gone(work.before.get("ProviderARNs", []), work.properties.get("ProviderARNs", []))
        operations.extend(patch("add", "/providerARNs", each) for each in added)
        operations.extend(patch("remove", "/providerARNs", each) for each in gone)
        if operations:
            place = {"restApiId": work.properties["RestApiId"], "authorizerId": physical_id}
            await work.invoke("apigateway", "UpdateAuthorizer", {**place, "patchOperations": operations})
        return Outcome(physical_id, {"AuthorizerId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the authorizer."""
        parameters = {"restApiId": work.properties["RestApiId"], "authorizerId": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteAuthorizer", parameters))


class RequestValidator(Unnamed):
    """AWS::ApiGateway::RequestValidator."""

    async def create(self, work: Work) -> Outcome:
        """Make the validator."""
        properties = work.properties
        made = await work.invoke(
            "apigateway",
            "CreateRequestValidator",
            present(
                restApiId=properties["RestApiId"],
                name=properties.get("Name"),
                validateRequestBody=properties.get("ValidateRequestBody"),
                validateRequestParameters=properties.get("ValidateRequestParameters"),
            ),
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"RequestValidatorId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch what changed."""
        operations = [
            patch("replace", path, work.properties.get(key, False))
            for key, path in (
                ("ValidateRequestBody", "/validateRequestBody"),
                ("ValidateRequestParameters", "/validateRequestParameters"),
            )
            if work.changed(key)
        ]
        if operations:
            place = {"restApiId": work.properties["RestApiId"], "requestValidatorId": physical_id}
            await work.invoke("apigateway", "UpdateRequestValidator", {**place, "patchOperations": operations})
        return Outcome(physical_id, {"RequestValidatorId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the validator."""
        parameters = {"restApiId": work.properties["RestApiId"], "requestValidatorId": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteRequestValidator", parameters))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of guards by type."""
    return {"AWS::ApiGateway::Authorizer": Authorizer(), "AWS::ApiGateway::RequestValidator": RequestValidator()}
