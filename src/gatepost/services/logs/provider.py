"""CloudWatch Logs' operations: groups, streams, events, retention and tags."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable, StoreUnavailable
from gatepost.kernel.operations import Access, Call, Principal, operation, tag_context
from gatepost.kernel.paging import page_token
from gatepost.kernel.tasks import Tasks
from gatepost.services.logs import events as reading
from gatepost.services.logs.absent import AbsentOperations
from gatepost.services.logs.account_operations import AccountOperations
from gatepost.services.logs.filter_operations import FilterOperations
from gatepost.services.logs.filter_pattern import compile_pattern
from gatepost.services.logs.filter_words import regex
from gatepost.services.logs.filters import METRIC_FILTER, LogFilters, LogReach
from gatepost.services.logs.model import (
    BATCH_BYTES_MAX,
    BATCH_EVENTS_MAX,
    DAY_MS,
    EVENT_AGE_MS_MAX,
    EVENT_AHEAD_MS_MAX,
    EVENT_BYTES_MAX,
    EVENT_OVERHEAD_BYTES,
    PAGE_BYTES_MAX,
    PAGE_EVENTS_MAX,
    RETENTION_DAYS,
    TAGS_MAX,
    GroupName,
    InvalidParameterException,
    ResourceNotFoundException,
    TooManyTagsException,
    check_stream_name,
    group_of,
)
from gatepost.services.logs.names import group_key
from gatepost.services.logs.paging import decode_token, encode_token, start_of, time_range
from gatepost.services.logs.queries import Queries
from gatepost.services.logs.query_operations import QueryOperations
from gatepost.services.logs.store import Group, LogStore, Stream

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

SCANNED_EVENTS_MAX: Final = 20_000  # of one FilterLogEvents call: then an empty page with a token, as on AWS
SCANNED_GROUPS: Final = 1_000  # of one read
CLEANING_PAUSE_S: Final = 30.0
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "kmsKeyId": "events are not encrypted with a key of yours; leave it out",
    "deletionProtectionEnabled": "deletion protection is not supported; leave it out",
    "accountIdentifiers": "there are no linked accounts; leave it out",
    "includeLinkedAccounts": "there are no linked accounts; leave it out",
    "unmask": "there is no data protection; leave it out",
    "entity": "entities are not supported; leave it out",
}


class LogPermission(Protocol):
    """Whether those who log from within (functions) may."""

    def may_log(self, group: GroupName, log_stream: str, *, is_new_group: bool) -> bool:
        """Say whether events of a stream are taken. AWS drops what a function's role does not let it write."""
        ...


