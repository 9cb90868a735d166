"""Cognito user pools and identity pools as this platform has them: joined with functions, outbox and addresses."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from gatepost.app.outbox import Outbox
from gatepost.app.pool_issuers import PoolIssuers
from gatepost.awsapi.own_routes import OwnRoute
from gatepost.config import Settings
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call, Provider
from gatepost.kernel.ports import (
    Assets,
    Certificates,
    FunctionCalls,
    IssuersElsewhere,
    Operations,
    PageRequest,
    Publisher,
    ServiceAnswer,
)
from gatepost.security.passwords import Passwords
from gatepost.security.sealing import Seal
from gatepost.services.cognito_identity.logins import OidcProviders
from gatepost.services.cognito_identity.provider import CognitoIdentityProvider, IdentityPoolParts
from gatepost.services.cognito_idp.import_jobs import FILE_BYTES_MAX
from gatepost.services.cognito_idp.import_jobs import ROUTE as IMPORT_ROUTE
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.provider import CognitoIdpProvider, CognitoParts
from gatepost.storage.base import Records
from gatepost.wire.messages import Request, Response


@dataclass(frozen=True, slots=True)
class UserPoolParts:
    """What user pools need of the platform."""

    records: Records
    publisher: Publisher
    seal: Seal
    clock: Clock
    functions: FunctionCalls
    assets: Assets
    operations: Operations
    certificates: Certificates
    oidc: OidcProviders
    elsewhere: IssuersElsewhere


class UserPools:
    """The provider with what belongs to it. `start` once the store is open, `close` before it is closed."""

    def __init__(self, settings: Settings, parts: UserPoolParts, *, aws_port: int, endpoint_url: str) -> None:
        """Join the parts. Raises: SettingsError when --smtp cannot be."""
        self.outbox = Outbox(parts.records, parts.seal, parts.clock, smtp_url=settings.smtp_url)
        issuer = settings.issuer.rstrip("/")

        def issuer_of(pool: UserPool) -> str:
            if issuer == "aws":
                return f"https://cognito-idp.{pool.region}.amazonaws.com/{pool.id}"
            return f"{issuer or f'http://localhost:{aws_port}'}/{pool.id}"

        self.provider = CognitoIdpProvider(
            CognitoParts(
                records=parts.records,
                publisher=parts.publisher,
                seal=parts.seal,
                clock=parts.clock,
                functions=parts.functions,
                mailbox=self.outbox,
                assets=parts.assets,
                certificates=parts.certificates,
                allow_address=AddressPolicy(),
                issuer=issuer_of,
                url=lambda: endpoint_url,
                passwords=Passwords(memory_kib=settings.password_memory_kib, passes=settings.password_passes),
            )
        )
        issuers = PoolIssuers(self.provider.discovery.document)
        self.identity_pools = CognitoIdentityProvider(
            IdentityPoolParts(
                parts.records,
                parts.seal,
                parts.clock,
                issuers,
                self.provider,
                parts.operations,
                parts.oidc,
                parts.elsewhere,
            )
        )

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Give both, for the dispatcher."""
        return (self.provider, self.identity_pools)

    async def start(self) -> None:
        """Read what must be in memory. Raises: StoreUnavailable."""
        await self.outbox.start()
        await self.provider.start()
        await self.identity_pools.start()

    async def close(self) -> None:
        """End the background work."""
        await self.provider.close()

    def routes(self) -> list[OwnRoute]:
        """Give the addresses of ours that belong to user pools."""
        upload = OwnRoute("PUT", IMPORT_ROUTE, self._take_import, None, body_bytes_max=FILE_BYTES_MAX)
        return [*self.outbox.routes(), upload]

    def document(self, path: str) -> bytes | None:
        """Give the JSON at `/{userPoolId}/.well-known/…`, or None: there is no such thing."""
        found = self.provider.discovery.document(path)
        return orjson.dumps(found) if found is not None else None

    async def page(self, request: PageRequest) -> ServiceAnswer:
        """Answer at a pool's domain what a gateway was asked. See `kernel.ports.PoolPages`."""
        asked = Request(
            request.method,
            request.target,
            list(request.headers),
            request.body,
            client_ip=request.client_ip,
            is_tls=request.is_tls,
        )
        shown = await self.provider.pages.answer(asked, request.request_id)
        return ServiceAnswer(shown.status, shown.headers, shown.body)

    async def _take_import(self, request: Request, call: Call) -> Response:
        del call
        if await self.provider.imports.take(request.path.removeprefix(IMPORT_ROUTE), request.body):
            return Response(200, [], b"")
        return Response(403, [(b"content-type", b"text/plain")], b"This address is not valid, or not any more")
