"""The operations on archives and replays.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation
from gatepost.services.events.archives import Archive, Archives, Replay, chosen, one_filter
from gatepost.services.events.buses import Buses
from gatepost.services.events.paging import page

Params = Mapping[str, Any]
Answer = dict[str, Any]


class ArchiveOperations:
    """Mixed into the provider, which sets these."""

    archives: Archives
    _buses: Buses

    @operation("CreateArchive")
    async def create_archive(self, call: Call, params: Params) -> Answer:
        """Keep a bus's events from now on, all or those that match a pattern.

        Raises: ResourceNotFoundException, ResourceAlreadyExistsException, InvalidEventPatternException.
        """
        bus = self._buses.named(call, params["EventSourceArn"])
        return _made(await self.archives.create(call, params, bus.arn))

    @operation("UpdateArchive")
    async def update_archive(self, call: Call, params: Params) -> Answer:
        """Change pattern, retention or description. Raises: ResourceNotFoundException, InvalidEventPatternException."""
        return _made(await self.archives.update(call, params))

    @operation("DescribeArchive")
    def describe_archive(self, call: Call, params: Params) -> Answer:
        """Describe an archive. Raises: ResourceNotFoundException."""
        archive = self.archives.find(call, params["ArchiveName"])
        answer = {"ArchiveArn": archive.arn, **archive.to_aws()}
        optional = {"Description": archive.description, "EventPattern": archive.pattern}
        return {**answer, **{name: value for name, value in optional.items() if value}}

    @operation("ListArchives")
    def list_archives(self, call: Call, params: Params) -> Answer:
        """Give the archives by name: all, or by prefix, bus or state. Raises: ValidationException."""
        one_filter("ListArchives", params)
        found = chosen([one.to_aws() for one in self.archives.of_region(call)], "ArchiveName", params)
        by_name = {item["ArchiveName"]: item for item in found}
        names, token = page(list(by_name), params)
        return {"Archives": [by_name[name] for name in names], **token}

    @operation("DeleteArchive")
    async def delete_archive(self, call: Call, params: Params) -> Answer:
        """Delete an archive with its events. Raises: ResourceNotFoundException."""
        await self.archives.delete(call, params["ArchiveName"])
        return {}

    @operation("StartReplay")
    async def start_replay(self, call: Call, params: Params) -> Answer:
        """Give an archive's events of a time to the rules of its bus again.

        Raises: ValidationException, ResourceAlreadyExistsException, LimitExceededException.
        """
        replay = await self.archives.replay(call, params)
        return {"ReplayArn": replay.arn, "State": replay.state, "ReplayStartTime": replay.started_at_ms}

    @operation("DescribeReplay")
    def describe_replay(self, call: Call, params: Params) -> Answer:
        """Describe a replay. Raises: ResourceNotFoundException."""
        return _described(self.archives.find_replay(call, params["ReplayName"]))

    @operation("ListReplays")
    def list_replays(self, call: Call, params: Params) -> Answer:
        """Give the replays by name: all, or by prefix, archive or state. Raises: ValidationException."""
        one_filter("ListReplays", params)
        found = chosen([one.to_aws() for one in self.archives.replays_of_region(call)], "ReplayName", params)
        by_name = {item["ReplayName"]: item for item in found}
        names, token = page(list(by_name), params)
        return {"Replays": [by_name[name] for name in names], **token}

    @operation("CancelReplay")
    async def cancel_replay(self, call: Call, params: Params) -> Answer:
        """Stop a replay. Raises: ResourceNotFoundException, IllegalStatusException."""
        replay = await self.archives.cancel(call, params["ReplayName"])
        return {"ReplayArn": replay.arn, "State": "CANCELLING"}


def _made(archive: Archive) -> Answer:
    return {"ArchiveArn": archive.arn, "State": "ENABLED", "CreationTime": archive.created_at_ms}


def _described(replay: Replay) -> Answer:
    destination: Answer = {"Arn": replay.bus_arn}
    if replay.rules:
        destination["FilterArns"] = list(replay.rules)
    answer = {"ReplayArn": replay.arn, **replay.to_aws(), "Destination": destination}
    return {**answer, "Description": replay.description} if replay.description else answer