class LogsProvider(AbsentOperations, AccountOperations, FilterOperations, QueryOperations):
    """CloudWatch Logs. Call `start` once the store is open, `close` before it is closed."""

    service = "logs"

    def __init__(
        self,
        store: LogStore,
        clock: Clock,
        reach: LogReach,
        *,
        account_id: str,
        region: str,
        permission: LogPermission | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._reach = reach
        self.filters = LogFilters(reach, clock)
        self.policies = {}
        self.queries = Queries(store, self._kept_since)
        self._account_id = account_id
        self._region = region
        self._permission = permission
        self._tasks = Tasks("logs")
        self.refused_events = 0  # of functions whose role may not log
        self.lost_events = 0  # that the store did not take

    async def start(self) -> None:
        """Read filters and policies, and begin to delete what outlives its retention. Raises: StoreUnavailable."""
        await self.filters.load()
        await self.load_policies()
        self._tasks.spawn(self._clean_for_ever(), name="retention")

    async def close(self) -> None:
        """End the background work."""
        await self.queries.close()
        await self._tasks.close()

    async def _clean_for_ever(self) -> None:
        while True:
            await self.clean()
            await asyncio.sleep(CLEANING_PAUSE_S)

    async def clean(self) -> None:
        """Delete everything that outlived its retention, and the oldest events over the store's bound."""
        try:
            while await self._store.delete_expired(self._clock.now_ms()):
                pass
        except StoreUnavailable as error:
            log.warning("old log events not deleted", extra={"error": str(error)})

    async def ingest(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Take what functions said: `{"group": name or ARN, "stream": …, "events": [[timestamp_ms, message], …]}`.

        Groups and streams are made as needed. What cannot be kept is counted, never raised: observers fail open.
        """
        entries = []
        for part in batch:
            key = group_of(part["group"], account_id=self._account_id, region=self._region)
            events = [(int(at_ms), str(message)) for at_ms, message in part["events"]]
            if key is None or not self._may_log(key, part["stream"]):
                self.refused_events += len(events)
                continue
            entries.append((key, part["stream"], events))
        try:
            await self._store.ingest(entries, now_ms=self._clock.now_ms())
        except StoreUnavailable as error:
            self.lost_events += sum(len(events) for _, _, events in entries)
            log.warning("log events lost", extra={"error": str(error)})
            return
        for key, stream, events in entries:
            await self.filters.apply(key, stream, events)

    async def deliver(self, group_arn: str, log_stream: str, message: str, *, service: str, source_arn: str) -> None:
        """Write one line for a service that a resource policy lets in. See `kernel.sinks.LogDelivery`."""
        key = group_of(group_arn, account_id=self._account_id, region=self._region)
        if key is None or self._store.group(key) is None:
            raise ResourceNotFoundException("The specified log group does not exist.")
        now_ms = self._clock.now_ms()
        caller = Principal("service", key.account_id, "", "", name=service)
        for action in ("CreateLogStream", "PutLogEvents"):
            call = Call("logs", action, key.account_id, key.region, caller, "", now_ms)
            resource = f"{key.arn}:log-stream:{log_stream}"
            policy = self.merged_policy(key.account_id, key.region)
            context = {"aws:sourcearn": source_arn, "aws:sourceaccount": key.account_id}
            self._reach.authorization.check(call, Access(f"logs:{action}", resource, context, policy))
        try:
            await self._store.ingest([(key, log_stream, [(now_ms, message)])], now_ms=now_ms)
        except StoreUnavailable as error:
            raise ServiceUnavailable("The log store does not answer") from error
        await self.filters.apply(key, log_stream, [(now_ms, message)])

    def _may_log(self, key: GroupName, stream: str) -> bool:
        if self._permission is None:
            return True
        return self._permission.may_log(key, stream, is_new_group=self._store.group(key) is None)

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
        """
        several = params.get("logGroupNames") or params.get("logGroupIdentifiers")
        if call.operation == "StartQuery" and several:
            return tuple(access for name in several for access in self.access(call, {"logGroupIdentifier": name}))
        text = params.get("logGroupName") or params.get("logGroupIdentifier") or params.get("resourceArn")
        key = group_of(text, account_id=call.account_id, region=call.region) if isinstance(text, str) else None
        action = f"logs:{call.operation}"
        if key is None:
            return (Access(action, call.arn("log-group::log-stream:", service="logs")),)
        # As AWS's refusals name it: the group's ARN with an empty stream; tag operations name the bare group.
        stream = params.get("logStreamName", "")
        resource = key.arn if call.operation in _BARE_OPERATIONS else f"{key.arn}:log-stream:{stream}"
        tags, removed = params.get("tags", {}), params.get("tagKeys", ())
        if call.operation == "UntagLogGroup":  # there "tags" are keys
            tags, removed = {}, tags
        context = tag_context(tags.items(), removed)
        return (Access(action, resource, context, self.merged_policy(call.account_id, call.region)),)

    # --- groups ------------------------------------------------------------------------------------------------

    @operation("CreateLogGroup")
    async def create_log_group(self, call: Call, params: Params) -> Answer:
        """Make a log group. Raises: InvalidParameterException, ResourceAlreadyExistsException."""
        _refuse(params)
        if params.get("logGroupClass", "STANDARD") != "STANDARD":
            raise InvalidParameterException("logGroupClass is not supported by Gatepost but for STANDARD")
        tags = _checked_tags(params.get("tags", {}))
        await self._store.create_group(self._key(call, params), now_ms=self._clock.now_ms(), tags=tags)
        return {}

    @operation("DeleteLogGroup")
    async def delete_log_group(self, call: Call, params: Params) -> Answer:
        """Delete a log group with its events. Raises: ResourceNotFoundException."""
        key = self._key(call, params)
        async with self.filters.changing:
            await self._store.delete_group(key)
            await self.filters.drop_group(key)
        return {}

    @operation("DescribeLogGroups")
    def describe_log_groups(self, call: Call, params: Params) -> Answer:
        """Describe log groups by name, at most 50 at a time. Raises: InvalidParameterException."""
        _refuse(params)
        prefix, infix = params.get("logGroupNamePrefix", ""), params.get("logGroupNamePattern", "")
        if prefix and infix:
            raise InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive")
        if params.get("logGroupIdentifiers"):
            keys = [self._key(call, {"logGroupIdentifier": one}) for one in params["logGroupIdentifiers"]]
            return {"logGroups": [self._shown(group) for key in keys if (group := self._store.group(key))]}
        if params.get("logGroupClass", "STANDARD") != "STANDARD":
            return {"logGroups": []}
        count = params.get("limit") or 50
        after = start_of(params.get("nextToken"), "")
        found = self._store.groups(
            call.account_id, call.region, after=after, count=count + 1, prefix=prefix, infix=infix
        )
        answer: Answer = {"logGroups": [self._shown(group) for group in found[:count]]}
        if len(found) > count:
            answer["nextToken"] = page_token(found[count - 1].name)
        return answer

    @operation("ListLogGroups")
    def list_log_groups(self, call: Call, params: Params) -> Answer:
        """Give names, ARNs and classes of log groups whose names match a regular expression, at most 1,000 at a time.

        Raises: InvalidParameterException.
        """
        _refuse(params)
        for name in ("dataSources", "fieldIndexNames", "logGroupTags"):
            if params.get(name):
                raise InvalidParameterException(f"{name} is not supported by Gatepost: leave it out")
        if params.get("logGroupClass", "STANDARD") != "STANDARD":
            return {"logGroups": []}
        count = params.get("limit") or 50
        after = start_of(params.get("nextToken"), "")
        pattern = params.get("logGroupNamePattern") or ""
        matches = regex(f"%{pattern}%") if pattern else lambda _: True
        found: list[Group] = []
        while len(found) <= count:
            read = self._store.groups(
                call.account_id, call.region, after=after, count=SCANNED_GROUPS, prefix="", infix=""
            )
            found.extend(group for group in read if matches(group.name))
            if len(read) < SCANNED_GROUPS:
                break
            after = read[-1].name
        answer: Answer = {
            "logGroups": [
                {"logGroupName": group.name, "logGroupArn": group.key.arn, "logGroupClass": "STANDARD"}
                for group in found[:count]
            ]
        }
        if len(found) > count:
            answer["nextToken"] = page_token(found[count - 1].name)
        return answer

    def _shown(self, group: Group) -> Answer:
        return _group_to_aws(group) | {"metricFilterCount": len(self.filters.of(group.key, METRIC_FILTER))}

    @operation("PutRetentionPolicy")
    async def put_retention_policy(self, call: Call, params: Params) -> Answer:
        """Set for how many days events are kept. Raises: InvalidParameterException, ResourceNotFoundException."""
        days = params["retentionInDays"]
        if days not in RETENTION_DAYS:
            raise InvalidParameterException(f"Invalid retention value. Valid values are: {list(RETENTION_DAYS)}")
        await self._store.set_retention(self._key(call, params), days)
        return {}

    @operation("DeleteRetentionPolicy")
    async def delete_retention_policy(self, call: Call, params: Params) -> Answer:
        """Keep events for ever. Raises: ResourceNotFoundException."""
        await self._store.set_retention(self._key(call, params), None)
        return {}

    # --- streams -----------------------------------------------------------------------------------------------

    @operation("CreateLogStream")
    async def create_log_stream(self, call: Call, params: Params) -> Answer:
        """Make a stream. Raises: ResourceNotFoundException, ResourceAlreadyExistsException."""
        check_stream_name(params["logStreamName"])
        key = self._key(call, params)
        await self._store.create_stream(key, params["logStreamName"], now_ms=self._clock.now_ms())
        return {}

    @operation("DeleteLogStream")
    async def delete_log_stream(self, call: Call, params: Params) -> Answer:
        """Delete a stream with its events. Raises: ResourceNotFoundException."""
        await self._store.delete_stream(self._key(call, params), params["logStreamName"])
        return {}

    @operation("DescribeLogStreams")
    def describe_log_streams(self, call: Call, params: Params) -> Answer:
        """Describe streams by name or by their last event. Raises: InvalidParameterException."""
        group = self._group(call, params)
        prefix, order = params.get("logStreamNamePrefix", ""), params.get("orderBy", "LogStreamName")
        if prefix and order == "LastEventTime":
            raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
        found = self._store.streams(group, prefix=prefix)
        if order == "LastEventTime":
            found.sort(key=lambda stream: (stream.last_ms or 0, stream.name))
        if params.get("descending"):
            found.reverse()
        count = params.get("limit") or 50
        start = start_of(params.get("nextToken"), 0)
        answer: Answer = {"logStreams": [_stream_to_aws(group, one) for one in found[start : start + count]]}
        if len(found) > start + count:
            answer["nextToken"] = page_token(start + count)
        return answer

    # --- events ------------------------------------------------------------------------------------------------

    @operation("PutLogEvents")
    async def put_log_events(self, call: Call, params: Params) -> Answer:
        """Write events to a stream. Sequence tokens are not asked for, as on AWS since 2023.

        Raises: InvalidParameterException, ResourceNotFoundException.
        """
        _refuse(params)
        events = [(event["timestamp"], event["message"]) for event in params["logEvents"]]
        _check_batch(events)
        group = self._group(call, params)
        now_ms = self._clock.now_ms()
        expired_before_ms = now_ms - group.retention_days * DAY_MS if group.retention_days else 0
        rejected: dict[str, int] = {}
        kept = []
        for index, (at_ms, message) in enumerate(events):
            if at_ms > now_ms + EVENT_AHEAD_MS_MAX:
                rejected.setdefault("tooNewLogEventStartIndex", index)
            elif at_ms < now_ms - EVENT_AGE_MS_MAX:
                rejected["tooOldLogEventEndIndex"] = index + 1
            elif at_ms < expired_before_ms:
                rejected["expiredLogEventEndIndex"] = index + 1
            else:
                kept.append((at_ms, message))
        if kept:
            await self._store.put(group.key, params["logStreamName"], kept, now_ms=now_ms)
            await self.filters.apply(group.key, params["logStreamName"], kept)
        elif self._store.stream(group, params["logStreamName"]) is None:
            raise ResourceNotFoundException("The specified log stream does not exist.")
        answer: Answer = {"nextSequenceToken": f"{now_ms:056d}"}
        if rejected:
            answer["rejectedLogEventsInfo"] = rejected
        return answer

    @operation("GetLogEvents")
    def get_log_events(self, call: Call, params: Params) -> Answer:
        """Give a page of a stream: the newest, unless `startFromHead` or a token says otherwise.

        A token that comes back unchanged means that there is nothing more in its direction.
        Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
        """
        _refuse(params)
        group = self._group(call, params)
        stream = self._store.stream(group, params["logStreamName"])
        if stream is None:
            raise ResourceNotFoundException("The specified log stream does not exist.")
        from_ms, to_ms = time_range(params, is_end_inclusive=False)
        from_ms = max(from_ms, self._kept_since(group))
        token = params.get("nextToken")
        if token:
            direction, place = decode_token(token)
        else:
            direction, place = ("f", reading.START) if params.get("startFromHead") else ("b", reading.END)
        if direction == "f":
            lowest = max(from_ms, place.timestamp_ms)
            chunks = self._store.chunks_forward(group=group, stream=stream, from_ms=lowest, to_ms=to_ms)
            found = _page(reading.forward(chunks, place), from_ms, to_ms, params.get("limit"))
        else:
            highest = min(to_ms, place.timestamp_ms + 1)
            chunks = self._store.chunks_backward(group=group, stream=stream, from_ms=from_ms, to_ms=highest)
            found = _page(reading.backward(chunks, place), from_ms, to_ms, params.get("limit"))
            found.reverse()
        newest = found[-1].place if found else place
        oldest = found[0].place if found else place
        return {
            "events": [_event_to_aws(event) for event in found],
            "nextForwardToken": encode_token("f", newest),
            "nextBackwardToken": encode_token("b", oldest),
        }

    @operation("FilterLogEvents")
    def filter_log_events(self, call: Call, params: Params) -> Answer:
        """Give a page of a group's events that match a pattern, oldest first.

        A page may be empty and still have a token: at most 20,000 events are looked at for one call.
        Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        """
        _refuse(params)
        if params.get("startFromHead") is False:
            raise InvalidParameterException(
                "startFromHead false is not supported by Gatepost: events come oldest first"
            )
        group = self._group(call, params)
        matches = compile_pattern(params.get("filterPattern", ""))
        from_ms, to_ms = time_range(params, is_end_inclusive=True)
        from_ms = max(from_ms, self._kept_since(group))
        names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix", "")
        if names and prefix:
            raise InvalidParameterException("logStreamNames and logStreamNamePrefix are mutually exclusive")
        stream = self._only_stream(group, names)
        place = reading.START
        if params.get("nextToken"):
            _, place = decode_token(params["nextToken"])
        lowest = max(from_ms, place.timestamp_ms)
        chunks = self._store.chunks_forward(group=group, stream=stream, from_ms=lowest, to_ms=to_ms)
        wanted = set(names or ())
        taken = (
            chunk for chunk in chunks if (not wanted or chunk.stream in wanted) and chunk.stream.startswith(prefix)
        )
        limit = min(params.get("limit") or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX)
        answer: Answer = {"events": [], "searchedLogStreams": []}
        found_bytes = scanned = 0
        for event in reading.forward(taken, place):
            if event.place.timestamp_ms >= to_ms:
                break
            if len(answer["events"]) >= limit or found_bytes >= PAGE_BYTES_MAX or scanned >= SCANNED_EVENTS_MAX:
                answer["nextToken"] = encode_token("f", place)
                break
            place, scanned = event.place, scanned + 1
            if event.place.timestamp_ms >= from_ms and matches(event.message):
                found_bytes += len(event.message)
                answer["events"].append(_filtered_to_aws(event))
        return answer

    def _only_stream(self, group: Group, names: Sequence[str] | None) -> Stream | None:
        """Give the stream when exactly one is asked for: its own index is faster. Raises: ResourceNotFoundException."""
        streams = [self._store.stream(group, name) for name in names or ()]
        if None in streams:
            raise ResourceNotFoundException("The specified log stream does not exist.")
        return streams[0] if len(streams) == 1 else None

    def _kept_since(self, group: Group) -> int:
        return self._clock.now_ms() - group.retention_days * DAY_MS if group.retention_days else 0

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a group. Raises: ResourceNotFoundException, TooManyTagsException."""
        group = self._group(call, params)
        await self._store.set_tags(group.key, _checked_tags({**group.tags, **params["tags"]}))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        group = self._group(call, params)
        left = {name: value for name, value in group.tags.items() if name not in params["tagKeys"]}
        await self._store.set_tags(group.key, left)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a group's tags. Raises: ResourceNotFoundException."""
        return {"tags": self._group(call, params).tags}

    @operation("TagLogGroup")
    async def tag_log_group(self, call: Call, params: Params) -> Answer:
        """Do what TagResource does, by name."""
        return await self.tag_resource(call, params)

    @operation("UntagLogGroup")
    async def untag_log_group(self, call: Call, params: Params) -> Answer:
        """Do what UntagResource does, by name."""
        return await self.untag_resource(call, {**params, "tagKeys": params["tags"]})

    @operation("ListTagsLogGroup")
    def list_tags_log_group(self, call: Call, params: Params) -> Answer:
        """Give a group's tags, by name."""
        return self.list_tags_for_resource(call, params)

    # --- names -------------------------------------------------------------------------------------------------

    _key = staticmethod(group_key)

    def _group(self, call: Call, params: Params) -> Group:
        group = self._store.group(self._key(call, params))
        if group is None:
            raise ResourceNotFoundException("The specified log group does not exist.")
        return group


_BARE_OPERATIONS: Final = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})


