"""OpenID Connect providers: whose tokens AssumeRoleWithWebIdentity takes, and for which clients.

A provider may be one of the platform's own user pools: its keys are at hand, and nobody outside is asked. A URL of
AWS's form (`https://cognito-idp.{region}.amazonaws.com/{pool}`) names the pool of that id. Any other is an issuer
elsewhere, whose keys are fetched when a token of its comes.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from gatepost.kernel.operations import Call, operation
from gatepost.kernel.ports import TokenIssuers
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import InvalidInputException, LimitExceededException, NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.listing import list_tags, new_tags, tagged, untagged
from gatepost.services.iam.model import OIDC_PROVIDER, OidcProvider, tag_list, whole_second

PROVIDERS_MAX: Final = 100
CLIENTS_MAX: Final = 100


def _check_elsewhere(url: str) -> None:
    """Check the URL of an issuer elsewhere. Raises: InvalidInput.

    "The URL must begin with https:// […] path components are allowed but query parameters are not. Typically the URL
    consists of only a hostname […] The URL should not contain a port number." For trying things out, an issuer on this
    machine may have http and a port. Words: unverified.
    """
    parts = urlsplit(url)
    is_here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1")
    is_pool = (parts.hostname or "").startswith("cognito-idp.")  # of which there is none
    if parts.query or parts.fragment or parts.username or not parts.hostname or is_pool:
        raise InvalidInputException(f"Invalid Open ID Connect Provider URL: {url}")
    if not is_here and (parts.scheme != "https" or ":" in parts.netloc):
        raise InvalidInputException(f"Invalid Open ID Connect Provider URL: {url}: use https:// without a port")


class OidcProviderOperations:
    """The operations on OpenID Connect providers; a part of the provider."""

    _directory: Directory
    _entities: Entities
    _issuers: TokenIssuers | None

    def _provider(self, call: Call, arn: str) -> OidcProvider:
        provider = self._directory.oidc_provider(arn)
        if provider is None or provider.account_id != call.account_id:
            raise NoSuchEntityException(f"OpenIDConnect Provider not found for arn {arn}")
        return provider

    @operation("CreateOpenIDConnectProvider")
    async def create_open_id_connect_provider(self, call: Call, params: Params) -> Answer:
        """Take the tokens of an issuer: a user pool or one elsewhere.

        Raises: EntityAlreadyExists, InvalidInput, LimitExceeded.
        """
        url = params["Url"]
        if self._issuers is None or self._issuers.keys(url) is None:
            _check_elsewhere(url)
        clients = tuple(dict.fromkeys(params.get("ClientIDList", ())))
        if len(clients) > CLIENTS_MAX:
            raise LimitExceededException(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS_MAX}")
        provider = OidcProvider(
            account_id=call.account_id,
            name=url.partition("://")[2].rstrip("/"),
            url=url,
            client_ids=clients,
            thumbprints=tuple(params.get("ThumbprintList", ())),
            created_at_ms=whole_second(call.now_ms),
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            if len(self._directory.every(OIDC_PROVIDER, call.account_id, OidcProvider)) >= PROVIDERS_MAX:
                raise LimitExceededException(
                    f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {PROVIDERS_MAX}"
                )

        await self._entities.create(provider, exists=f"Provider with url {url} already exists.", check=check)
        return {"OpenIDConnectProviderArn": provider.arn, "Tags": tag_list(provider.tags)}

    @operation("GetOpenIDConnectProvider")
    def get_open_id_connect_provider(self, call: Call, params: Params) -> Answer:
        """Describe a provider. Raises: NoSuchEntity."""
        provider = self._provider(call, params["OpenIDConnectProviderArn"])
        return {
            "Url": provider.name,
            "ClientIDList": list(provider.client_ids),
            "ThumbprintList": list(provider.thumbprints),
            "CreateDate": provider.created_at_ms,
            "Tags": tag_list(provider.tags),
        }

    @operation("ListOpenIDConnectProviders")
    def list_open_id_connect_providers(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List the account's providers."""
        found = self._directory.every(OIDC_PROVIDER, call.account_id, OidcProvider)
        return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in found]}

    @operation("DeleteOpenIDConnectProvider")
    async def delete_open_id_connect_provider(self, call: Call, params: Params) -> Answer:
        """Take no tokens of a provider any more; one that is not there is gone. Sessions end at their time."""
        provider = self._directory.oidc_provider(params["OpenIDConnectProviderArn"])
        if provider is not None and provider.account_id == call.account_id:
            await self._entities.delete(
                OidcProvider, OIDC_PROVIDER, call.account_id, provider.name, missing="gone", check=lambda _one: None
            )
        return {}

    @operation("AddClientIDToOpenIDConnectProvider")
    async def add_client_id(self, call: Call, params: Params) -> Answer:
        """Take tokens for one more client. Raises: NoSuchEntity, LimitExceeded."""

        def change(one: OidcProvider) -> OidcProvider:
            clients = tuple(dict.fromkeys((*one.client_ids, params["ClientID"])))
            if len(clients) > CLIENTS_MAX:
                raise LimitExceededException(
                    f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENTS_MAX}"
                )
            return replace(one, client_ids=clients)

        return await self._change_oidc(call, params, change)

    @operation("RemoveClientIDFromOpenIDConnectProvider")
    async def remove_client_id(self, call: Call, params: Params) -> Answer:
        """Take no tokens for a client any more. Raises: NoSuchEntity."""
        gone = params["ClientID"]
        return await self._change_oidc(
            call,
            params,
            lambda one: replace(one, client_ids=tuple(client for client in one.client_ids if client != gone)),
        )

    @operation("UpdateOpenIDConnectProviderThumbprint")
    async def update_thumbprints(self, call: Call, params: Params) -> Answer:
        """Keep other thumbprints; none is compared: issuers are vouched for by authorities. Raises: NoSuchEntity."""
        prints = tuple(params["ThumbprintList"])
        return await self._change_oidc(call, params, lambda one: replace(one, thumbprints=prints))

    @operation("TagOpenIDConnectProvider")
    async def tag_open_id_connect_provider(self, call: Call, params: Params) -> Answer:
        """Set tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        return await self._change_oidc(call, params, lambda one: replace(one, tags=tagged(one.tags, params["Tags"])))

    @operation("UntagOpenIDConnectProvider")
    async def untag_open_id_connect_provider(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        return await self._change_oidc(
            call, params, lambda one: replace(one, tags=untagged(one.tags, params["TagKeys"]))
        )

    @operation("ListOpenIDConnectProviderTags")
    def list_open_id_connect_provider_tags(self, call: Call, params: Params) -> Answer:
        """List a provider's tags. Raises: NoSuchEntity."""
        return list_tags(self._provider(call, params["OpenIDConnectProviderArn"]).tags, params)

    async def _change_oidc(self, call: Call, params: Params, change: Callable[[OidcProvider], OidcProvider]) -> Answer:
        provider = self._provider(call, params["OpenIDConnectProviderArn"])
        await self._entities.change(
            OidcProvider,
            OIDC_PROVIDER,
            call.account_id,
            provider.name,
            missing=f"OpenIDConnect Provider not found for arn {provider.arn}",
            change=change,
        )
        return {}
