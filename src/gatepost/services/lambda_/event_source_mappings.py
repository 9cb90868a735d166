"""Event source mappings by operations: from streams of DynamoDB tables to functions. Other sources are refused.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.operations import Access, Call, RecordKey
from gatepost.kernel.ports import Authorization, ChangeStreams, FunctionInvoker, StreamChange
from gatepost.kernel.tasks import Tasks
from gatepost.languages.event_patterns import BadPattern, compile_pattern
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.destinations import Destinations
from gatepost.services.lambda_.log_permission import role_session
from gatepost.services.lambda_.model import Function, ResourceConflictException, ResourceNotFoundException
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.shelf import Shelf
from gatepost.services.lambda_.stream_lane import Lane, LaneParts, record_of
from gatepost.services.lambda_.stream_mapping import MAPPING, POSITION, StreamMapping
from gatepost.storage.base import Records

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

FILTERS_MAX: Final = 5
WINDOW_S_MAX: Final = 300
BATCH_MAX: Final = 10_000
DESTINATION_SERVICES: Final = ("sqs", "sns", "s3")
READ_ACTIONS: Final = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
_REFUSED: Final = (
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "KMSKeyArn",
    "LoggingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Tags",
    "Topics",
    "TumblingWindowInSeconds",
)


@dataclass(frozen=True, slots=True)
class MappingParts:
    """What mappings need."""

    catalogue: Catalogue
    records: Records
    destinations: Destinations
    authorization: Authorization
    streams: ChangeStreams | None
    invoker: FunctionInvoker
    clock: Clock
    new_id: Callable[[], str]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


class EventSourceMappings:
    """CreateEventSourceMapping and its like, and the lanes that read. Call `start` once, `close` at the end."""

    def __init__(self, parts: MappingParts) -> None:
        self._parts = parts
        self._mappings: Shelf[StreamMapping] = Shelf(MAPPING, StreamMapping.from_json)
        self._running: dict[str, _Running] = {}

    async def start(self) -> None:
        """Read the mappings and go on where they were."""
        await self._mappings.load(self._parts.records)
        for mapping in self._mappings.all():
            await self._run(mapping)

    async def close(self) -> None:
        """Stop reading; positions are stored."""
        for uuid in list(self._running):
            await self._stop(uuid)

    # --- operations --------------------------------------------------------------------------------------------

    async def create(self, call: Call, params: Params) -> Answer:
        """Map a stream to a function. Raises: InvalidParameterValueException, ResourceConflictException."""
        source_arn = params.get("EventSourceArn", "")
        parsed = parse_arn(source_arn)
        if parsed is None or parsed.service != "dynamodb" or "/stream/" not in parsed.resource:
            raise bad(f"EventSourceArn {source_arn!r} is not supported by Gatepost: use a DynamoDB stream's ARN")
        starting = params.get("StartingPosition", "")
        if starting not in ("LATEST", "TRIM_HORIZON"):
            raise bad(f"StartingPosition {starting!r} is not valid for DynamoDB streams: use LATEST or TRIM_HORIZON")
        target = self._parts.catalogue.target(call, params["FunctionName"])
        for one in self._mappings.all():
            if (one.source_arn, one.function_arn) == (source_arn, target.arn):
                raise ResourceConflictException(
                    f'The event source arn (" {source_arn} ") and function (" {target.function.name} ") provided '
                    f"mapping already exists. Please update or delete the existing mapping with UUID {one.uuid}",
                    members={"Type": "User"},
                )
        now_ms = self._parts.clock.now_ms()
        uuid = self._parts.new_id()
        blank = StreamMapping(
            uuid=uuid,
            arn=call.arn(f"event-source-mapping:{uuid}"),
            function_arn=target.arn,
            source_arn=source_arn,
            created_at_ms=now_ms,
            modified_at_ms=now_ms,
            starting_position=starting,
        )
        mapping = self._configured(blank, target.function, params)
        self._check_source(target.function, source_arn)
        await self._parts.catalogue.commit(self._mappings.adding(mapping))
        await self._run(mapping)
        return self._to_aws(mapping)

    async def update(self, call: Call, params: Params) -> Answer:
        """Change a mapping; what is not given stays. Raises: ResourceNotFoundException, InvalidParameter…."""
        old = self._named(call, params)
        target = self._parts.catalogue.target(call, params.get("FunctionName") or old.function_arn)
        blank = replace(old, function_arn=target.arn, modified_at_ms=self._parts.clock.now_ms())
        new = self._configured(blank, target.function, params)
        self._check_source(target.function, new.source_arn)
        await self._parts.catalogue.commit(self._mappings.replacing(old, new))
        await self._stop(old.uuid)
        await self._run(new)
        return self._to_aws(new)

    def get(self, call: Call, params: Params) -> Answer:
        """Describe a mapping. Raises: ResourceNotFoundException."""
        return self._to_aws(self._named(call, params))

    async def delete(self, call: Call, params: Params) -> Answer:
        """Delete a mapping. A batch that is under way may still run. Raises: ResourceNotFoundException."""
        mapping = self._named(call, params)
        answer = self._to_aws(mapping) | {"State": "Deleting"}
        await self._parts.catalogue.commit(self._mappings.deleting(mapping))
        await self._stop(mapping.uuid)
        await self._parts.records.delete(_position_key(mapping))
        return answer

    def list(self, call: Call, params: Params) -> Answer:
        """Give the mappings of the region, of one stream or of one function."""
        prefix = call.arn("event-source-mapping:")
        found = [one for one in self._mappings.all() if one.arn.startswith(prefix)]
        if source := params.get("EventSourceArn"):
            found = [one for one in found if one.source_arn == source]
        if name := params.get("FunctionName"):
            arn = self._parts.catalogue.target(call, name).arn
            found = [one for one in found if one.function_arn == arn]
        chosen, marker = page(sorted(found, key=lambda one: one.uuid), params, lambda one: one.uuid)
        return {"EventSourceMappings": [self._to_aws(one) for one in chosen], **marker}

    def _named(self, call: Call, params: Params) -> StreamMapping:
        found = self._mappings.find(call.arn(f"event-source-mapping:{params['UUID']}"))
        if found is None:
            raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})
        return found

    def _configured(self, mapping: StreamMapping, function: Function, params: Params) -> StreamMapping:
        for name in _REFUSED:
            if params.get(name):
                raise bad(f"{name} is not supported by Gatepost for DynamoDB streams: leave it out")
        changes = _numbers(params)
        if params.get("Enabled") is not None:
            changes["is_enabled"] = params["Enabled"]
        if params.get("BisectBatchOnFunctionError") is not None:
            changes["does_bisect"] = params["BisectBatchOnFunctionError"]
        if "FunctionResponseTypes" in params:
            changes["reports_failures"] = "ReportBatchItemFailures" in params["FunctionResponseTypes"]
        if "FilterCriteria" in params:
            changes["filters"] = _filters(params["FilterCriteria"])
        given = (params.get("DestinationConfig") or {}).get("OnFailure")
        if (params.get("DestinationConfig") or {}).get("OnSuccess"):
            raise bad("DestinationConfig.OnSuccess does not apply to event source mappings: leave it out")
        if given is not None:
            arn = changes["on_failure"] = given.get("Destination") or ""
            if arn:
                if arn.split(":")[2:3] and arn.split(":")[2] not in DESTINATION_SERVICES:
                    raise bad(f"DestinationConfig.OnFailure {arn}: use a queue, a topic or a bucket")
                self._parts.destinations.check(function, arn, what="DestinationConfig.OnFailure")
        changed = replace(mapping, **changes)
        if changed.batch_size > 1000 and not changed.window_s:
            raise bad(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 1000"
            )
        return changed

    def _check_source(self, function: Function, source_arn: str) -> None:
        streams = self._parts.streams
        if streams is None or streams.start(source_arn, since_ms=None) is None:
            raise bad(f"Stream not found: {source_arn}")
        if self.may_read(function, source_arn):
            raise bad(
                f"Cannot access stream {source_arn}. Please ensure the role can perform the GetRecords, "
                "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM."
            )

    def may_read(self, function: Function, source_arn: str) -> str:
        """Give why a function's role may not read a stream; empty when it may."""
        call = Call(
            service="dynamodb",
            operation="GetRecords",
            account_id=function.account_id,
            region=function.region,
            principal=role_session(function),
            request_id="",
            now_ms=self._parts.clock.now_ms(),
        )
        try:
            for action in READ_ACTIONS:
                # ListStreams is about all streams of the table.
                arn = f"{source_arn.rpartition('/')[0]}/*" if action == "ListStreams" else source_arn
                self._parts.authorization.check(call, Access(f"dynamodb:{action}", arn))
        except AccessDeniedException as error:
            return error.message
        return ""

    # --- lanes -------------------------------------------------------------------------------------------------

    async def _run(self, mapping: StreamMapping) -> None:
        streams = self._parts.streams
        if streams is None or not mapping.is_enabled:
            return
        running = _Running(mapping, self._parts, self)
        self._running[mapping.uuid] = running
        await running.start(streams)

    async def _stop(self, uuid: str) -> None:
        running = self._running.pop(uuid, None)
        if running is not None:
            await running.tasks.close()

    def function_of(self, mapping: StreamMapping) -> Function | None:
        """Give the function that a mapping invokes, or None when it is gone."""
        parts = mapping.function_arn.split(":")
        target = self._parts.catalogue.find_target(":".join(parts[:7]), parts[7] if len(parts) == 8 else "")
        return target.function if target is not None else None

    def _to_aws(self, mapping: StreamMapping) -> Answer:
        running = self._running.get(mapping.uuid)
        answer: Answer = {
            "UUID": mapping.uuid,
            "EventSourceMappingArn": mapping.arn,
            "EventSourceArn": mapping.source_arn,
            "FunctionArn": mapping.function_arn,
            "StartingPosition": mapping.starting_position,
            "BatchSize": mapping.batch_size,
            "MaximumBatchingWindowInSeconds": mapping.window_s,
            "ParallelizationFactor": mapping.lanes,
            "MaximumRetryAttempts": mapping.retries_max,
            "MaximumRecordAgeInSeconds": mapping.age_s_max,
            "BisectBatchOnFunctionError": mapping.does_bisect,
            "TumblingWindowInSeconds": 0,
            "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.reports_failures else [],
            "DestinationConfig": {"OnFailure": {"Destination": mapping.on_failure} if mapping.on_failure else {}},
            "LastModified": mapping.modified_at_ms,
            "LastProcessingResult": running.result if running is not None else "No records processed",
            "State": "Enabled" if mapping.is_enabled else "Disabled",
            "StateTransitionReason": "User action",
        }
        if mapping.filters:
            answer["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in mapping.filters]}
        return answer


class _Running:
    """A mapping that reads: its lanes, and what they share (`stream_lane.LaneKeeper`)."""

    def __init__(self, mapping: StreamMapping, parts: MappingParts, mappings: EventSourceMappings) -> None:
        self.mapping = mapping
        self.tasks = Tasks(f"mapping {mapping.uuid}")
        self.result = "No records processed"
        self._parts = parts
        self._mappings = mappings
        self._positions: list[int] = []

    async def start(self, streams: ChangeStreams) -> None:
        """Begin where the mapping was, or where it says. Raises: StoreUnavailable."""
        mapping = self.mapping
        record = await self._parts.records.get(_position_key(mapping))
        if record is not None:
            held: list[int] = record.value["positions"]
            # With another number of lanes keys move between them: all begin where the last one was.
            self._positions = held if len(held) == mapping.lanes else [min(held)] * mapping.lanes
        else:
            since_ms = 0 if mapping.starting_position == "TRIM_HORIZON" else None
            position = streams.start(mapping.source_arn, since_ms=since_ms) or 0
            self._positions = [position] * mapping.lanes
            await self._store()
        tests = [compile_pattern(pattern) for pattern in mapping.filters]
        parts = LaneParts(streams, self._parts.invoker, self._parts.clock, self._parts.pause, self._parts.new_id)
        for number, position in enumerate(self._positions):
            lane = Lane(
                mapping,
                number,
                position,
                parts=parts,
                keeper=self,
                fits=lambda record: not tests or any(test(record) for test in tests),
            )
            self.tasks.spawn(lane.run(), name=f"lane {number}")

    def may_read(self) -> str:
        """Give why the function's role may not read the stream; empty when it may."""
        function = self._mappings.function_of(self.mapping)
        if function is None:
            return f"Function not found: {self.mapping.function_arn}"
        return self._mappings.may_read(function, self.mapping.source_arn)

    async def keep(self, lane: int, position: int) -> None:
        """Store where a lane is. Raises: StoreUnavailable."""
        self._positions[lane] = position
        await self._store()

    async def _store(self) -> None:
        value = {"positions": list(self._positions)}
        await self._parts.records.put(_position_key(self.mapping), value, expected_version=None)

    def tell(self, result: str) -> None:
        """Hear what came of the last step."""
        self.result = result

    async def discard(self, batch: Sequence[StreamChange], condition: str, tries: int, result: Any, shard: str) -> None:
        """Send what is given up to the mapping's destination."""
        mapping = self.mapping
        told = {"mapping": mapping.uuid, "condition": condition, "records": len(batch)}
        log.warning("stream records given up", extra=told)
        function = self._mappings.function_of(mapping)
        if not mapping.on_failure or function is None:
            return
        request_id = self._parts.new_id()
        now_ms = self._parts.clock.now_ms()
        body = record_of(
            mapping,
            batch,
            condition=condition,
            tries=tries,
            result=result,
            shard=shard,
            request_id=request_id,
            now_ms=now_ms,
        )
        key = f"aws/lambda/{mapping.uuid}/{shard}/{body['timestamp'][:10].replace('-', '/')}/{request_id}"
        try:
            await self._parts.destinations.send_body(function, mapping.on_failure, body, object_key=key)
        except ServiceError as error:
            log.warning("record not sent", extra={"destination": mapping.on_failure, "error": error.message})


def _position_key(mapping: StreamMapping) -> RecordKey:
    parts = mapping.arn.split(":")
    return RecordKey(POSITION, parts[4], parts[3], mapping.uuid)


def _filters(criteria: Mapping[str, Any]) -> tuple[str, ...]:
    patterns = [str(one.get("Pattern") or "{}") for one in criteria.get("Filters") or ()]
    if len(patterns) > FILTERS_MAX:
        raise bad(f"FilterCriteria has at most {FILTERS_MAX} filters, not {len(patterns)}")
    for pattern in patterns:
        try:
            compile_pattern(pattern)
        except BadPattern as error:
            raise bad(f"Invalid filter pattern definition. {error}: {orjson.dumps(pattern).decode()}") from error
    return tuple(patterns)


def _numbers(params: Params) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, field, least, most in (
        ("BatchSize", "batch_size", 1, BATCH_MAX),
        ("MaximumBatchingWindowInSeconds", "window_s", 0, WINDOW_S_MAX),
        ("ParallelizationFactor", "lanes", 1, 10),
        ("MaximumRetryAttempts", "retries_max", -1, 10_000),
        ("MaximumRecordAgeInSeconds", "age_s_max", -1, 604_800),
    ):
        value = params.get(name)
        if value is not None:
            if not least <= value <= most or (field == "age_s_max" and 0 <= value < 60):
                raise bad(f"{name} {value} is not between {least} and {most}")
            changes[field] = value
    return changes