def _refuse(params: Params) -> None:
    for name, reason in _UNSUPPORTED.items():
        if params.get(name):
            raise InvalidParameterException(f"{name} is not supported by Gatepost: {reason}")


def _checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > TAGS_MAX:
        raise TooManyTagsException(f"A log group has at most {TAGS_MAX} tags, not {len(tags)}")
    if reserved := [name for name in tags if name.lower().startswith("aws:")]:
        raise InvalidParameterException(f"Tag keys may not begin with aws:, such as {reserved[0]!r}")
    return dict(tags)


def _check_batch(events: Sequence[tuple[int, str]]) -> None:
    if len(events) > BATCH_EVENTS_MAX:
        raise InvalidParameterException(f"A batch has at most {BATCH_EVENTS_MAX} log events, not {len(events)}")
    sizes = [len(message.encode()) + EVENT_OVERHEAD_BYTES for _, message in events]
    if sizes and max(sizes) > EVENT_BYTES_MAX:
        raise InvalidParameterException(f"Log event too large: {max(sizes)} bytes exceeds limit of {EVENT_BYTES_MAX}")
    if sum(sizes) > BATCH_BYTES_MAX:
        raise InvalidParameterException(f"Upload too large: {sum(sizes)} bytes exceeds limit of {BATCH_BYTES_MAX}")
    if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(events)):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    if events and events[-1][0] - events[0][0] > DAY_MS:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )


