"""AWS::Cognito::IdentityPool with its roles and principal tags, by the identity pools' operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone

SERVICE: Final = "cognito-identity"
CUSTOM_ID_TAG: Final = "_custom_id_"
HEX: Final = "0123456789abcdef"
SEPARATOR: Final = "|"
_POOL: Final = (
    "AllowClassicFlow",
    "AllowUnauthenticatedIdentities",
    "CognitoIdentityProviders",
    "DeveloperProviderName",
    "OpenIdConnectProviderARNs",
    "SamlProviderARNs",
    "SupportedLoginProviders",
)


class IdentityPool(Unnamed):
    """AWS::Cognito::IdentityPool. Its id is derived from the stack, so that it survives redeployment."""

    def is_named(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the template pins the pool's id."""
        return CUSTOM_ID_TAG in _tags(properties)

    async def create(self, work: Work) -> Outcome:
        """Make the pool."""
        tags = _tags(work.properties)
        tags.setdefault(CUSTOM_ID_TAG, f"{work.region}:{_uuid(work)}")
        await work.initiated(tags[CUSTOM_ID_TAG])
        made = await work.invoke(SERVICE, "CreateIdentityPool", {**self._parameters(work), "IdentityPoolTags": tags})
        await work.made(made["IdentityPoolId"])
        return _outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the pool's settings anew."""
        tags = {key: value for key, value in _tags(work.properties).items() if key != CUSTOM_ID_TAG}
        parameters = {**self._parameters(work), "IdentityPoolId": physical_id, "IdentityPoolTags": tags}
        return _outcome(await work.invoke(SERVICE, "UpdateIdentityPool", parameters))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the pool with its identities."""
        await unless_gone(work.invoke(SERVICE, "DeleteIdentityPool", {"IdentityPoolId": physical_id}))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return {
            "IdentityPoolName": work.name("IdentityPoolName", length_max=128),
            **{name: properties[name] for name in _POOL if properties.get(name) is not None},
        }


def _uuid(work: Work) -> str:
    text = work.stable(length=32, alphabet=HEX)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"


def _tags(properties: Mapping[str, Any]) -> dict[str, str]:
    return {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("IdentityPoolTags") or []}


def _outcome(made: Mapping[str, Any]) -> Outcome:
    pool_id = str(made["IdentityPoolId"])
    return Outcome(pool_id, {"Id": pool_id, "Name": made["IdentityPoolName"]})


class IdentityPoolRoleAttachment(Unnamed):
    """AWS::Cognito::IdentityPoolRoleAttachment: a pool's roles and mappings, which without it are none."""

    async def create(self, work: Work) -> Outcome:
        """Set the roles."""
        pool_id = str(work.properties["IdentityPoolId"])
        physical_id = f"{pool_id}{SEPARATOR}roles"
        await work.initiated(physical_id)
        await work.invoke(SERVICE, "SetIdentityPoolRoles", self._parameters(work))
        await work.made(physical_id)
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the roles anew."""
        await work.invoke(SERVICE, "SetIdentityPoolRoles", self._parameters(work))
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take all roles away."""
        pool_id = physical_id.rpartition(SEPARATOR)[0]
        none = {"IdentityPoolId": pool_id, "Roles": {}, "RoleMappings": {}}
        await unless_gone(work.invoke(SERVICE, "SetIdentityPoolRoles", none))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        mappings = {}
        for key, mapping in (properties.get("RoleMappings") or {}).items():
            settings = {name: value for name, value in mapping.items() if name != "IdentityProvider"}
            mappings[str(mapping.get("IdentityProvider") or key)] = settings
        return {
            "IdentityPoolId": properties["IdentityPoolId"],
            "Roles": properties.get("Roles") or {},
            "RoleMappings": mappings,
        }


class IdentityPoolPrincipalTag(Unnamed):
    """AWS::Cognito::IdentityPoolPrincipalTag: which claims of a provider's tokens become tags."""

    async def create(self, work: Work) -> Outcome:
        """Set the map."""
        properties = work.properties
        physical_id = f"{properties['IdentityPoolId']}{SEPARATOR}{properties['IdentityProviderName']}"
        await work.initiated(physical_id)
        await work.invoke(SERVICE, "SetPrincipalTagAttributeMap", self._parameters(work))
        await work.made(physical_id)
        return Outcome(physical_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the map anew."""
        await work.invoke(SERVICE, "SetPrincipalTagAttributeMap", self._parameters(work))
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Let no claim become a tag."""
        pool_id, _, provider = physical_id.partition(SEPARATOR)
        none = {"IdentityPoolId": pool_id, "IdentityProviderName": provider, "PrincipalTags": {}}
        await unless_gone(work.invoke(SERVICE, "SetPrincipalTagAttributeMap", none))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return present(
            IdentityPoolId=properties["IdentityPoolId"],
            IdentityProviderName=properties["IdentityProviderName"],
            PrincipalTags=properties.get("PrincipalTags"),
            UseDefaults=properties.get("UseDefaults"),
        )


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::Cognito::IdentityPool": IdentityPool(),
        "AWS::Cognito::IdentityPoolPrincipalTag": IdentityPoolPrincipalTag(),
        "AWS::Cognito::IdentityPoolRoleAttachment": IdentityPoolRoleAttachment(),
    }
