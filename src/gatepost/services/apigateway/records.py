"""Reading and changing the records of REST APIs: by id or not found, one change at a time, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, RecordKey
from gatepost.services.apigateway.deployment import Deployment, deployment_from_json
from gatepost.services.apigateway.documentation_model import DOCUMENTATION_VERSION, DocumentationVersion
from gatepost.services.apigateway.limits import AWS_LIMITS, ApiLimits
from gatepost.services.apigateway.model import (
    CLIENT_CERTIFICATE,
    DEFINITION,
    DEPLOYMENT,
    DEPLOYMENT_CONTENT,
    NO_CERTIFICATE,
    REST_API,
    STAGE,
    BadRequestException,
    ConflictException,
    Definition,
    DeploymentHead,
    NotFoundException,
    RestApi,
    Stage,
)
from gatepost.services.apigateway.paging import limit_of, position_after, position_of
from gatepost.storage.base import Record, Records, Write

ATTEMPTS_MAX: Final = 5

Value = TypeVar("Value")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Held(Generic[Value]):
    """A value as it was read, with the key and version to write it back with."""

    key: RecordKey
    version: int
    value: Value


class ApiRecords:
    """The records of REST APIs.

    Changes of one API follow each other (`changing`), so that what is published is published in the order
    of its commits. Another process is kept out by the versions: an attempt that meets a `VersionConflict`
    reads again, at most `ATTEMPTS_MAX` times.
    """

    def __init__(self, records: Records, limits: ApiLimits = AWS_LIMITS) -> None:
        self.store = records
        self.limits = limits
        self._turns: WeakValueDictionary[RecordKey, asyncio.Lock] = WeakValueDictionary()

    async def changing(self, call: Call, api_id: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Run `attempt` alone among the changes of an API, again when its records changed underneath it.

        Raises: ConflictException, and what `attempt` raises.
        """
        async with self._turn(call.key(REST_API, api_id)):
            for _ in range(ATTEMPTS_MAX):
                try:
                    return await attempt()
                except VersionConflict:
                    continue
        raise ConflictException("Unable to complete operation due to concurrent modification. Please try again later.")

    async def change_definition(
        self, call: Call, api_id: str, change: Callable[[Definition], tuple[Definition, Result]]
    ) -> Result:
        """Replace an API's definition by what `change` makes of it, and give what else `change` gives.

        Raises: NotFoundException, ConflictException, and what `change` raises.
        """

        async def attempt() -> Result:
            held = await self.definition(call, api_id)
            definition, result = change(held.value)
            await self.store.put(held.key, definition.to_json(), expected_version=held.version)
            return result

        return await self.changing(call, api_id, attempt)

    async def api(self, call: Call, api_id: str) -> Held[RestApi]:
        """Give an API's settings. Raises: NotFoundException."""
        record = await self.store.get(call.key(REST_API, api_id))
        return _held(record, RestApi.from_json, no_api(call, api_id))

    async def definition(self, call: Call, api_id: str) -> Held[Definition]:
        """Give an API's resources, models and gateway responses. Raises: NotFoundException."""
        record = await self.store.get(call.key(DEFINITION, api_id))
        return _held(record, Definition.from_json, no_api(call, api_id))

    async def deployment(self, call: Call, api_id: str, deployment_id: str) -> Held[DeploymentHead]:
        """Give a deployment's head. Raises: NotFoundException."""
        record = await self.store.get(call.key(DEPLOYMENT, f"{api_id}/{deployment_id}"))
        return _held(record, DeploymentHead.from_json, "Invalid Deployment identifier specified")

    async def content(self, call: Call, api_id: str, deployment_id: str) -> Deployment:
        """Give a deployment's frozen content. Raises: NotFoundException."""
        record = await self.store.get(call.key(DEPLOYMENT_CONTENT, f"{api_id}/{deployment_id}"))
        return _held(record, deployment_from_json, "Invalid Deployment identifier specified").value

    async def documentation_version(self, call: Call, api_id: str, version: str) -> Held[DocumentationVersion]:
        """Give a documentation version with its parts. Raises: NotFoundException."""
        record = await self.store.get(call.key(DOCUMENTATION_VERSION, f"{api_id}/{version}"))
        return _held(record, DocumentationVersion.from_json, "Invalid Documentation version specified")

    async def check_client_certificate(self, call: Call, certificate_id: str) -> None:
        """Check that a client certificate exists. Raises: BadRequestException."""
        if await self.store.get(call.key(CLIENT_CERTIFICATE, certificate_id)) is None:
            raise BadRequestException(NO_CERTIFICATE)

    async def stage(self, call: Call, api_id: str, stage_name: str) -> Held[Stage]:
        """Give a stage. Raises: NotFoundException."""
        record = await self.store.get(call.key(STAGE, f"{api_id}/{stage_name}"))
        return _held(record, Stage.from_json, "Invalid stage identifier specified")

    async def stages(self, call: Call, api_id: str) -> list[Held[Stage]]:
        """Give all stages of an API, by name."""
        return [_held(each, Stage.from_json, "") for each in await self.all_of(call, STAGE, f"{api_id}/")]

    async def all_of(self, call: Call, kind: str, prefix: str) -> list[Record]:
        """Give all records of a kind whose id starts with `prefix`."""
        found: list[Record] = []
        after = ""
        while True:
            page = await self.store.page(kind, call.account_id, call.region, prefix=prefix, after=after)
            found.extend(page)
            if not page:
                return found
            after = page[-1].key.id

    async def page(
        self, call: Call, kind: str, params: Mapping[str, Any], *, prefix: str = ""
    ) -> tuple[list[Record], dict[str, str]]:
        """Give the page of records that `limit` and `position` ask for, by id, with the answer's `position`, if any.

        What stands behind `prefix` in a record's id is the item's own. Raises: BadRequestException.
        """
        limit, after = limit_of(params), position_of(params)
        found = await self.store.page(
            kind,
            call.account_id,
            call.region,
            prefix=prefix,
            after=f"{prefix}{after}" if after else "",
            count_max=limit + 1,
        )
        page = found[:limit]
        return page, position_after(page[-1].key.id.removeprefix(prefix)) if len(found) > limit else {}

    @asynccontextmanager
    async def _turn(self, key: RecordKey) -> AsyncIterator[None]:
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        async with lock:
            yield


def no_api(call: Call, api_id: str) -> str:
    """Give AWS's sentence for an API that is not there."""
    return f"Invalid API identifier specified {call.account_id}:{api_id}"


def touch(held: Held[Any], value: dict[str, Any]) -> Write:
    """Write back what is there: the commit fails when it was changed or deleted since it was read."""
    return Write(held.key, value, held.version)


def _held(record: Record | None, read: Callable[[dict[str, Any]], Value], missing: str) -> Held[Value]:
    if record is None:
        raise NotFoundException(missing)
    return Held(record.key, record.version, read(record.value))
