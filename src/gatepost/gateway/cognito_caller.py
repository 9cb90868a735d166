"""What a caller of an AWS_IAM method is in an identity pool, when the credentials come from one.

The session of such credentials carries what its token said: the pool (`aud`), the identity (`sub`), and how somebody
signed in (`amr`): `authenticated` with providers and users, or `unauthenticated` for guests.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html and
https://docs.aws.amazon.com/cognito/latest/developerguide/role-trust-and-permissions.html
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gatepost.kernel.operations import Principal

PROVIDER: Final = "cognito-identity.amazonaws.com"


class CognitoCaller(NamedTuple):
    """An identity, in the words of `$context.identity`. A guest has no provider: None."""

    identity_id: str
    identity_pool_id: str
    authentication_type: str
    authentication_provider: str | None


def cognito_caller(caller: Principal | None) -> CognitoCaller | None:
    """Give who a caller is in an identity pool; None: nobody called, or with other credentials."""
    if caller is None or not caller.provider_keys:
        return None
    told = dict(caller.provider_keys)
    pool, identity, amr = (told.get(f"{PROVIDER}:{name}") for name in ("aud", "sub", "amr"))
    if not isinstance(pool, str) or not isinstance(identity, str) or not isinstance(amr, tuple) or not amr:
        return None
    return CognitoCaller(identity, pool, amr[0], ",".join(amr[1:]) or None)