def _page(
    events: Iterator[reading.StoredEvent], from_ms: int, to_ms: int, limit: int | None
) -> list[reading.StoredEvent]:
    found: list[reading.StoredEvent] = []
    size = 0
    count = min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX)
    for event in events:
        if not from_ms <= event.place.timestamp_ms < to_ms:
            continue
        size += len(event.message) + EVENT_OVERHEAD_BYTES
        if found and size > PAGE_BYTES_MAX:
            break
        found.append(event)
        if len(found) >= count:
            break
    return found


def _event_to_aws(event: reading.StoredEvent) -> Answer:
    return {
        "timestamp": event.place.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingested_at_ms,
    }


def _filtered_to_aws(event: reading.StoredEvent) -> Answer:
    place = event.place
    event_id = f"{place.timestamp_ms:020d}{place.chunk:024d}{place.line:012d}"
    return {**_event_to_aws(event), "logStreamName": event.stream, "eventId": event_id}


def _group_to_aws(group: Group) -> Answer:
    answer: Answer = {
        "logGroupName": group.name,
        "creationTime": group.created_at_ms,
        "metricFilterCount": 0,
        "arn": f"{group.key.arn}:*",
        "logGroupArn": group.key.arn,
        "storedBytes": group.stored_bytes,
        "logGroupClass": "STANDARD",
    }
    if group.retention_days:
        answer["retentionInDays"] = group.retention_days
    return answer


def _stream_to_aws(group: Group, stream: Stream) -> Answer:
    answer: Answer = {
        "logStreamName": stream.name,
        "creationTime": stream.created_at_ms,
        "arn": f"{group.key.arn}:log-stream:{stream.name}",
        "storedBytes": 0,  # deprecated for streams: AWS says 0 since 2019
    }
    if stream.last_ms is not None:
        answer |= {
            "firstEventTimestamp": stream.first_ms,
            "lastEventTimestamp": stream.last_ms,
            "lastIngestionTime": stream.ingested_at_ms,
            "uploadSequenceToken": f"{stream.ingested_at_ms:056d}",
        }
    return answer
