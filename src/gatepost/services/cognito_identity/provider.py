"""Identity pools' provider: its operations, what each touches, and its issuer's keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitoidentity.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Access, Call, pass_role, tag_context
from gatepost.kernel.ports import IssuersElsewhere, Operations, SignedInUsers, TokenIssuers
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_identity.developer_operations import DeveloperOperations
from gatepost.services.cognito_identity.errors import InvalidParameterException
from gatepost.services.cognito_identity.identity_operations import IdentityOperations
from gatepost.services.cognito_identity.logins import Logins, OidcProviders
from gatepost.services.cognito_identity.pool_operations import PoolOperations, mapped_roles
from gatepost.services.cognito_identity.store import IdentityStore
from gatepost.services.cognito_identity.tokens import IdentityTokens
from gatepost.storage.base import Records

# Authorized by the logins in the request: the model says "auth: none".
UNSIGNED: Final = frozenset({"GetCredentialsForIdentity", "GetId", "GetOpenIdToken", "UnlinkIdentity"})
_UNBOUND: Final = frozenset({"CreateIdentityPool", "DeleteIdentities", "DescribeIdentity", "ListIdentityPools"})


@dataclass(frozen=True, slots=True)
class IdentityPoolParts:
    """What identity pools need: `issuers`, `users` of user pools, `operations` that reach STS, `oidc` of IAM."""

    records: Records
    seal: Sealing
    clock: Clock
    issuers: TokenIssuers
    users: SignedInUsers
    operations: Operations
    oidc: OidcProviders
    elsewhere: IssuersElsewhere


class CognitoIdentityProvider(PoolOperations, IdentityOperations, DeveloperOperations):
    """Cognito identity pools. A base class for each kind of thing. Call `start` once the store is open."""

    service = "cognito-identity"
    validation_error: ClassVar[type[ServiceError]] = InvalidParameterException

    def __init__(self, parts: IdentityPoolParts) -> None:
        self._store = IdentityStore(parts.records)
        self._tokens = IdentityTokens(parts.records, parts.seal, parts.clock)
        self._logins = Logins(parts.issuers, parts.users, self._tokens, parts.clock, parts.oidc, parts.elsewhere)
        self._operations = parts.operations

    async def start(self) -> None:
        """Read pools and the signing key. Raises: StoreUnavailable."""
        await self._store.load()
        await self._tokens.load()

    def jwks(self) -> Mapping[str, Any] | None:
        """Give the keys of the tokens that identity pools issue, with their issuer; None before the first one."""
        return self._tokens.jwks()

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what a call touches."""
        if call.operation in UNSIGNED:
            return ()
        action = f"cognito-identity:{call.operation}"
        tags = (params.get("IdentityPoolTags") or params.get("Tags") or {}).items()
        context = tag_context(tags, params.get("TagKeys") or ())
        if call.operation in _UNBOUND:
            return (Access(action, "*", context),)
        arn = str(params.get("ResourceArn") or call.arn(f"identitypool/{params.get('IdentityPoolId', '')}"))
        pool = self._store.find(arn.rpartition("/")[2])
        if pool is not None:
            context = {**context, **{f"aws:resourcetag/{key.lower()}": value for key, value in pool.tags.items()}}
        roles = (*(params.get("Roles") or {}).values(), *mapped_roles(params.get("RoleMappings") or {}))
        passed = (pass_role(role, "cognito-identity.amazonaws.com") for role in dict.fromkeys(roles))
        return (Access(action, arn, context), *passed)
