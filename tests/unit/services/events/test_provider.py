"""EventBridge's operations, and firing, on real records and a fixed clock."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.services.events.provider import EventsProvider
from tests.support.rest_apis import GrantsAllBut
from tests.support.stores import some_records
from tests.support.toys import ACCOUNT, ADMINISTRATOR

RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/nightly"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders"


class KeptTriggers:
    """Triggers that keep what they were told; functions in `refusing` are not let in."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any, str, str]] = []
        self.refusing: set[str] = set()

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        if function_arn in self.refusing:
            raise ServiceError("not allowed")
        self.told.append((function_arn, json.loads(payload), service, source_arn))


class Control:
    def __init__(self, provider: EventsProvider, triggers: KeptTriggers, clock: FixedClock) -> None:
        self.provider, self.triggers, self.clock = provider, triggers, clock
        self.authorization = GrantsAllBut()
        self._dispatcher = Dispatcher(
            [provider], authorization=self.authorization, clock=clock, account_id=ACCOUNT, region="us-east-1"
        )

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._dispatcher.invoke(ADMINISTRATOR, "events", operation, params)

    async def a_rule(self, expression: str = "rate(5 minutes)", **params: Any) -> None:
        await self("PutRule", Name="nightly", ScheduleExpression=expression, **params)
        await self("PutTargets", Rule="nightly", Targets=[{"Id": "t", "Arn": FUNCTION}])

    async def pass_minutes(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(ms=60_000)
            await self.provider.scheduler.fire_due()


def with_events(tmp_path, *scenarios) -> list[Any]:
    """Run each scenario on the same records, the provider started anew; the clock goes on."""
    clock = FixedClock()

    async def run() -> list[Any]:
        found = []
        async with some_records(tmp_path) as records:
            for scenario in scenarios:
                triggers = KeptTriggers()
                provider = EventsProvider(records, triggers, clock)
                await provider.start()
                found.append(await scenario(Control(provider, triggers, clock)))
                await provider.close()
        return found

    return asyncio.run(run())


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_a_rule_is_made_described_changed_and_deleted(tmp_path) -> None:
    async def scenario(aws: Control):
        made = await aws(
            "PutRule", Name="nightly", ScheduleExpression="cron(0 3 * * ? *)", Description="d",
            Tags=[{"Key": "team", "Value": "shop"}],
        )  # fmt: skip
        described = await aws("DescribeRule", Name="nightly")
        await aws("TagResource", ResourceARN=RULE, Tags=[{"Key": "a", "Value": "b"}])
        await aws("UntagResource", ResourceARN=RULE, TagKeys=["team"])
        tags = await aws("ListTagsForResource", ResourceARN=RULE)
        target = {"Id": "t", "Arn": FUNCTION, "Input": '{"a":1}'}
        await aws("PutTargets", Rule="nightly", Targets=[target])
        targets = await aws("ListTargetsByRule", Rule="nightly")
        names = await aws("ListRuleNamesByTarget", TargetArn=FUNCTION)
        held = await refusal(aws("DeleteRule", Name="nightly"))
        removed = await aws("RemoveTargets", Rule="nightly", Ids=["t", "x"])
        await aws("DeleteRule", Name="nightly")
        await aws("DeleteRule", Name="nightly")
        gone = await refusal(aws("DescribeRule", Name="nightly"))
        return made, described, tags, (targets, names, removed), (held, gone)

    ((made, described, tags, (targets, names, removed), (held, gone)),) = with_events(tmp_path, scenario)
    assert made == {"RuleArn": RULE}
    assert described == {
        "Name": "nightly", "Arn": RULE, "ScheduleExpression": "cron(0 3 * * ? *)", "State": "ENABLED",
        "EventBusName": "default", "Description": "d", "CreatedBy": ACCOUNT,
    }  # fmt: skip
    assert tags == {"Tags": [{"Key": "a", "Value": "b"}]}
    assert targets == {"Targets": [{"Id": "t", "Arn": FUNCTION, "Input": '{"a":1}'}]}
    assert names == {"RuleNames": ["nightly"]}
    assert (removed["FailedEntryCount"], removed["FailedEntries"][0]["TargetId"]) == (1, "x")
    assert held == "ValidationException: Rule can't be deleted since it has targets."
    assert gone == "ResourceNotFoundException: Rule nightly does not exist on EventBus default."


def test_a_rule_fires_at_its_times_with_the_scheduled_event(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws.a_rule()
        await aws.pass_minutes(11)
        return aws.triggers.told

    (told,) = with_events(tmp_path, scenario)
    assert [(arn, service, source) for arn, _, service, source in told] == [
        (FUNCTION, "events.amazonaws.com", RULE)
    ] * 2
    event = told[0][1]
    assert event | {"id": ""} == {
        "version": "0", "id": "", "detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT,
        "time": "2025-10-09T08:58:20Z", "region": "us-east-1", "resources": [RULE], "detail": {},
    }  # fmt: skip


def test_a_disabled_rule_does_not_fire_and_a_rate_counts_from_when_it_is_enabled(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws.a_rule(State="DISABLED")
        await aws.pass_minutes(7)
        await aws("EnableRule", Name="nightly")
        await aws.pass_minutes(4)
        before = len(aws.triggers.told)
        await aws.pass_minutes(1)
        after = len(aws.triggers.told)
        await aws("DisableRule", Name="nightly")
        await aws.pass_minutes(10)
        return before, after, len(aws.triggers.told)

    assert with_events(tmp_path, scenario) == [(0, 1, 1)]


def test_rules_outlast_a_restart_and_what_was_missed_is_not_made_up(tmp_path) -> None:
    async def first(aws: Control):
        await aws.a_rule()
        aws.clock.advance(ms=23 * 60_000)

    async def second(aws: Control):
        await aws.provider.scheduler.fire_due()
        before = len(aws.triggers.told)
        await aws.pass_minutes(2)
        return before, [event["time"] for _, event, _, _ in aws.triggers.told]

    async def third(aws: Control):
        aws.clock.advance(ms=600_000)  # the machine slept
        await aws.provider.scheduler.fire_due()
        return aws.triggers.told

    found = with_events(tmp_path, first, second, third)
    assert found[1] == (0, ["2025-10-09T09:18:20Z"])
    assert found[2] == []


def test_a_target_that_is_refused_does_not_keep_others_from_firing(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws.a_rule()
        targets = [{"Id": "u", "Arn": f"{FUNCTION}-2", "Input": "[1]"}]
        await aws("PutTargets", Rule="nightly", Targets=targets)
        aws.triggers.refusing.add(FUNCTION)
        await aws.pass_minutes(5)
        return [(arn, event) for arn, event, _, _ in aws.triggers.told]

    assert with_events(tmp_path, scenario) == [[(f"{FUNCTION}-2", [1])]]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"EventPattern": '{"source":["x"]}'}, "no events are published here"),
        ({}, "EventPattern or ScheduleExpression must be specified"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "Parameter ScheduleExpression is not valid."),
        ({"ScheduleExpression": "rate(5 minutes)", "RoleArn": "arn:aws:iam::000000000000:role/x"}, "RoleArn is not"),
        ({"ScheduleExpression": "rate(5 minutes)", "EventBusName": "mine"}, "there is only the default one"),
    ],
)
def test_what_is_no_rule_by_schedule_is_refused(tmp_path, params, words: str) -> None:
    async def scenario(aws: Control):
        return await refusal(aws("PutRule", Name="nightly", **params))

    assert words in with_events(tmp_path, scenario)[0]


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"},
        {"Arn": FUNCTION, "InputPath": "$.detail"},
        {"Arn": FUNCTION, "RetryPolicy": {"MaximumRetryAttempts": 1}},
        {"Arn": FUNCTION, "Input": "{"},
        {"Arn": FUNCTION, "Input": f'"{"x" * 8192}"'},
    ],
)
def test_what_is_no_target_is_refused(tmp_path, target) -> None:
    async def scenario(aws: Control):
        await aws.a_rule()
        return await refusal(aws("PutTargets", Rule="nightly", Targets=[{"Id": "x", **target}]))

    assert with_events(tmp_path, scenario)[0].startswith("ValidationException")


def test_lists_come_in_pages_and_targets_are_bounded(tmp_path) -> None:
    async def scenario(aws: Control):
        for number in range(3):
            await aws("PutRule", Name=f"r{number}", ScheduleExpression="rate(1 day)")
        first = await aws("ListRules", Limit=2, NamePrefix="r")
        rest = await aws("ListRules", Limit=2, NextToken=first["NextToken"])
        many = [{"Id": str(number), "Arn": FUNCTION} for number in range(6)]
        return first, rest, await refusal(aws("PutTargets", Rule="r1", Targets=many))

    ((first, rest, many),) = with_events(tmp_path, scenario)
    assert [[rule["Name"] for rule in page["Rules"]] for page in (first, rest)] == [["r0", "r1"], ["r2"]]
    assert many.startswith("LimitExceededException")


def test_calls_say_what_they_touch(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws.a_rule()
        await aws("ListRules")
        await aws("ListTagsForResource", ResourceARN=RULE)
        return [(one.action, one.resource) for one in aws.authorization.asked]

    assert with_events(tmp_path, scenario) == [
        [
            ("events:PutRule", RULE),
            ("events:PutTargets", RULE),
            ("events:ListRules", "*"),
            ("events:ListTagsForResource", RULE),
        ]
    ]
