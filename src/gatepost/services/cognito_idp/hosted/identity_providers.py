"""Which identity providers a client's users may come from, and which one a request means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gatepost.services.cognito_idp.pool import AppClient

OWN: Final = "COGNITO"


def offered(client: AppClient, providers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give the names of the providers that a client's pages offer, by name."""
    chosen = client.settings.get("SupportedIdentityProviders") or ()
    return [one["name"] for one in providers if one["name"] in chosen]


def asked_for(
    client: AppClient, providers: Iterable[Mapping[str, Any]], query: Mapping[str, str]
) -> Mapping[str, Any] | None:
    """Give the provider that `identity_provider` or `idp_identifier` names; None: the pool's own users.

    Raises: LookupError when it is none of the client's.
    """
    name, identifier = query.get("identity_provider", ""), query.get("idp_identifier", "")
    if name in ("", OWN) and not identifier:
        return None
    chosen = client.settings.get("SupportedIdentityProviders") or ()
    for one in providers:
        is_meant = one["name"] == name if name else identifier in one["identifiers"]
        if is_meant and one["name"] in chosen:
            return one
    raise LookupError(name or identifier)
