"""The operations that let a user of the pool sign in by another identity provider too, and that end it.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-identity-federation-consolidate-users.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.errors import (
    AliasExistsException,
    InvalidParameterException,
    LimitExceededException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.pool import IDENTITY_PROVIDER, UserPool
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.user import EXTERNAL_PROVIDER, User, identity_alias
from gatepost.services.cognito_idp.users import Held, Users

Params = Mapping[str, Any]
Answer = dict[str, Any]

LINKS_MAX: Final = 5
OWN: Final = "Cognito"
SUBJECT: Final = "Cognito_Subject"
SUBJECT_CHARACTERS_MAX: Final = 255


class LinkOperations:
    """The operations on links; a part of the provider."""

    _pools: Pools
    _users: Users
    _things: PoolThings

    @operation("AdminLinkProviderForUser")
    async def admin_link_provider_for_user(self, call: Call, params: Params) -> Answer:
        """Let a user sign in by a provider, where nobody has come from it by that subject yet.

        Raises: UserNotFoundException, InvalidParameterException, AliasExistsException, LimitExceededException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        destination = params["DestinationUser"]
        if destination.get("ProviderName") != OWN:
            raise InvalidParameterException("DestinationUser is a user of the pool: its ProviderName is Cognito")
        held = await self._users.get(pool, destination.get("ProviderAttributeValue") or "")
        name, subject = await self._identity(pool, params["SourceUser"])
        if await self._holder(pool, name, subject) is not None:
            raise AliasExistsException("SourceUser is already linked to DestinationUser, or signs in by itself")
        identity = {
            "userId": subject,
            "providerName": name,
            "providerType": "OIDC",
            "issuer": None,
            "primary": "false",
            "dateCreated": str(call.now_ms),
        }

        def link(user: User) -> User:
            if user.status == EXTERNAL_PROVIDER:
                raise InvalidParameterException("DestinationUser must be a user of the pool itself")
            if any(one["providerName"] == name for one in user.identities):
                raise InvalidParameterException(f"The user is linked to somebody of {name} already")
            if len(user.identities) >= LINKS_MAX:
                raise LimitExceededException(f"A user has at most {LINKS_MAX} linked identities")
            return replace(user, identities=[*user.identities, identity], changed_at_ms=call.now_ms)

        await self._users.change(pool, held.user.name, link)
        return {}

    @operation("AdminDisableProviderForUser")
    async def admin_disable_provider_for_user(self, call: Call, params: Params) -> Answer:
        """End a user's link to a provider, or switch off the user who is nothing but that provider's.

        Raises: UserNotFoundException, InvalidParameterException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        if params["User"].get("ProviderName") == OWN:
            raise InvalidParameterException(
                "ProviderName Cognito is not supported by Gatepost: passwords are not switched off by themselves"
            )
        name, subject = await self._identity(pool, params["User"])
        held = await self._holder(pool, name, subject)
        if held is None:
            raise UserNotFoundException("User does not exist.")

        def leave(user: User) -> User:
            if user.status == EXTERNAL_PROVIDER:
                return replace(user, is_enabled=False, changed_at_ms=call.now_ms)
            kept = [one for one in user.identities if one["providerName"] != name]
            return replace(user, identities=kept, changed_at_ms=call.now_ms)

        await self._users.change(pool, held.user.name, leave)
        return {}

    async def _identity(self, pool: UserPool, given: Mapping[str, str]) -> tuple[str, str]:
        """Give provider and subject of a ProviderUserIdentifierType. Raises: InvalidParameterException."""
        name, subject = given.get("ProviderName") or "", given.get("ProviderAttributeValue") or ""
        if given.get("ProviderAttributeName") != SUBJECT:
            raise InvalidParameterException(f"ProviderAttributeName must be {SUBJECT}: nothing else is unique")
        if not subject or len(subject) > SUBJECT_CHARACTERS_MAX or not subject.isprintable():
            raise InvalidParameterException("ProviderAttributeValue is no subject of an identity provider")
        if not name or await self._things.get(IDENTITY_PROVIDER, pool, name) is None:
            raise InvalidParameterException(f"The identity provider {name} does not exist.")
        return name, subject

    async def _holder(self, pool: UserPool, name: str, subject: str) -> Held | None:
        return await self._users.by_alias(pool, *identity_alias(name, subject))
