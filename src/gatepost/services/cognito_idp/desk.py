"""What a client has to show before its users are served: itself, its secret, and a user name of a form that may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.services.cognito_idp.errors import InvalidParameterException, NotAuthorizedException
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import is_email, is_phone_number

# Clients send these for threat protection and for Pinpoint. On AWS they have no effect where neither is switched on;
# here neither can be (UserPoolAddOns, AnalyticsConfiguration are refused).
OF_THREAT_PROTECTION: Final = ("UserContextData", "ContextData", "AnalyticsMetadata")
_FORMS: Final = {"email": is_email, "phone_number": is_phone_number}
_WORDS: Final = {"email": "an email", "phone_number": "a phone number"}


def pool_of_client(
    pools: Pools, params: Mapping[str, Any], *, username: str | None = None
) -> tuple[UserPool, AppClient]:
    """Give pool and client of a call by ClientId, with SecretHash checked when there is a user name.

    Raises: ResourceNotFoundException, NotAuthorizedException.
    """
    pool, client = pools.signing_in(params["ClientId"])
    if username is not None:
        check_secret_hash(pools, client, username, params.get("SecretHash"))
    return pool, client


def check_secret_hash(pools: Pools, client: AppClient, username: str, given: str | None) -> None:
    """Refuse a request without the proof that the client knows its secret. Raises: NotAuthorizedException."""
    if not client.has_secret:
        if given:
            raise NotAuthorizedException(
                f"Client {client.id} is not configured with secret but SECRET_HASH was received"
            )
        return
    if not given:
        raise NotAuthorizedException(f"Client {client.id} is configured with secret but SECRET_HASH was not received")
    if not pools.secret_hash_matches(client, username, given):
        raise NotAuthorizedException(f"Unable to verify secret hash for client {client.id}")


def new_name(pool: UserPool, username: str, attributes: Mapping[str, str], *, sub: str) -> tuple[str, dict[str, str]]:
    """Give a new user's name and attributes: where an address stands for the name, the name is the sub.

    Raises: InvalidParameterException.
    """
    for attribute in pool.username_attributes:
        if _FORMS[attribute](username):
            if attributes.get(attribute, username) != username:
                raise InvalidParameterException(f"Username and the attribute {attribute} must be the same.")
            return sub, {**attributes, attribute: username}
    if pool.username_attributes:
        allowed = " or ".join(_WORDS[name] for name in pool.username_attributes)
        either = "either " if len(pool.username_attributes) > 1 else ""
        raise InvalidParameterException(f"Username should be {either}{allowed}.")
    for attribute, has_form in _FORMS.items():
        if attribute in pool.alias_attributes and has_form(username):
            word = "email" if attribute == "email" else "phone number"
            raise InvalidParameterException(
                f"Username cannot be of {word} format, since user pool is configured for {word} alias."
            )
    return username, dict(attributes)
