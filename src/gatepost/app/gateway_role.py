"""The gateway role: the public listener, the plans, the function workers, and the link's receiving end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gatepost.app.child import Orders, inherited_socket, run_role
from gatepost.app.gateway_journals import GatewayJournals
from gatepost.app.gateway_place import GatewayPlace
from gatepost.app.listeners import local_host, url_of
from gatepost.app.role_sessions import role_sessions
from gatepost.app.trusted_files import trust_variables
from gatepost.app.usage_limits import UsageLimits
from gatepost.awsapi.authorization import Authorizer
from gatepost.gateway.backend_certificates import BackendCertificates
from gatepost.gateway.backends.cache import CacheParts
from gatepost.gateway.custom_domains import CustomDomains
from gatepost.gateway.function_urls import FunctionUrlDoor, FunctionUrlParts
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.method_tests import GatewayMethodTests
from gatepost.gateway.observers import RequestLog
from gatepost.gateway.parts import Parts
from gatepost.gateway.plan import ObserverFailures
from gatepost.gateway.plans import ActivePlans
from gatepost.gateway.pool_pages import PoolDomains
from gatepost.gateway.private_gateway import PrivateGateway
from gatepost.gateway.refusal_log import FILE_BYTES_MAX as REFUSALS_BYTES_MAX
from gatepost.gateway.refusal_log import FILES_KEPT as REFUSALS_KEPT
from gatepost.gateway.refusal_log import RefusalLog
from gatepost.gateway.request_ids import RequestIds
from gatepost.gateway.server import Gateway, refuse
from gatepost.gateway.tls_names import TlsNames
from gatepost.gateway.upstream_calls import HttpProxyParts
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.gateway.user_pools import UserPools
from gatepost.gateway.vpc_endpoints import VpcEndpoints
from gatepost.kernel.clock import Clock, SystemClock
from gatepost.kernel.ids import random_id
from gatepost.kernel.tasks import Tasks
from gatepost.link.subscriber import GatewayLink, LocalReplica
from gatepost.security.peer_certificates import problem_with, unverified_context
from gatepost.security.sealing import KEY_VARIABLE, Seal, load_key
from gatepost.services.cloudwatch.model import TOPIC as METRIC_STORE
from gatepost.services.iam.directory import TOPIC as PRINCIPAL
from gatepost.services.iam.directory import Directory
from gatepost.services.lambda_.grants import FunctionGrants
from gatepost.services.lambda_.runner.debugging import LONG_MS
from gatepost.services.lambda_.runner.places import SharedPlaces
from gatepost.services.lambda_.runner.runner import FunctionRunner
from gatepost.services.lambda_.runner.starter import RunnerParts
from gatepost.storage.assets import FileAssets
from gatepost.storage.data_directory import DataDirectory, write_durably
from gatepost.telemetry.metric_outbox import MetricOutbox
from gatepost.telemetry.metrics import Metrics
from gatepost.telemetry.outbox import LogOutbox
from gatepost.telemetry.rotating_file import RotatingFile
from gatepost.wire.client import Client
from gatepost.wire.limits import ListenerLimits
from gatepost.wire.server import Server

TELEMETRY_EVERY_S: Final = 0.1
FIGURES_EVERY: Final = 10  # figures go with every tenth batch of log lines
MINUTE_BATCHES: Final = 10  # of metrics at once, so that services stays free for others; the rest waits a second
# AWS: a URL may have 10,240 characters, and so may the request line and the header values together.
LIMITS: Final = ListenerLimits(target_bytes_max=10_240)


class GatewayRole:
    """Every object of the role, built once, in order."""

    def __init__(self, orders: Orders, *, clock: Clock) -> None:
        settings = orders.settings
        self._orders = orders
        self._settings = settings
        self._clock = clock
        self._tasks = Tasks("gateway")
        data = DataDirectory(settings.data_dir.absolute())
        place = self._place = GatewayPlace(data, orders.number, settings.workers)
        place.prepare()
        seal = self._seal = Seal(load_key(data.path / "seal.key", os.environ.pop(KEY_VARIABLE, "")))
        self._replica = LocalReplica(place.folder / "snapshot", seal, write_durably)
        self._link = GatewayLink(
            orders.link_path,
            gateway_id=place.gateway_id,
            replica=self._replica,
            usage_acknowledged=self._acknowledged,
            connected=self._connected,
        )
        self._usage = GatewayJournals(place, clock, self._link.send_usage)
        self._limits = UsageLimits(
            settings, seal=seal, clock=clock, journal=self._usage.own, state_path=orders.state_path
        )
        self._logs = LogOutbox()
        directory = self._directory = Directory(seal)
        self._grants = FunctionGrants()
        self._sessions = role_sessions(directory, seal, clock, settings)
        self._runner = self._make_runner(data)
        self._link.invoker = self._runner
        self._access_log = RotatingFile(place.folder / "access.log")
        refusals = place.folder / "refusals.log"
        self._refusal_file = RotatingFile(refusals, file_bytes_max=REFUSALS_BYTES_MAX, files_kept=REFUSALS_KEPT)
        self._request_log = RequestLog(self._access_log.put, self._refusal_file.put)
        self._link.explain = RefusalLog(refusals, self._request_log).find
        self._metrics = Metrics()
        self._ready_sent: dict[str, Any] = {}
        self._minutes = MetricOutbox(self._metrics, source=random_id(12))
        ids, policy = RequestIds(), AddressPolicy()
        self._client = Client(clock=clock, allow_address=policy)
        self._unverified_client = _unverified_client(clock, policy)
        self._certificates = _certificates(seal, clock, policy)
        self._pools = UserPools(clock)
        parts = self._make_parts(ids, policy)
        self._tls_names = TlsNames(seal)
        self._domains = CustomDomains()
        self._pool_domains = PoolDomains(self._link.calls)
        self._plans = ActivePlans(parts)
        self._link.tests = GatewayMethodTests(parts, ids)
        self._function_urls = self._make_function_urls(ids)
        self._server = Server(
            self._make_gateway(parts, ids),
            limits=LIMITS,
            refuse=refuse,
            clock=clock,
            needs_tasks=False,
        )

        self._private_server = Server(
            self._make_private_gateway(parts, ids), limits=LIMITS, refuse=refuse, clock=clock, needs_tasks=False
        )

    def _make_gateway(self, parts: Parts, ids: RequestIds) -> Gateway:
        return Gateway(
            self._plans,
            parts,
            ids=ids,
            clock=self._clock,
            function_urls=self._function_urls,
            domains=self._domains,
            pool_domains=self._pool_domains,
        )

    def _make_private_gateway(self, parts: Parts, ids: RequestIds) -> PrivateGateway:
        endpoints = VpcEndpoints(self._settings.vpc_endpoints)
        return PrivateGateway(
            self._plans, parts, ids=ids, clock=self._clock, domains=self._domains, vpc_endpoints=endpoints
        )

    def _make_runner(self, data: DataDirectory) -> FunctionRunner:
        runner = FunctionRunner(
            RunnerParts(
                clock=self._clock,
                role_sessions=self._sessions,
                logs=self._logs,
                assets=FileAssets(data.assets),
                functions_dir=self._place.functions,
                runtimes_dir=data.runtimes,
                cache_dir=self._place.cache,
                trust=data.tls,
                trusting=lambda folder: trust_variables(data.tls, folder),
                endpoint_url=url_of(local_host(self._settings), self._orders.ports[2]),
                settings=self._place.runner_settings(
                    concurrency=self._settings.concurrency,
                    scaling=self._settings.concurrency_scaling,
                    function=self._settings.debug_function,
                    port=self._settings.debug_port,
                ),
            )
        )
        if (state := self._limits.state) is not None:
            runner.places = SharedPlaces(state, random_id(16), self._clock, self._tasks)
        return runner

    def _make_function_urls(self, ids: RequestIds) -> FunctionUrlDoor:
        return FunctionUrlDoor(
            FunctionUrlParts(
                clock=self._clock,
                tasks=self._tasks,
                invoker=self._runner,
                new_id=ids.next,
                signatures=SignatureParts(self._directory, Authorizer(self._directory)),
            )
        )

    def _make_parts(self, ids: RequestIds, policy: AddressPolicy) -> Parts:
        return Parts(
            clock=self._clock,
            tasks=self._tasks,
            invoker=self._runner,
            new_id=ids.next,
            metrics=self._metrics,
            request_log=self._request_log,
            failures=ObserverFailures(),
            signatures=SignatureParts(self._directory, Authorizer(self._directory)),
            certificates=self._certificates,
            http=HttpProxyParts(
                self._client,
                self._clock,
                policy=policy,
                unverified_client=self._unverified_client,
                own_listener=self._own_listener,
            ),
            usage=self._usage.own.counter,
            grants=self._grants,
            role_sessions=self._sessions,
            pools=self._pools,
            keys=self._limits.keys,
            limits=self._limits.stages,
            cache=CacheParts(self._limits.shared, self._seal, is_shared=self._limits.state is not None),
            services=self._link.calls,
            triggers=self._link.calls,
            logs=self._logs,
            invocation_ms_min=LONG_MS if self._settings.debug_function else 0,
        )

    async def start(self) -> None:
        """Take up what was known last, connect to services, serve. Raises: SettingsError."""
        os.close(self._orders.sockets[2])  # the AWS endpoint's, which is not ours
        self._limits.load(self._usage.open())
        has_snapshot = self._replica.load()
        self._replica.watch(PRINCIPAL, self._directory.apply_change)
        self._runner.watch(self._replica)
        self._grants.watch(self._replica)
        self._pools.watch(self._replica)
        self._function_urls.watch(self._replica)
        self._replica.watch(METRIC_STORE, self._minutes.follow)
        self._limits.follow(self._replica)
        await self._limits.start()
        self._certificates.follow(self._replica)
        self._plans.follow(self._replica)
        self._tls_names.follow(self._replica)
        self._domains.follow(self._replica)
        self._pool_domains.follow(self._replica)
        self._link.start()
        if not has_snapshot:
            await self._link.synchronised.wait()
        self._usage.start()
        await self._open_doors()
        self._link.serving()
        self._tasks.spawn(self._send_telemetry(), name="telemetry")
        self._runner.warm()

    async def _open_doors(self) -> None:
        """Serve at our listeners, and help out at those of the other gateway processes."""
        for number, doors in enumerate(self._orders.gateway_doors(), start=1):
            public, private, tls = (inherited_socket(listener) for listener in doors)
            if number == self._place.number:
                await self._server.serve(public)
                await self._private_server.serve(private, tls_or_plain=self._tls_names.find_private)
                await self._server.serve(tls, tls=self._tls_names.find)
            else:
                self._server.help_out(public)
                self._private_server.help_out(private, tls_or_plain=self._tls_names.find_private)
                self._server.help_out(tls, tls=self._tls_names.find)

    async def stop(self) -> dict[str, int]:
        """Let running requests finish, end every worker, and give how many requests were cut off."""
        cut_off = sum(
            await asyncio.gather(
                self._server.drain(self._settings.drain_ms), self._private_server.drain(self._settings.drain_ms)
            )
        )
        await self._runner.close()
        await self._tasks.close()
        self._request_log.flush()
        self._send_logs()
        self._send_minutes()
        await self._limits.close()
        await self._usage.close()
        await self._link.close()
        await self._replica.close()
        await self._client.close()
        await self._unverified_client.close()
        await self._certificates.close()
        self._access_log.close()
        self._refusal_file.close()
        return {"cut_off": cut_off}

    def _connected(self) -> None:
        self._ready_sent = {}
        self._usage.connected()
        self._minutes.reconnected()

    def _acknowledged(self, gateway_id: str, number: int) -> None:
        self._usage.acknowledge(gateway_id, number)

    def _own_listener(self, api_id: str) -> tuple[str, int] | None:
        if api_id in self._plans.private:
            return local_host(self._settings), self._orders.ports[1]
        return (local_host(self._settings), self._orders.ports[0]) if api_id in self._plans.apis else None

    async def _send_telemetry(self) -> None:
        """Send log lines as they come and figures once a second, for ever."""
        rounds = 0
        while True:
            await asyncio.sleep(TELEMETRY_EVERY_S)
            self._send_logs()
            rounds += 1
            self._send_readiness()
            if rounds % FIGURES_EVERY:
                continue
            self._send_minutes()
            if self._link.can_send:
                self._tell({"figures": self._figures()})

    def _tell(self, batch: dict[str, Any]) -> bool:
        """Send figures with the name of this process, and say whether they left."""
        return self._link.send_telemetry({**batch, "gateway": self._place.gateway_id, "pid": os.getpid()})

    def _send_readiness(self) -> None:
        """Say which provisioned workers stand ready, when that has changed or services is new."""
        ready = self._runner.readiness()
        if ready != self._ready_sent and self._link.can_send and self._tell({"provisioned": ready}):
            self._ready_sent = ready

    def _send_logs(self) -> None:
        while self._link.can_send and (batch := self._logs.take()):
            if not self._link.send_telemetry({"logs": batch}):
                self._logs.give_back(batch)
                return

    def _send_minutes(self) -> None:
        self._minutes.collect(self._clock.now_ms())
        for _ in range(MINUTE_BATCHES):
            if not self._link.can_send or (batch := self._minutes.take()) is None:
                return
            if not self._link.send_telemetry({"metrics": batch}):
                self._minutes.give_back(batch)
                return

    def _figures(self) -> list[dict[str, Any]]:
        """Give the figures since the start, for each stage."""
        found = []
        for dimensions, figures in self._metrics.snapshot().items():
            if not dimensions.stage or dimensions.method:
                continue
            found.append(
                {
                    "key": [dimensions.api_id, dimensions.stage],
                    "usage_key": f"{dimensions.api_id}/{dimensions.stage}",
                    "api": dimensions.api_name,
                    "api_id": dimensions.api_id,
                    "stage": dimensions.stage,
                    "count": figures.count,
                    "4xx": figures.client_errors,
                    "5xx": figures.server_errors,
                    "latency_p50_ms": figures.latency.percentile_us(50) / 1000,
                    "latency_p99_ms": figures.latency.percentile_us(99) / 1000,
                    "integration_latency_p50_ms": figures.integration_latency.percentile_us(50) / 1000,
                }
            )
        return found


def _certificates(seal: Seal, clock: Clock, policy: AddressPolicy) -> BackendCertificates:
    return BackendCertificates(seal, lambda context: Client(clock=clock, allow_address=policy, tls=context))


def _unverified_client(clock: Clock, policy: AddressPolicy) -> Client:
    """Make the client of integrations that take a certificate of any issuer (insecureSkipVerification)."""
    return Client(
        clock=clock,
        allow_address=policy,
        tls=unverified_context(),
        check_certificate=lambda shown, host: problem_with(shown, host, clock.now_ms()),
    )


async def serve(orders: Orders, stopping: asyncio.Event) -> Callable[[], Awaitable[dict[str, int]]]:
    """Start the role and give what stops it."""
    role = GatewayRole(orders, clock=SystemClock())
    starting = asyncio.ensure_future(role.start())
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if starting.done():
        starting.result()
    return role.stop


if __name__ == "__main__":
    run_role(serve)
