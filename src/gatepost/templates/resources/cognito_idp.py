"""AWS::Cognito::UserPool and what belongs to one, by Cognito's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone

SERVICE: Final = "cognito-idp"
CUSTOM_ID_TAG: Final = "_custom_id_"
SUFFIX_LENGTH: Final = 9
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_GONE: Final = frozenset({"ResourceNotFoundException", "UserNotFoundException"})
_POOL: Final = (
    "Policies",
    "DeletionProtection",
    "LambdaConfig",
    "AutoVerifiedAttributes",
    "SmsVerificationMessage",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "VerificationMessageTemplate",
    "SmsAuthenticationMessage",
    "UserAttributeUpdateSettings",
    "DeviceConfiguration",
    "EmailConfiguration",
    "SmsConfiguration",
    "AdminCreateUserConfig",
    "UserPoolAddOns",
    "AccountRecoverySetting",
    "UserPoolTier",
)
_FIXED: Final = ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration")
_MFA: Final = (
    "EnabledMfas",
    "EmailAuthenticationMessage",
    "EmailAuthenticationSubject",
    "WebAuthnRelyingPartyID",
    "WebAuthnUserVerification",
    "WebAuthnFactorConfiguration",
)
_CLIENT: Final = (
    "AccessTokenValidity",
    "AllowedOAuthFlows",
    "AllowedOAuthFlowsUserPoolClient",
    "AllowedOAuthScopes",
    "AnalyticsConfiguration",
    "AuthSessionValidity",
    "CallbackURLs",
    "DefaultRedirectURI",
    "EnablePropagateAdditionalUserContextData",
    "EnableTokenRevocation",
    "ExplicitAuthFlows",
    "IdTokenValidity",
    "LogoutURLs",
    "PreventUserExistenceErrors",
    "ReadAttributes",
    "RefreshTokenRotation",
    "RefreshTokenValidity",
    "SupportedIdentityProviders",
    "TokenValidityUnits",
    "WriteAttributes",
)
SEPARATOR: Final = "|"  # in physical ids: a pool's id, and the name of what belongs to it


class UserPool(Unnamed):
    """AWS::Cognito::UserPool. Its id is derived from the stack, so that it survives redeployment."""

    def is_named(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the template pins the pool's id."""
        return CUSTOM_ID_TAG in (properties.get("UserPoolTags") or {})

    async def create(self, work: Work) -> Outcome:
        """Make the pool, then set its second factors."""
        properties = work.properties
        tags = dict(properties.get("UserPoolTags") or {})
        suffix = work.stable(length=SUFFIX_LENGTH, alphabet=_ALPHABET)
        tags.setdefault(CUSTOM_ID_TAG, f"{work.region}_{suffix}")
        await work.initiated(tags[CUSTOM_ID_TAG])
        mfa = _mfa(properties)
        made = await work.invoke(
            SERVICE,
            "CreateUserPool",
            {
                **_settings(properties),
                **present(Schema=properties.get("Schema")),
                **{name: properties[name] for name in _FIXED if properties.get(name) is not None},
                "PoolName": work.name("UserPoolName", length_max=128),
                "UserPoolTags": tags,
                **({} if mfa else present(MfaConfiguration=properties.get("MfaConfiguration"))),
            },
        )
        pool_id = str(made["UserPool"]["Id"])
        await work.made(pool_id)
        if mfa:
            await work.invoke(SERVICE, "SetUserPoolMfaConfig", {"UserPoolId": pool_id, **mfa})
        return _pool_outcome(work, pool_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the pool's settings anew, and add custom attributes."""
        properties = work.properties
        pool = (await work.invoke(SERVICE, "DescribeUserPool", {"UserPoolId": physical_id}))["UserPool"]
        # What stands is asked, not what was applied last: a rollback comes here with what could not be applied.
        for name in _FIXED:
            if (properties.get(name) or None) != (pool.get(name) or None):
                raise ResourceFailure(f"{name} of a user pool cannot change: make a new one")
        await self._add_attributes(work, pool)
        mfa = _mfa(properties)
        await work.invoke(
            SERVICE,
            "UpdateUserPool",
            {
                **_settings(properties),
                "UserPoolId": physical_id,
                "PoolName": work.name("UserPoolName", length_max=128),
                "UserPoolTags": dict(properties.get("UserPoolTags") or {}),
                **({} if mfa else present(MfaConfiguration=properties.get("MfaConfiguration"))),
            },
        )
        if mfa or _mfa(work.before):
            off = {"MfaConfiguration": "OFF"}
            await work.invoke(SERVICE, "SetUserPoolMfaConfig", {"UserPoolId": physical_id, **(mfa or off)})
        return _pool_outcome(work, physical_id)

    async def _add_attributes(self, work: Work, pool: Mapping[str, Any]) -> None:
        """Add custom attributes; those that the template drops stay, so that an update can be rolled back."""
        standing = {one["Name"].rpartition(":")[2]: one for one in pool["SchemaAttributes"]}
        added = []
        for attribute in work.properties.get("Schema") or []:
            found = standing.get(str(attribute.get("Name")))
            if found is None:
                added.append(attribute)
            elif any(
                name in attribute and str(attribute[name]) != str(found.get(name))
                for name in ("AttributeDataType", "Mutable", "Required", "DeveloperOnlyAttribute")
            ):
                raise ResourceFailure("Existing schema attributes cannot be modified or deleted.")
        if added:
            await work.invoke(SERVICE, "AddCustomAttributes", {"UserPoolId": pool["Id"], "CustomAttributes": added})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the pool with everything in it."""
        await unless_gone(work.invoke(SERVICE, "DeleteUserPool", {"UserPoolId": physical_id}))


def _settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: properties[name] for name in _POOL if properties.get(name) is not None}


def _mfa(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parameters of SetUserPoolMfaConfig, or nothing when the template names no factors."""
    if all(properties.get(name) is None for name in _MFA):
        return {}
    enabled = properties.get("EnabledMfas") or []
    found: dict[str, Any] = {"MfaConfiguration": properties.get("MfaConfiguration") or "OFF"}
    if "SOFTWARE_TOKEN_MFA" in enabled:
        found["SoftwareTokenMfaConfiguration"] = {"Enabled": True}
    if "SMS_MFA" in enabled:
        found["SmsMfaConfiguration"] = present(
            SmsAuthenticationMessage=properties.get("SmsAuthenticationMessage"),
            SmsConfiguration=properties.get("SmsConfiguration"),
        )
    if "EMAIL_OTP" in enabled:
        found["EmailMfaConfiguration"] = present(
            Message=properties.get("EmailAuthenticationMessage"), Subject=properties.get("EmailAuthenticationSubject")
        )
    passkeys = present(
        RelyingPartyId=properties.get("WebAuthnRelyingPartyID"),
        UserVerification=properties.get("WebAuthnUserVerification"),
        FactorConfiguration=properties.get("WebAuthnFactorConfiguration"),
    )
    if passkeys:
        found["WebAuthnConfiguration"] = passkeys
    return found


def _pool_outcome(work: Work, pool_id: str) -> Outcome:
    name = f"cognito-idp.{work.region}.amazonaws.com/{pool_id}"
    return Outcome(
        pool_id,
        {
            "Arn": f"arn:aws:cognito-idp:{work.region}:{work.account_id}:userpool/{pool_id}",
            "ProviderName": name,
            "ProviderURL": f"https://{name}",
            "UserPoolId": pool_id,
        },
    )


class UserPoolClient(Unnamed):
    """AWS::Cognito::UserPoolClient."""

    async def create(self, work: Work) -> Outcome:
        """Make the client."""
        parameters = {**self._parameters(work), **present(GenerateSecret=work.properties.get("GenerateSecret"))}
        made = await work.invoke(SERVICE, "CreateUserPoolClient", parameters)
        client = made["UserPoolClient"]
        await work.made(client["ClientId"])
        return _client_outcome(client)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set the client's settings anew."""
        parameters = {**self._parameters(work), "ClientId": physical_id}
        return _client_outcome((await work.invoke(SERVICE, "UpdateUserPoolClient", parameters))["UserPoolClient"])

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the client."""
        pool_id = _pool_id(work)
        await unless_gone(
            work.invoke(SERVICE, "DeleteUserPoolClient", {"UserPoolId": pool_id, "ClientId": physical_id})
        )

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return {
            "UserPoolId": properties["UserPoolId"],
            "ClientName": work.name("ClientName", length_max=128),
            **{name: properties[name] for name in _CLIENT if properties.get(name) is not None},
        }


def _client_outcome(client: Mapping[str, Any]) -> Outcome:
    attributes = {"ClientId": client["ClientId"], "Name": client["ClientName"]}
    if client.get("ClientSecret"):
        attributes["ClientSecret"] = client["ClientSecret"]
    return Outcome(str(client["ClientId"]), attributes)


def _pool_id(work: Work) -> str:
    return str(work.properties.get("UserPoolId") or work.before["UserPoolId"])


class UserPoolDomain(Unnamed):
    """AWS::Cognito::UserPoolDomain."""

    name_property = "Domain"

    async def create(self, work: Work) -> Outcome:
        """Give the pool the domain."""
        domain = str(work.properties["Domain"])
        await work.initiated(domain)
        made = await work.invoke(SERVICE, "CreateUserPoolDomain", self._parameters(work, domain))
        await work.made(domain)
        return Outcome(domain, {"CloudFrontDistribution": made.get("CloudFrontDomain", "")})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give the domain another certificate or version."""
        made = await work.invoke(SERVICE, "UpdateUserPoolDomain", self._parameters(work, physical_id))
        return Outcome(physical_id, {"CloudFrontDistribution": made.get("CloudFrontDomain", "")})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the domain away."""
        await unless_gone(
            work.invoke(SERVICE, "DeleteUserPoolDomain", {"UserPoolId": _pool_id(work), "Domain": physical_id})
        )

    def _parameters(self, work: Work, domain: str) -> dict[str, Any]:
        properties = work.properties
        return present(
            UserPoolId=properties["UserPoolId"],
            Domain=domain,
            CustomDomainConfig=properties.get("CustomDomainConfig"),
            ManagedLoginVersion=properties.get("ManagedLoginVersion"),
            Routing=properties.get("Routing"),
        )


class _Belonging(Unnamed):
    """What has a name inside of a pool: its physical id is the pool's id and that name."""

    def outcome(self, work: Work, name: str) -> Outcome:
        """Say what stands: Ref gives the name."""
        return Outcome(f"{work.properties['UserPoolId']}{SEPARATOR}{name}", ref=name)


class UserPoolGroup(_Belonging):
    """AWS::Cognito::UserPoolGroup."""

    async def create(self, work: Work) -> Outcome:
        """Make the group."""
        name = work.name("GroupName", length_max=128)
        done = self.outcome(work, name)
        await work.initiated(done.physical_id)
        await work.invoke(SERVICE, "CreateGroup", self._parameters(work, name))
        await work.made(done.physical_id)
        return done

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the group."""
        _, _, name = physical_id.partition(SEPARATOR)
        cleared = {key: "" for key in ("Description", "RoleArn") if key in work.before}
        await work.invoke(SERVICE, "UpdateGroup", {**cleared, **self._parameters(work, name)})
        return self.outcome(work, name)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the group."""
        pool_id, _, name = physical_id.partition(SEPARATOR)
        await unless_gone(work.invoke(SERVICE, "DeleteGroup", {"UserPoolId": pool_id, "GroupName": name}))

    def _parameters(self, work: Work, name: str) -> dict[str, Any]:
        properties = work.properties
        return present(
            UserPoolId=properties["UserPoolId"],
            GroupName=name,
            Description=properties.get("Description"),
            RoleArn=properties.get("RoleArn"),
            Precedence=properties.get("Precedence"),
        )


class UserPoolResourceServer(_Belonging):
    """AWS::Cognito::UserPoolResourceServer."""

    async def create(self, work: Work) -> Outcome:
        """Make the resource server."""
        done = self.outcome(work, str(work.properties["Identifier"]))
        await work.initiated(done.physical_id)
        await work.invoke(SERVICE, "CreateResourceServer", self._parameters(work))
        await work.made(done.physical_id)
        return done

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Set its name and scopes anew."""
        del physical_id
        await work.invoke(SERVICE, "UpdateResourceServer", self._parameters(work))
        return self.outcome(work, str(work.properties["Identifier"]))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the resource server."""
        pool_id, _, name = physical_id.partition(SEPARATOR)
        await unless_gone(work.invoke(SERVICE, "DeleteResourceServer", {"UserPoolId": pool_id, "Identifier": name}))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return present(
            UserPoolId=properties["UserPoolId"],
            Identifier=properties["Identifier"],
            Name=properties["Name"],
            Scopes=properties.get("Scopes"),
        )


class UserPoolIdentityProvider(_Belonging):
    """AWS::Cognito::UserPoolIdentityProvider."""

    async def create(self, work: Work) -> Outcome:
        """Make the identity provider."""
        done = self.outcome(work, str(work.properties["ProviderName"]))
        await work.initiated(done.physical_id)
        parameters = {**self._parameters(work), "ProviderType": work.properties["ProviderType"]}
        await work.invoke(SERVICE, "CreateIdentityProvider", parameters)
        await work.made(done.physical_id)
        return done

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the identity provider."""
        del physical_id
        cleared: dict[str, Any] = {"AttributeMapping": {}, "IdpIdentifiers": []}
        await work.invoke(SERVICE, "UpdateIdentityProvider", {**cleared, **self._parameters(work)})
        return self.outcome(work, str(work.properties["ProviderName"]))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the identity provider."""
        pool_id, _, name = physical_id.partition(SEPARATOR)
        await unless_gone(work.invoke(SERVICE, "DeleteIdentityProvider", {"UserPoolId": pool_id, "ProviderName": name}))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return present(
            UserPoolId=properties["UserPoolId"],
            ProviderName=properties["ProviderName"],
            ProviderDetails=properties["ProviderDetails"],
            AttributeMapping=properties.get("AttributeMapping"),
            IdpIdentifiers=properties.get("IdpIdentifiers"),
        )


class UserPoolUser(_Belonging):
    """AWS::Cognito::UserPoolUser: every change makes another user."""

    async def create(self, work: Work) -> Outcome:
        """Make the user."""
        properties = work.properties
        made = await work.invoke(
            SERVICE,
            "AdminCreateUser",
            present(
                UserPoolId=properties["UserPoolId"],
                Username=work.name("Username", length_max=128),
                UserAttributes=properties.get("UserAttributes"),
                ValidationData=properties.get("ValidationData"),
                ForceAliasCreation=properties.get("ForceAliasCreation"),
                MessageAction=properties.get("MessageAction"),
                DesiredDeliveryMediums=properties.get("DesiredDeliveryMediums"),
                ClientMetadata=properties.get("ClientMetadata"),
            ),
        )
        done = self.outcome(work, str(made["User"]["Username"]))
        await work.made(done.physical_id)
        return done

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change nothing: there is no property that changes in place."""
        return self.outcome(work, physical_id.partition(SEPARATOR)[2])

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the user."""
        pool_id, _, name = physical_id.partition(SEPARATOR)
        await _unless_gone(work, "AdminDeleteUser", {"UserPoolId": pool_id, "Username": name})


class UserPoolUserToGroupAttachment(Unnamed):
    """AWS::Cognito::UserPoolUserToGroupAttachment."""

    async def create(self, work: Work) -> Outcome:
        """Put the user into the group."""
        properties = work.properties
        names = {name: str(properties[name]) for name in ("UserPoolId", "GroupName", "Username")}
        physical_id = SEPARATOR.join(names.values())
        await work.initiated(physical_id)
        await work.invoke(SERVICE, "AdminAddUserToGroup", names)
        await work.made(physical_id)
        return Outcome(physical_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change nothing: there is no property that changes in place."""
        del work
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the user out of the group."""
        pool_id, _, rest = physical_id.partition(SEPARATOR)
        group, _, name = rest.partition(SEPARATOR)
        names = {"UserPoolId": pool_id, "GroupName": group, "Username": name}
        await _unless_gone(work, "AdminRemoveUserFromGroup", names)


async def _unless_gone(work: Work, operation: str, parameters: Mapping[str, Any]) -> None:
    try:
        await work.invoke(SERVICE, operation, parameters)
    except ServiceError as fault:
        if fault.code not in _GONE:
            raise


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::Cognito::UserPool": UserPool(),
        "AWS::Cognito::UserPoolClient": UserPoolClient(),
        "AWS::Cognito::UserPoolDomain": UserPoolDomain(),
        "AWS::Cognito::UserPoolGroup": UserPoolGroup(),
        "AWS::Cognito::UserPoolIdentityProvider": UserPoolIdentityProvider(),
        "AWS::Cognito::UserPoolResourceServer": UserPoolResourceServer(),
        "AWS::Cognito::UserPoolUser": UserPoolUser(),
        "AWS::Cognito::UserPoolUserToGroupAttachment": UserPoolUserToGroupAttachment(),
    }
