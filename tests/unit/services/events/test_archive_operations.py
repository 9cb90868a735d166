"""Archives keep a bus's events, and replays give them to its rules again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gatepost.kernel.errors import StoreUnavailable
from gatepost.services.events.archives import DAY_MS
from gatepost.services.events.paging import page
from tests.unit.services.events.test_provider import ACCOUNT, FUNCTION, Control, an_entry, refusal, with_events

BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
ARCHIVE = f"arn:aws:events:us-east-1:{ACCOUNT}:archive/all"


async def settled(aws: Control, name: str) -> dict[str, Any]:
    for _ in range(200):
        found = await aws("DescribeReplay", ReplayName=name)
        if found["State"] not in ("STARTING", "RUNNING"):
            return found
        await asyncio.sleep(0.005)
    raise AssertionError(found)


async def three_events(aws: Control) -> None:
    await aws("CreateArchive", ArchiveName="all", EventSourceArn=BUS, EventPattern='{"source":["shop"]}')
    for number in range(3):
        await aws("PutEvents", Entries=[an_entry(Detail=json.dumps({"id": number})), an_entry(Source="other")])
        aws.clock.advance(ms=1_000)


async def a_rule_for_all(aws: Control, name: str = "r") -> str:
    arn = (await aws("PutRule", Name=name, EventPattern='{"source":[{"exists":true}]}'))["RuleArn"]
    await aws("PutTargets", Rule=name, Targets=[{"Id": "t", "Arn": f"{FUNCTION}-{name}"}])
    return arn


def replayed(aws: Control) -> list[tuple[str, Any]]:
    return [(arn.rpartition("-")[2], event["detail"]["id"]) for arn, event, _, _ in aws.triggers.told]


def a_replay(name: str, start_ms: int, end_ms: int, **destination: Any) -> dict[str, Any]:
    times = {"EventStartTime": start_ms, "EventEndTime": end_ms}
    return {"ReplayName": name, "EventSourceArn": ARCHIVE, **times, "Destination": {"Arn": BUS, **destination}}


def test_an_archive_counts_what_it_keeps_and_survives_a_restart(tmp_path) -> None:
    async def before(aws: Control):
        await three_events(aws)
        again = await refusal(aws("CreateArchive", ArchiveName="all", EventSourceArn=BUS))
        await aws("UpdateArchive", ArchiveName="all", Description="d", RetentionDays=3)
        return again

    async def after(aws: Control):
        described = await aws("DescribeArchive", ArchiveName="all")
        listed = (await aws("ListArchives", EventSourceArn=BUS))["Archives"]
        two = await refusal(aws("ListArchives", EventSourceArn=BUS, NamePrefix="a"))
        aws.clock.advance(ms=3 * DAY_MS)
        await aws.provider.archives.sweep()
        swept = (await aws("DescribeArchive", ArchiveName="all"))["EventCount"]
        await aws("DeleteArchive", ArchiveName="all")
        return described, listed, two, swept, await refusal(aws("DescribeArchive", ArchiveName="all"))

    again, (described, listed, two, swept, gone) = with_events(tmp_path, before, after)
    assert again == "ResourceAlreadyExistsException: Archive all already exists."
    expected = {
        "ArchiveArn": ARCHIVE, "ArchiveName": "all", "EventSourceArn": BUS, "State": "ENABLED", "RetentionDays": 3,
        "EventCount": 3, "Description": "d", "EventPattern": '{"source":["shop"]}',
    }  # fmt: skip
    assert expected.items() <= described.items()
    assert described["SizeBytes"] > 0
    assert [one["ArchiveName"] for one in listed] == ["all"]
    assert two.startswith("ValidationException: At most one filter is allowed for ListArchives.")
    assert (swept, gone) == (0, "ResourceNotFoundException: Archive all does not exist.")


def test_a_replay_gives_the_events_of_a_time_to_the_rules_again(tmp_path) -> None:
    async def scenario(aws: Control):
        start_ms = aws.clock.now_ms()
        await three_events(aws)
        await a_rule_for_all(aws)
        chosen = await a_rule_for_all(aws, "chosen")
        await aws("StartReplay", **a_replay("first", start_ms, start_ms + 1_500))
        first = await settled(aws, "first")
        told = replayed(aws)
        names = {event["replay-name"] for _, event, _, _ in aws.triggers.told}
        aws.triggers.told.clear()
        await aws("StartReplay", **a_replay("second", start_ms + 1_500, start_ms + 9_000, FilterArns=[chosen]))
        await settled(aws, "second")
        kept = (await aws("DescribeArchive", ArchiveName="all"))["EventCount"]
        listed = [one["ReplayName"] for one in (await aws("ListReplays", State="COMPLETED"))["Replays"]]
        return first, sorted(told), names, replayed(aws), kept, listed, start_ms

    ((first, told, names, second, kept, listed, start_ms),) = with_events(tmp_path, scenario)
    assert (first["State"], first["EventLastReplayedTime"], first["Destination"]) == (
        "COMPLETED", start_ms + 1_000, {"Arn": BUS},
    )  # fmt: skip
    assert told == [("chosen", 0), ("chosen", 1), ("r", 0), ("r", 1)]
    assert names == {"first"}
    assert second == [("chosen", 2)]
    assert (kept, listed) == (3, ["first", "second"]), "replays are not archived again"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EventSourceArn": BUS}, "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN."),
        (
            {"EventSourceArn": f"{ARCHIVE}2"},
            "Reason: Archive all2 does not exist.",
        ),
        (
            {"Destination": {"Arn": FUNCTION}},
            "Reason: Must contain an event bus ARN.",
        ),
        ({"Destination": {"Arn": f"{BUS}2"}}, "Cross event bus replay is not permitted."),
        ({"EventStartTime": 5, "EventEndTime": 5}, "Reason: EventStartTime must be before EventEndTime."),
    ],
)
def test_what_is_no_replay_is_refused(tmp_path, changes, words: str) -> None:
    async def scenario(aws: Control):
        await aws("CreateArchive", ArchiveName="all", EventSourceArn=BUS)
        return await refusal(aws("StartReplay", **(a_replay("r", 0, 9) | changes)))

    (found,) = with_events(tmp_path, scenario)
    assert found.startswith("ValidationException: ")
    assert words in found


def test_a_replay_that_has_ended_cannot_be_cancelled_and_names_are_taken(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws("CreateArchive", ArchiveName="all", EventSourceArn=BUS)
        await aws("StartReplay", **a_replay("r", 0, 9))
        await settled(aws, "r")
        return [
            await refusal(aws("CancelReplay", ReplayName="r")),
            await refusal(aws("StartReplay", **a_replay("r", 0, 9))),
            await refusal(aws("DescribeReplay", ReplayName="x")),
            await refusal(aws("CreateArchive", ArchiveName="b", EventSourceArn=f"{BUS}2")),
            await refusal(aws("CreateArchive", ArchiveName="b", EventSourceArn=BUS, EventPattern="{")),
        ]

    (found,) = with_events(tmp_path, scenario)
    assert found[:4] == [
        "IllegalStatusException: Replay r is not in a valid state for this operation.",
        "ResourceAlreadyExistsException: Replay r already exists.",
        "ResourceNotFoundException: Replay x does not exist.",
        "ResourceNotFoundException: Event bus default2 does not exist.",
    ]
    assert found[4].startswith("InvalidEventPatternException: ")


def test_pages_go_on_after_the_last_name() -> None:
    assert page(["a", "b", "c"], {"Limit": 2}) == (["a", "b"], {"NextToken": "b"})
    assert page(["a", "b", "c"], {"Limit": 2, "NextToken": "b"}) == (["c"], {})


def test_events_that_come_at_once_are_counted_in_every_archive_of_their_bus(tmp_path) -> None:
    async def scenario(aws: Control):
        for name in ("all", "more"):
            await aws("CreateArchive", ArchiveName=name, EventSourceArn=BUS)
        await asyncio.gather(*[aws("PutEvents", Entries=[an_entry()]) for _ in range(8)])
        return {one["ArchiveName"]: one["EventCount"] for one in (await aws("ListArchives"))["Archives"]}

    assert with_events(tmp_path, scenario) == [{"all": 8, "more": 8}]


def test_an_archive_that_is_deleted_or_changed_while_events_come_is_as_it_was_told(tmp_path) -> None:
    async def before(aws: Control):
        for name in ("all", "gone"):
            await aws("CreateArchive", ArchiveName=name, EventSourceArn=BUS)
        await asyncio.gather(
            *[aws("PutEvents", Entries=[an_entry()]) for _ in range(4)],
            aws("UpdateArchive", ArchiveName="all", Description="d"),
            aws("DeleteArchive", ArchiveName="gone"),
            *[aws("PutEvents", Entries=[an_entry()]) for _ in range(4)],
        )

    async def after(aws: Control):
        changed = await aws("DescribeArchive", ArchiveName="all")
        names = [one["ArchiveName"] for one in (await aws("ListArchives"))["Archives"]]
        return changed["Description"], changed["EventCount"], names

    assert with_events(tmp_path, before, after)[1] == ("d", 8, ["all"])


def test_of_what_is_made_twice_at_once_under_one_name_the_second_is_refused(tmp_path) -> None:
    async def scenario(aws: Control):
        archive = {"ArchiveName": "all", "EventSourceArn": BUS}
        replay = a_replay("one", aws.clock.now_ms(), aws.clock.now_ms() + 1)
        made = [
            [await asyncio.gather(aws(name, **params), aws(name, **params), return_exceptions=True)]
            for name, params in (("CreateArchive", archive), ("StartReplay", replay))
        ]
        return [type(second).__name__ for ((_, second),) in made]

    assert with_events(tmp_path, scenario) == [["ResourceAlreadyExistsException"] * 2]


def test_replays_are_forgotten_after_ninety_days(tmp_path) -> None:
    async def before(aws: Control):
        await three_events(aws)
        await aws("StartReplay", **a_replay("old", 0, aws.clock.now_ms()))
        await settled(aws, "old")
        aws.clock.advance(ms=90 * DAY_MS - 1)
        await aws.provider.archives.sweep()
        kept = len((await aws("ListReplays"))["Replays"])
        aws.clock.advance(ms=1)
        await aws.provider.archives.sweep()
        return kept, len((await aws("ListReplays"))["Replays"])

    async def after(aws: Control):
        return len((await aws("ListReplays"))["Replays"])

    assert with_events(tmp_path, before, after) == [(1, 0), 0]


class LostRecords:
    """Records that cannot be written any more."""

    async def commit(self, writes):
        raise StoreUnavailable(f"{len(writes)} writes are lost")


def test_an_event_of_the_platforms_own_services_reaches_its_rules_though_no_archive_can_take_it(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws("CreateArchive", ArchiveName="all", EventSourceArn=BUS)
        await a_rule_for_all(aws)
        aws.provider.archives._records = LostRecords()
        told = {"source": "aws.ssm", "detail_type": "t", "resources": [], "detail": {"id": 7}}
        await aws.provider.announce(ACCOUNT, "us-east-1", **told)
        return replayed(aws)

    assert with_events(tmp_path, scenario) == [[("r", 7)]]
