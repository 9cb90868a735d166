"""The services role: the core behind the AWS endpoint's listener, and the link's publishing end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatepost.app.child import Orders, inherited_socket, run_role
from gatepost.app.forwarding import ApiForwarder
from gatepost.app.listeners import local_host, url_of
from gatepost.app.own_routes import own_routes
from gatepost.app.platform_state import PlatformState
from gatepost.app.services_core import ServicesCore
from gatepost.awsapi.listener import AWS_LIMITS, refuse
from gatepost.awsapi.server import AwsEndpoint
from gatepost.config import LOOPBACK_HOSTS
from gatepost.kernel.clock import Clock, SystemClock
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.link.publisher import ServicesLink
from gatepost.security.sealing import KEY_VARIABLE, Seal, load_key
from gatepost.storage.data_directory import DataDirectory
from gatepost.wire.client import Client
from gatepost.wire.messages import Request, Response
from gatepost.wire.server import Server

log = logging.getLogger(__name__)

EMPTIED_BY_RESET: Final = ("store", "assets")
RENEW_EVERY_S: Final = 6 * 3600.0


class ServicesRole:
    """The role's process: `start` serves, `stop` drains and closes."""

    def __init__(self, orders: Orders, *, clock: Clock) -> None:
        settings = self._settings = orders.settings
        self._orders = orders
        self._clock = clock
        self._tasks = Tasks("services")
        self._data = DataDirectory(settings.data_dir.absolute())
        self._seal = Seal(load_key(self._data.path / "seal.key", os.environ.pop(KEY_VARIABLE, "")))
        self._link = ServicesLink(take_usage=self._take_usage, take_telemetry=self._take_telemetry)
        self._state = PlatformState(
            lambda: self._link.gateways, templates={str(path): "waiting" for path in settings.templates}
        )
        self._client = Client(clock=clock)
        self._forwarder = ApiForwarder(self._client, host=local_host(settings), port=orders.ports[0])
        self._core = self._new_core()
        self._endpoint = self._new_endpoint()
        self._server = Server(
            self._answer,
            limits=AWS_LIMITS,
            refuse=refuse,
            clock=clock,
            body_bytes_max=self._body_bytes_max,
            needs_tasks=False,  # no operation asks for its current task: see kernel.tasks.Driven
        )

    async def start(self) -> None:
        """Open the stores, load what must be in memory, serve. Raises: SettingsError, StoreUnavailable."""
        for listener in [listener for doors in self._orders.gateway_doors() for listener in doors]:
            os.close(listener)  # the gateways', which are not ours
        await self._core.start()
        self._link.load(await self._core.published())
        await self._link.serve(self._orders.link_path)
        self._server.handler = self._endpoint
        await self._server.serve(inherited_socket(self._orders.sockets[2]))
        self._tasks.spawn(self._core.resume(), name="resume stacks")
        self._tasks.spawn(self._renew_certificates(), name="renew certificates")

    async def stop(self) -> dict[str, int]:
        """Let running operations finish, close everything, and give how many requests were cut off."""
        cut_off = await self._server.drain(self._settings.drain_ms)
        await self._tasks.close()
        await self._link.close()
        await self._client.close()
        await self._core.close()
        return {"cut_off": cut_off}

    async def _renew_certificates(self) -> None:
        """Look for certificates to renew, for ever; what fails is tried again the next time."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await self._core.acm.renew_due()
            except (ServiceError, StoreUnavailable) as error:
                log.error("certificates not renewed", extra={"error": str(error)})

    def _new_core(self) -> ServicesCore:
        return ServicesCore(
            self._settings,
            data=self._data,
            clock=self._clock,
            seal=self._seal,
            link=self._link,
            client=self._client,
            gateway_port=self._orders.ports[0],
            aws_port=self._orders.ports[2],
            endpoint_url=url_of(local_host(self._settings), self._orders.ports[2]),
        )

    def _new_endpoint(self) -> AwsEndpoint:
        reset = self._reset if self._settings.is_ephemeral else None
        routes = own_routes(
            self._state,
            self._core.assets,
            describe=self._describe,
            reset=reset,
            is_loopback=self._settings.host in LOOPBACK_HOSTS,
        )
        endpoint = self._core.endpoint(routes, self._forwarder, self._client)
        self._core.join(self._link, endpoint)
        return endpoint

    def _answer(self, request: Request) -> Any:
        return self._endpoint(request)

    def _body_bytes_max(self, request: Request) -> int:
        return self._endpoint.body_bytes_max(request)

    async def _reset(self) -> None:
        """Go back to an empty platform: new stores, a new core; the administrator's key stays."""
        self._server.handler = _resetting
        await self._core.close()
        for name in EMPTIED_BY_RESET:
            shutil.rmtree(self._data.path / name, ignore_errors=True)
        self._data.prepare()
        self._core = self._new_core()
        self._endpoint = self._new_endpoint()
        await self._core.start()
        await self._link.replace(await self._core.published())
        self._server.handler = self._endpoint

    async def _take_usage(self, gateway_id: str, number: int, batch: Mapping[str, Any]) -> None:
        await self._core.usage.take(gateway_id, number, batch)

    async def _take_telemetry(self, batch: Mapping[str, Any]) -> None:
        if "logs" in batch:
            await self._core.logs.ingest(batch["logs"])
        if "metrics" in batch:
            await self._core.cloudwatch.ingest(batch["metrics"])
        if "figures" in batch:
            self._state.take_figures(batch["gateway"], batch["pid"], batch["figures"])
        if "provisioned" in batch:
            self._core.take_readiness(self._state.take_readiness(batch["gateway"], batch["provisioned"]))

    async def _describe(self) -> dict[str, Any]:
        """Give what `gatepost status` shows."""
        counts = self._core.usage.counts()
        apis = [{**figures, "count_ever": counts.get(figures["usage_key"], 0)} for figures in self._state.apis()]
        found = await self._core.dispatcher.invoke(self._core.root, "cloudformation", "DescribeStacks", {})
        stacks = [
            {
                "name": stack["StackName"],
                "status": stack["StackStatus"],
                "changed_at_ms": stack.get("LastUpdatedTime", stack["CreationTime"]),
            }
            for stack in found.get("Stacks", [])
        ]
        return {
            "roles": [
                {"role": "services", "state": "ready", "pid": os.getpid()},
                *self._state.gateway_roles(self._link.serving, self._settings.workers),
            ],
            "stacks": stacks,
            "apis": apis,
        }


def _resetting(request: Request) -> Response:
    del request
    return Response(503, [(b"content-type", b"application/json")], b'{"status":"resetting"}')


async def serve(orders: Orders, stopping: asyncio.Event) -> Callable[[], Awaitable[dict[str, int]]]:
    """Start the role and give what stops it."""
    del stopping
    role = ServicesRole(orders, clock=SystemClock())
    await role.start()
    return role.stop


if __name__ == "__main__":
    run_role(serve)
