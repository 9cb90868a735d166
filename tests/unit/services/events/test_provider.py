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
from gatepost.services.events.targets import GIVEN_MAX, Reach
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
                provider = EventsProvider(records, Reach(triggers), clock)
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
        ({"EventPattern": '{"source":"x"}'}, "InvalidEventPatternException: Event pattern is not valid. Reason: "),
        ({}, "EventPattern or ScheduleExpression must be specified"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "Parameter ScheduleExpression is not valid."),
        ({"ScheduleExpression": "rate(5 minutes)", "EventBusName": "mine"}, "Event bus mine does not exist."),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path, params, words: str) -> None:
    async def scenario(aws: Control):
        return await refusal(aws("PutRule", Name="nightly", **params))

    assert words in with_events(tmp_path, scenario)[0]


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"},
        {"Arn": "no ARN"},
        {"Arn": FUNCTION, "InputPath": "detail"},
        {"Arn": FUNCTION, "InputPath": "$.detail", "Input": "{}"},
        {"Arn": FUNCTION, "InputTransformer": {"InputTemplate": '{"a": <unknown>}'}},
        {"Arn": FUNCTION, "InputTransformer": {"InputTemplate": '{"a": '}},
        {"Arn": FUNCTION, "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}},
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


BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/orders"


def test_a_bus_is_made_described_listed_and_deleted(tmp_path) -> None:
    async def scenario(aws: Control):
        made = await aws("CreateEventBus", Name="orders", Description="d", Tags=[{"Key": "team", "Value": "shop"}])
        again = await refusal(aws("CreateEventBus", Name="orders"))
        described = await aws("DescribeEventBus", Name="orders")
        tags = await aws("ListTagsForResource", ResourceARN=BUS)
        listed = [bus["Name"] for bus in (await aws("ListEventBuses"))["EventBuses"]]
        await aws("PutRule", Name="r", EventBusName="orders", EventPattern='{"source":["x"]}')
        held = await refusal(aws("DeleteEventBus", Name="orders"))
        await aws("DeleteRule", Name="r", EventBusName=BUS)
        await aws("DeleteEventBus", Name="orders")
        await aws("DeleteEventBus", Name="orders")
        gone = await refusal(aws("DescribeEventBus", Name="orders"))
        default = await refusal(aws("DeleteEventBus", Name="default"))
        return made, again, described, tags, listed, (held, gone, default)

    ((made, again, described, tags, listed, refusals),) = with_events(tmp_path, scenario)
    assert made == {"EventBusArn": BUS, "Description": "d"}
    assert again == "ResourceAlreadyExistsException: Event bus orders already exists."
    assert {"Name": "orders", "Arn": BUS, "Description": "d"}.items() <= described.items()
    assert (tags, listed) == ({"Tags": [{"Key": "team", "Value": "shop"}]}, ["default", "orders"])
    assert refusals == (
        "ValidationException: Event bus can't be deleted since it has rules.",
        "ResourceNotFoundException: Event bus orders does not exist.",
        "ValidationException: Cannot delete event bus default.",
    )


def test_rules_of_two_buses_may_have_one_name_and_survive_a_restart(tmp_path) -> None:
    async def before(aws: Control):
        await aws("CreateEventBus", Name="orders")
        arns = [
            (await aws("PutRule", Name="r", EventBusName=bus, EventPattern=f'{{"source":["{bus}"]}}'))["RuleArn"]
            for bus in ("default", "orders")
        ]
        schedule = await refusal(aws("PutRule", Name="s", EventBusName="orders", ScheduleExpression="rate(5 minutes)"))
        return arns, schedule

    async def after(aws: Control):
        return [(await aws("DescribeRule", Name="r", EventBusName=bus))["EventPattern"] for bus in ("default", BUS)]

    (arns, schedule), patterns = with_events(tmp_path, before, after)
    assert arns == [f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{name}" for name in ("r", "orders/r")]
    assert schedule == "ValidationException: ScheduleExpression is supported only on the default event bus."
    assert patterns == ['{"source":["default"]}', '{"source":["orders"]}']


def an_entry(**members: Any) -> dict[str, Any]:
    return {"Source": "shop", "DetailType": "ordered", "Detail": '{"id":7}', **members}


def test_an_event_goes_to_the_targets_of_the_rules_that_match(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws("CreateEventBus", Name="orders")
        for name, bus, source in (("a", "default", "shop"), ("b", "default", "other"), ("c", "orders", "shop")):
            await aws("PutRule", Name=name, EventBusName=bus, EventPattern=json.dumps({"source": [source]}))
            target = {"Id": "t", "Arn": f"{FUNCTION}-{name}"}
            await aws("PutTargets", Rule=name, EventBusName=bus, Targets=[target])
        await aws("PutRule", Name="off", EventPattern='{"source":["shop"]}', State="DISABLED")
        await aws("PutTargets", Rule="off", Targets=[{"Id": "t", "Arn": FUNCTION}])
        entries = [an_entry(Resources=["arn:x"], Time=1_000_000), an_entry(EventBusName="orders"), an_entry(Source="")]
        answer = await aws("PutEvents", Entries=[*entries, an_entry(Detail="[]"), an_entry(Source="aws.s3")])
        return answer, aws.triggers.told

    ((answer, told),) = with_events(tmp_path, scenario)
    assert answer["FailedEntryCount"] == 3
    assert [one.get("ErrorCode") for one in answer["Entries"]] == [
        None, None, "InvalidArgument", "MalformedDetail", "NotAuthorizedForSourceException",
    ]  # fmt: skip
    assert [(arn[-2:], source.rpartition(":")[2]) for arn, _, _, source in told] == [
        ("-a", "rule/a"),
        ("-c", "rule/orders/c"),
    ]
    assert told[0][1] == {
        "version": "0", "id": answer["Entries"][0]["EventId"], "detail-type": "ordered", "source": "shop",
        "account": ACCOUNT, "time": "1970-01-01T00:16:40Z", "region": "us-east-1", "resources": ["arn:x"],
        "detail": {"id": 7},
    }  # fmt: skip


def test_an_event_goes_on_to_another_bus_but_not_for_ever(tmp_path) -> None:
    async def scenario(aws: Control):
        default = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
        await aws("CreateEventBus", Name="orders")
        for name, bus, other in (("there", "default", BUS), ("back", "orders", default)):
            await aws("PutRule", Name=name, EventBusName=bus, EventPattern='{"source":["shop"]}')
            targets = [{"Id": "bus", "Arn": other}, {"Id": "function", "Arn": FUNCTION}]
            await aws("PutTargets", Rule=name, EventBusName=bus, Targets=targets)
        await aws("PutEvents", Entries=[an_entry()])
        return len(aws.triggers.told)

    assert with_events(tmp_path, scenario) == [9]


def test_a_target_gets_a_part_of_the_event_or_a_text_of_parts(tmp_path) -> None:
    async def scenario(aws: Control):
        await aws("PutRule", Name="r", EventPattern='{"source":["shop"]}')
        transformer = {
            "InputPathsMap": {"id": "$.detail.id", "none": "$.detail.none"},
            "InputTemplate": '{"id": <id>, "text": "order <id> of <none>", "rule": "<aws.events.rule-name>"}',
        }
        targets = [
            {"Id": "part", "Arn": f"{FUNCTION}-part", "InputPath": "$.detail"},
            {"Id": "text", "Arn": f"{FUNCTION}-text", "InputTransformer": transformer},
            {"Id": "fixed", "Arn": f"{FUNCTION}-fixed", "Input": '{"a":1}'},
        ]
        await aws("PutTargets", Rule="r", Targets=targets)
        await aws("PutEvents", Entries=[an_entry()])
        return {arn.rpartition("-")[2]: payload for arn, payload, _, _ in aws.triggers.told}

    assert with_events(tmp_path, scenario) == [
        {"part": {"id": 7}, "text": {"id": 7, "text": "order 7 of ", "rule": "r"}, "fixed": {"a": 1}}
    ]


def test_others_may_put_events_to_a_bus_by_its_policy(tmp_path) -> None:
    async def scenario(aws: Control):
        statement = {"Action": "events:PutEvents", "Principal": "111111111111", "StatementId": "s"}
        missing = await refusal(aws("RemovePermission", StatementId="s"))
        await aws("PutPermission", **statement)
        policy = (await aws("DescribeEventBus"))["Policy"]
        await aws("PutEvents", Entries=[an_entry()])
        asked = aws.authorization.asked[-1]
        unknown = await refusal(aws("RemovePermission", StatementId="t"))
        await aws("RemovePermission", StatementId="s")
        left = await aws("DescribeEventBus")
        return missing, json.loads(policy), asked, unknown, left

    ((missing, policy, asked, unknown, left),) = with_events(tmp_path, scenario)
    assert missing == "ResourceNotFoundException: EventBus does not have a policy."
    assert policy["Statement"] == [
        {
            "Sid": "s", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
            "Action": "events:PutEvents", "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default",
        }
    ]  # fmt: skip
    assert (asked.resource, json.loads(asked.resource_policy or "")) == (policy["Statement"][0]["Resource"], policy)
    assert unknown == "ResourceNotFoundException: Statement with the provided id does not exist."
    assert "Policy" not in left


def test_a_pattern_can_be_tested(tmp_path) -> None:
    async def scenario(aws: Control):
        event = dict.fromkeys(("id", "account", "time", "region", "detail-type"), "x") | {"source": "shop"}
        ask = {"EventPattern": '{"source":["shop"]}', "Event": json.dumps({**event, "resources": []})}
        yes = await aws("TestEventPattern", **ask)
        lacking = await refusal(aws("TestEventPattern", **{**ask, "Event": json.dumps(event)}))
        bad = await refusal(aws("TestEventPattern", **{**ask, "EventPattern": "{"}))
        return yes, lacking, bad

    ((yes, lacking, bad),) = with_events(tmp_path, scenario)
    assert yes == {"Result": True}
    assert lacking == "ValidationException: Parameter Event is not valid. Reason: resources is a required argument."
    assert bad.startswith("InvalidEventPatternException: Event pattern is not valid. Reason: ")


def test_rules_that_lead_back_to_their_bus_multiply_an_event_only_so_often(tmp_path) -> None:
    async def scenario(aws: Control):
        bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
        await aws("PutRule", Name="back", EventPattern='{"source":["shop"]}')
        await aws("PutTargets", Rule="back", Targets=[{"Id": str(number), "Arn": bus} for number in range(4)])
        await aws("PutTargets", Rule="back", Targets=[{"Id": "f", "Arn": FUNCTION}])
        put = await aws("PutEvents", Entries=[an_entry()])
        return put["FailedEntryCount"], len(aws.triggers.told)

    assert with_events(tmp_path, scenario) == [(0, GIVEN_MAX + 1)]
