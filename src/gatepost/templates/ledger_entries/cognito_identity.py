"""What happens to the properties of identity pools' types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, refused

_SYNC: Final = refused("there is no Cognito Sync: remove it")
_USER_POOLS: Final = refused("logins are those of user pools and OpenID Connect providers: use these")


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return (
        TypeEntry("AWS::Cognito::IdentityPool", ENFORCED, _POOL),
        TypeEntry(
            "AWS::Cognito::IdentityPoolPrincipalTag",
            ENFORCED,
            dict.fromkeys(("IdentityPoolId", "IdentityProviderName", "PrincipalTags", "UseDefaults"), ENFORCED),
        ),
        TypeEntry(
            "AWS::Cognito::IdentityPoolRoleAttachment",
            ENFORCED,
            dict.fromkeys(("IdentityPoolId", "RoleMappings", "Roles"), ENFORCED),
        ),
    )


_POOL: Final[dict[str, Entry]] = {
    "AllowClassicFlow": ENFORCED,
    "AllowUnauthenticatedIdentities": ENFORCED,
    "CognitoEvents": _SYNC,
    "CognitoIdentityProviders": ENFORCED,
    "CognitoStreams": _SYNC,
    "DeveloperProviderName": ENFORCED,
    "IdentityPoolName": ENFORCED,
    "IdentityPoolTags": ENFORCED,
    "OpenIdConnectProviderARNs": ENFORCED,
    "PushSync": _SYNC,
    "SamlProviderARNs": _USER_POOLS,
    "SupportedLoginProviders": _USER_POOLS,
}
