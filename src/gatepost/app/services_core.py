"""What the services role consists of, from stores to endpoint: opened, closed, and on a reset built anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.app import code_downloads
from gatepost.app.asset_sweep import AssetSweep
from gatepost.app.code_downloads import CodeDownloads
from gatepost.app.explain import ExplainRoute
from gatepost.app.forwarded_objects import forwarded_ports
from gatepost.app.issuers_elsewhere import IssuersElsewhere
from gatepost.app.local_authority import load_authority
from gatepost.app.pool_issuers import PoolIssuers
from gatepost.app.role_sessions import role_sessions
from gatepost.app.sealed_kinds import SEALED_KINDS
from gatepost.app.secret_services import SecretServices
from gatepost.app.table_service import TableService
from gatepost.app.usage_records import UsageRecords
from gatepost.app.user_pools import UserPoolParts, UserPools
from gatepost.awsapi.authorization import Authorizer
from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.forwarding import Forwarder, parse_forwarded
from gatepost.awsapi.integration_requests import IntegrationRequests
from gatepost.awsapi.own_routes import OwnRoute
from gatepost.awsapi.server import AwsEndpoint
from gatepost.config import Settings, ledger_settings
from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id
from gatepost.kernel.operations import Call, Change, Principal, Provider, Publishes
from gatepost.kernel.ports import Credentials, Operations
from gatepost.link.publisher import ServicesLink
from gatepost.security.sealing import Seal
from gatepost.services.acm.provider import AcmProvider
from gatepost.services.apigateway.limits import parse_limits
from gatepost.services.apigateway.provider import ApiGateway
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.services.apigatewayv2.provider import ApiGatewayV2
from gatepost.services.cloudformation.provider import CloudFormation
from gatepost.services.cloudwatch.alarms import AlarmReach
from gatepost.services.cloudwatch.provider import CloudWatchProvider
from gatepost.services.cloudwatch.store import MIGRATIONS as METRIC_MIGRATIONS
from gatepost.services.cloudwatch.store import MetricStore
from gatepost.services.events.provider import EventsProvider
from gatepost.services.events.targets import Reach
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.provider import IamProvider
from gatepost.services.lambda_.provider import LambdaParts, LambdaProvider
from gatepost.services.logs.filters import LogReach
from gatepost.services.logs.provider import LogsProvider
from gatepost.services.logs.store import MIGRATIONS as LOG_MIGRATIONS
from gatepost.services.logs.store import LogStore
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.sessions import Sessions
from gatepost.services.sts.web_identity import WebIdentities
from gatepost.storage import items, records
from gatepost.storage.assets import FileAssets
from gatepost.storage.data_directory import DataDirectory, read_json, write_durably
from gatepost.storage.items import ItemStore
from gatepost.storage.records import SqliteRecords
from gatepost.storage.sealed import SealedRecords, seal_plain
from gatepost.storage.sqlite import Database
from gatepost.templates.acceptance import Acceptance
from gatepost.templates.custom_resources import RESPONSE_BYTES_MAX, ROUTE, CustomResource, CustomResponses
from gatepost.templates.registry import resource_handlers, template_compiler
from gatepost.templates.resources.cloudformation import Named
from gatepost.templates.stacks import Stacks
from gatepost.wire.client import Client
from gatepost.wire.messages import Handler, Request, Response

ADMINISTRATOR_FILE: Final = "administrator.json"


class ServicesCore:
    """Every service of one platform on its stores. `start` opens and loads, `close` closes.

    Raises: SettingsError when a --service or --tables cannot be.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        data: DataDirectory,
        clock: Clock,
        seal: Seal,
        link: ServicesLink,
        client: Client,
        endpoint_url: str,
        gateway_port: int,
        aws_port: int,
    ) -> None:
        self._settings = settings
        self._data = data
        self._seal = seal
        self._gateway_port = gateway_port
        self._databases = _databases(settings, data)
        self._forwarded = [parse_forwarded(name, url) for name, url in settings.service_endpoints]
        self._deliveries, self._objects = forwarded_ports(self._forwarded, client=client, clock=clock)
        store = SqliteRecords(self._databases[0])
        self.assets = FileAssets(data.assets)
        self._asset_sweep = AssetSweep(data.assets, self._databases[0].path, seal, clock)
        self._downloads = CodeDownloads(seal, clock, self.assets, endpoint_url=endpoint_url)
        self.usage = UsageRecords(store, account_id=settings.account_id, region=settings.region)
        self._directory = directory = Directory(seal)
        self._explain = ExplainRoute(link.explanations, data.store)
        self._authorizer = authorizer = Authorizer(directory, self._explain.denials.note)
        sessions = role_sessions(directory, seal, clock, settings)
        self._elsewhere, issuers = IssuersElsewhere(clock), PoolIssuers(self._pool_document, self._identity_keys)
        self._iam = IamProvider(store, directory, link, seal, clock, issuers)
        item_store = ItemStore(self._databases[1], clock)
        self._tables = TableService(settings, item_store, authorizer, clock=clock, seal=seal, endpoint_url=endpoint_url)
        sealed = SealedRecords(store, seal, SEALED_KINDS)
        self._lambda = self._make_lambda(sealed, sessions, link, clock=clock)
        self._make_observing(store, clock)
        operations = LateOperations()
        self._secrets = SecretServices(store, seal, authorizer, self._lambda, clock, operations, self._events)
        self.acm = self._make_acm(store, link, seal, clock=clock)
        self._apigateway = self._make_apigateway(store, link, seal)
        self._user_pools = self._make_user_pools(store, link, clock, operations, (aws_port, endpoint_url))
        self._responses = CustomResponses(lambda: endpoint_url)
        providers: list[Provider] = [
            self._iam,
            StsProvider(directory, sessions, WebIdentities(directory, issuers, clock, self._elsewhere), self._iam.mfa),
            *self._tables.providers,
            self._lambda,
            self._events,
            *self._secrets.providers,
            self.logs,
            self.cloudwatch,
            self.acm,
            self._apigateway,
            ApiGatewayV2(self._apigateway.domain_parts.v2),
            *self._user_pools.providers,
        ]
        self._stacks = self._make_stacks(sealed, operations, sessions, clock=clock)
        self._providers = [*providers, CloudFormation(records=sealed, assets=self.assets, engine=self._stacks)]
        self.dispatcher = operations.dispatcher = self._make_dispatcher(clock)

    def _make_dispatcher(self, clock: Clock) -> Dispatcher:
        settings = self._settings
        return Dispatcher(
            self._providers,
            authorization=self._authorizer,
            clock=clock,
            account_id=settings.account_id,
            region=settings.region,
        )

    def _make_apigateway(self, store: SqliteRecords, link: ServicesLink, seal: Seal) -> ApiGateway:
        settings = self._settings
        made = ApiGateway(
            store,
            link,
            self._authorizer,
            seal,
            certificates=self.acm,
            assets=self.assets,
            objects=self._objects,
            account_throttle=Throttle(settings.account_throttle_rate, settings.account_throttle_burst),
            is_lenient=settings.is_lenient,
            limits=parse_limits(settings.quotas),
            tests=link.tests,
            functions=self._lambda,
        )
        self.acm.used_by(made.domain_parts.certificate_uses)
        return made

    def _make_user_pools(
        self, store: SqliteRecords, link: ServicesLink, clock: Clock, operations: Operations, address: tuple[int, str]
    ) -> UserPools:
        ports = (self._lambda, self.assets, operations, self.acm, self._directory, self._elsewhere)
        parts = UserPoolParts(store, link, self._seal, clock, *ports)
        made = UserPools(self._settings, parts, aws_port=address[0], endpoint_url=address[1])
        self._apigateway.domain_parts.names.beside(made.provider.domain_names)
        made.provider.domain_names.beside(self._apigateway.domain_parts)
        return made

    def _make_acm(self, store: SqliteRecords, link: ServicesLink, seal: Seal, *, clock: Clock) -> AcmProvider:
        settings = self._settings
        authority = load_authority(self._data.authority_key, self._data.tls, settings.tls_names, clock.now_ms())
        names = ["localhost", "*.localhost", "*.execute-api.localhost", f"*.execute-api.{settings.region}.localhost"]
        names += [f"*.{label}.{settings.region}.localhost" for label in ("lambda-url", "auth")]
        names.append(f"*.execute-api.{settings.region}.vpce.localhost")
        names.extend(each for name in settings.tls_names for each in (name, f"*.{name}"))
        made = AcmProvider(store, link, seal, clock, lambda: authority, default_names=names)
        made.tells(self._events)
        made.used_by(lambda: self._user_pools.provider.certificate_uses())  # noqa: PLW0108 made later
        return made

    def _pool_document(self, path: str) -> Mapping[str, Any] | None:
        return self._user_pools.provider.discovery.document(path)  # the pools are made after IAM, which asks for them

    def _identity_keys(self) -> Mapping[str, Any] | None:
        return self._user_pools.identity_pools.jwks()

    def _make_observing(self, store: SqliteRecords, clock: Clock) -> None:
        """Make what measures, logs and announces: each of them tells the next."""
        self.cloudwatch = self._make_cloudwatch(store, clock)
        self.logs = self._make_logs(store, clock)
        self._events = self._make_events(store, clock)

    def _make_cloudwatch(self, records: SqliteRecords, clock: Clock) -> CloudWatchProvider:
        settings = self._settings
        reach = AlarmReach(records, self._lambda, request_id, self._deliveries)
        store = MetricStore(self._databases[3])
        return CloudWatchProvider(store, clock, reach, account_id=settings.account_id, region=settings.region)

    def _make_events(self, store: SqliteRecords, clock: Clock) -> EventsProvider:
        made = EventsProvider(store, Reach(self._lambda, self.logs, self._deliveries), clock)
        self.cloudwatch.alarms.events = made
        return made

    def _make_logs(self, store: SqliteRecords, clock: Clock) -> LogsProvider:
        return LogsProvider(
            LogStore(self._databases[2]),
            clock,
            LogReach(store, self._lambda, self.cloudwatch, self._authorizer, request_id),
            account_id=self._settings.account_id,
            region=self._settings.region,
            permission=self._lambda.log_permission,
        )

    def _make_lambda(
        self, store: SealedRecords, sessions: Sessions, link: ServicesLink, *, clock: Clock
    ) -> LambdaProvider:
        return LambdaProvider(
            LambdaParts(
                records=store,
                publisher=link,
                invoker=link,
                role_sessions=sessions,
                authorization=self._authorizer,
                assets=self.assets,
                functions_dir=self._data.functions,
                runtimes_dir=self._data.runtimes,
                clock=clock,
                new_id=request_id,
                deliveries=self._deliveries,
                streams=self._tables.streams,
                location=self._downloads.location,
                url_suffix=f"localhost:{self._gateway_port}",
                executions_max=self._settings.concurrency,
            )
        )

    def _make_stacks(
        self, store: SealedRecords, operations: LateOperations, sessions: Sessions, *, clock: Clock
    ) -> Stacks:
        settings = self._settings
        return Stacks(
            records=store,
            operations=operations,
            assets=self.assets,
            clock=clock,
            compiler=template_compiler(self._data.cache),
            acceptance=Acceptance(
                is_lenient=settings.is_lenient,
                forwarded=frozenset(name.lower() for name, _ in settings.service_endpoints),
                settings=ledger_settings(tables_url=settings.tables_url, tables_throttled=settings.tables_throttled),
            ),
            handlers=resource_handlers(),
            custom=CustomResource(self._responses),
            named=Named(),
            roles=sessions,
            identities=self._directory,
        )

    def endpoint(self, routes: Sequence[OwnRoute], api_requests: Handler, client: Client) -> AwsEndpoint:
        """Make the AWS endpoint's handler."""
        routes = [*routes, self._explain.route, OwnRoute("GET", code_downloads.ROUTE, self._downloads.handle, None)]
        routes += self._user_pools.routes()
        forwarded = self._forwarded
        return AwsEndpoint(
            self.dispatcher,
            identities=self._directory,
            authorization=self._authorizer,
            hosts=[self._settings.host],
            routes=[*routes, OwnRoute("PUT", ROUTE, self._take_response, None, body_bytes_max=4 * RESPONSE_BYTES_MAX)],
            api_requests=api_requests,
            any_credentials=self.root if self._settings.any_credentials else None,
            forwarder=Forwarder(forwarded, client=client) if forwarded else None,
            documents=self._user_pools.document,
            hosted=self._user_pools.provider.pages,
            note_use=self._iam.uses.note,
        )

    def join(self, link: ServicesLink, endpoint: AwsEndpoint) -> None:
        """Let gateways ask what they need: `endpoint` for operations, Lambda for events, user pools for their pages."""
        dispatcher = self.dispatcher
        link.requests = IntegrationRequests(endpoint, self._directory, dispatcher.clock, dispatcher.models.index)
        link.triggers = self._lambda
        link.pages = self._user_pools

    @property
    def root(self) -> Principal:
        """The account's root."""
        account_id = self._settings.account_id
        return Principal("root", account_id, f"arn:aws:iam::{account_id}:root", account_id, name="root")

    async def start(self) -> None:
        """Open the stores and load what must be in memory. Raises: SettingsError, StoreUnavailable."""
        for database in self._databases:
            await database.open()
        await seal_plain(self._databases[0], self._seal, SEALED_KINDS)
        await self._iam.start()
        await self.acm.start()
        await self._tables.start()
        await asyncio.get_running_loop().run_in_executor(None, self.assets.recover)
        await self._lambda.start()
        await self._events.start()
        await self._user_pools.start()
        await self._secrets.start()
        await self.logs.start()
        await self.cloudwatch.start()
        await self.usage.load()
        self._asset_sweep.start()
        await self._keep_administrator()

    async def resume(self) -> None:
        """Go on with stack operations that were interrupted; to be called once a gateway may be there."""
        await self._stacks.resume()

    async def close(self) -> None:
        """Stop what runs and close the stores."""
        self._explain.close()
        await self._asset_sweep.close()
        await self._stacks.close()
        await self._secrets.close()
        await self._elsewhere.close()
        await self._events.close()
        await self._user_pools.close()
        await self._lambda.close()
        await self.logs.close()
        await self.cloudwatch.close()
        await self._tables.close()
        await self._iam.close()
        for database in reversed(self._databases):
            await database.close()

    def take_readiness(self, ready: Mapping[str, Mapping[str, Any]]) -> None:
        """Hear from the gateway which provisioned workers stand ready."""
        self._lambda.take_readiness(ready)

    async def published(self) -> list[Change]:
        """Give everything that a gateway should hold."""
        changes: list[Change] = []
        for provider in self._providers:
            if isinstance(provider, Publishes):
                changes.extend(await provider.published())
        return changes

    async def _keep_administrator(self) -> None:
        """Make the administrator's key at the first start, or the same one again after a reset."""
        path = self._data.path / ADMINISTRATOR_FILE
        told = read_json(path)
        given = None
        if told is not None:
            if self._directory.knows(told["access_key_id"]):
                return
            given = Credentials(told["access_key_id"], told["secret_access_key"])
        key = await self._iam.create_administrator_key(self._settings.account_id, given=given)
        if given is None:
            content = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
            write_durably(path, json.dumps(content, indent=2).encode() + b"\n", mode=0o600)

    def _take_response(self, request: Request, call: Call) -> Response:
        del call
        return self._responses.handle(request)


def _databases(settings: Settings, data: DataDirectory) -> tuple[Database, ...]:
    durability = settings.durability
    return (
        Database(data.store / "records.db", durability=durability, migrations=records.MIGRATIONS),
        Database(
            data.store / "items.db",
            durability=durability,
            migrations=items.MIGRATIONS,
            repair=f"`gatepost tables salvage --data {settings.data_dir}` makes it anew of what can be read",
        ),
        Database(data.store / "telemetry.db", durability="process", migrations=LOG_MIGRATIONS),
        Database(data.store / "metrics.db", durability="process", migrations=METRIC_MIGRATIONS),
    )


class LateOperations:
    """Operations for the engine, which is itself behind one of the services that they reach."""

    def __init__(self) -> None:
        self.dispatcher: Dispatcher | None = None

    async def invoke(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Run one operation. See `kernel.ports.Operations`."""
        assert self.dispatcher is not None
        return await self.dispatcher.invoke(*arguments, **options)
