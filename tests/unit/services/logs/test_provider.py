"""Log groups, streams and events, as operators and functions see them."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.logs.model import DAY_MS
from tests.support.logs import GROUP, LogsControl, with_logs

GROUP_ARN = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"


def texts(answer) -> list[str]:
    return [event["message"] for event in answer["events"]]


def refused(tmp_path, scenario, code: str, words: str = "") -> None:
    with pytest.raises(ServiceError) as error:
        with_logs(tmp_path, scenario)
    assert error.value.code == code, error.value.message
    assert words in error.value.message


def test_groups_are_made_described_and_deleted(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP, tags={"team": "shop"})
        await logs("CreateLogGroup", logGroupName="other")
        both = await logs("DescribeLogGroups")
        one = await logs("DescribeLogGroups", logGroupNamePrefix="/aws")
        some = await logs("DescribeLogGroups", logGroupNamePattern="THE")
        await logs("DeleteLogGroup", logGroupName="other")
        return both, one, some, await logs("DescribeLogGroups"), await logs("ListTagsLogGroup", logGroupName=GROUP)

    both, one, some, left, tags = with_logs(tmp_path, scenario)
    assert [group["logGroupName"] for group in both["logGroups"]] == [GROUP, "other"]
    assert one["logGroups"][0]["arn"] == f"{GROUP_ARN}:*"
    assert one["logGroups"][0]["logGroupArn"] == GROUP_ARN
    assert [group["logGroupName"] for group in some["logGroups"]] == ["other"]
    assert len(left["logGroups"]) == 1
    assert tags == {"tags": {"team": "shop"}}


def test_groups_come_in_pages(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for number in range(5):
            await logs("CreateLogGroup", logGroupName=f"g{number}")
        found, token = [], {}
        while True:
            page = await logs("DescribeLogGroups", limit=2, **token)
            found.append([group["logGroupName"] for group in page["logGroups"]])
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert with_logs(tmp_path, scenario) == [["g0", "g1"], ["g2", "g3"], ["g4"]]


def test_names_are_taken_once(tmp_path) -> None:
    async def twice(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        await logs("CreateLogGroup", logGroupName=GROUP)

    refused(tmp_path, twice, "ResourceAlreadyExistsException", "The specified log group already exists")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DeleteLogGroup", {}),
        ("CreateLogStream", {"logStreamName": "s"}),
        ("DescribeLogStreams", {}),
        ("GetLogEvents", {"logStreamName": "s"}),
        ("FilterLogEvents", {}),
        ("PutRetentionPolicy", {"retentionInDays": 7}),
        ("PutLogEvents", {"logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "x"}]}),
    ],
)
def test_a_group_that_is_not_there_is_not_found(tmp_path, operation: str, params) -> None:
    words = "The specified log group does not exist."
    refused(tmp_path, lambda logs: logs(operation, logGroupName="lost", **params), "ResourceNotFoundException", words)


def test_a_functions_first_output_makes_group_and_stream(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("one\n", "two\n", group=GROUP_ARN, stream="2026/11/24/[$LATEST]ab")
        streams = (await logs("DescribeLogStreams", logGroupName=GROUP))["logStreams"]
        events = await logs("GetLogEvents", logGroupName=GROUP, logStreamName=streams[0]["logStreamName"])
        groups = await logs("DescribeLogGroups")
        return streams[0], events, logs.clock.now_ms(), groups["logGroups"][0]

    stream, events, now_ms, group = with_logs(tmp_path, scenario)
    assert texts(events) == ["one\n", "two\n"]
    assert events["events"][0] == {"timestamp": now_ms, "message": "one\n", "ingestionTime": now_ms}
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now_ms, now_ms + 1)
    assert group["storedBytes"] == 2 * (4 + 26)


class NobodyMay:
    def may_log(self, group, log_stream, *, is_new_group) -> bool:
        return False


def test_output_that_the_role_does_not_allow_is_dropped_and_counted(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("one", "two")
        return await logs("DescribeLogGroups"), logs.provider.refused_events

    assert with_logs(tmp_path, scenario, permission=NobodyMay()) == ({"logGroups": []}, 2)


def test_events_are_read_forward_and_back_by_tokens(tmp_path) -> None:
    async def read(logs: LogsControl, **params):
        return await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", limit=3, **params)

    async def scenario(logs: LogsControl):
        await logs.said(*"abcdefgh")
        first = await read(logs, startFromHead=True)
        second = await read(logs, nextToken=first["nextForwardToken"])
        third = await read(logs, nextToken=second["nextForwardToken"])
        end = await read(logs, nextToken=third["nextForwardToken"])
        back = await read(logs, nextToken=third["nextBackwardToken"])
        newest = await read(logs)
        before = await read(logs, nextToken=newest["nextBackwardToken"])
        return [texts(one) for one in (first, second, third, end, back, newest, before)], third, end

    pages, third, end = with_logs(tmp_path, scenario)
    assert pages == [list("abc"), list("def"), list("gh"), [], list("def"), list("fgh"), list("cde")]
    assert end["nextForwardToken"] == third["nextForwardToken"]


def test_a_tail_goes_on_with_new_events(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("a")
        first = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", startFromHead=True)
        logs.clock.advance(ms=60_000)
        await logs.said("b")
        token = first["nextForwardToken"]
        return texts(await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", nextToken=token))

    assert with_logs(tmp_path, scenario) == ["b"]


def test_times_bound_what_is_read(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        now_ms = logs.clock.now_ms()
        await logs.said(*"abcd", apart_ms=1_000)
        bounds = {"startTime": now_ms + 1_000, "endTime": now_ms + 3_000}
        one = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", startFromHead=True, **bounds)
        two = await logs("FilterLogEvents", logGroupName=GROUP, **bounds)
        return texts(one), texts(two)

    assert with_logs(tmp_path, scenario) == (["b", "c"], ["b", "c", "d"])


def test_events_come_in_the_order_of_their_time_however_they_arrive(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        now_ms = logs.clock.now_ms()
        for group in ([5_000, 9_000], [1_000, 30_000], [4_000], [0, 60_000], [5_000]):
            events = [(now_ms + at, str(at)) for at in group]
            await logs.provider.ingest([{"group": GROUP, "stream": "s", "events": events}])
        forward = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", startFromHead=True)
        backward, token = [], {}
        for _ in range(8):
            page = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", limit=1, **token)
            backward.append(page["events"][0]["message"])
            token = {"nextToken": page["nextBackwardToken"]}
        return [int(one) for one in texts(forward)], [int(one) for one in backward]

    forward, backward = with_logs(tmp_path, scenario)
    assert forward == [0, 1_000, 4_000, 5_000, 5_000, 9_000, 30_000, 60_000]
    assert backward == forward[::-1]


def test_a_groups_streams_are_searched_together(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("ERROR one", "fine", stream="a/1")
        await logs.said("ERROR two", stream="a/2")
        await logs.said("ERROR three", stream="b")
        everything = await logs("FilterLogEvents", logGroupName=GROUP, filterPattern="ERROR")
        named = await logs("FilterLogEvents", logGroupName=GROUP, logStreamNames=["b"])
        two = await logs("FilterLogEvents", logGroupName=GROUP, logStreamNames=["b", "a/2"])
        prefixed = await logs("FilterLogEvents", logGroupName=GROUP, logStreamNamePrefix="a/")
        return everything, texts(named), texts(two), texts(prefixed)

    everything, named, two, prefixed = with_logs(tmp_path, scenario)
    assert sorted(texts(everything)) == ["ERROR one", "ERROR three", "ERROR two"]
    assert {event["logStreamName"] for event in everything["events"]} == {"a/1", "a/2", "b"}
    assert len({event["eventId"] for event in everything["events"]}) == 3
    assert (named, sorted(two)) == (["ERROR three"], ["ERROR three", "ERROR two"])
    assert sorted(prefixed) == ["ERROR one", "ERROR two", "fine"]


def test_a_search_comes_in_pages(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said(*[f"{'odd' if number % 2 else 'even'} {number}" for number in range(10)])
        found, token = [], {}
        while True:
            page = await logs("FilterLogEvents", logGroupName=GROUP, filterPattern="odd", limit=2, **token)
            found.append(texts(page))
            if "nextToken" not in page:
                return found
            token = {"nextToken": page["nextToken"]}

    assert with_logs(tmp_path, scenario) == [["odd 1", "odd 3"], ["odd 5", "odd 7"], ["odd 9"]]


def test_put_log_events_takes_what_is_timely(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        now_ms = logs.clock.now_ms()
        await logs("CreateLogGroup", logGroupName=GROUP)
        await logs("CreateLogStream", logGroupName=GROUP, logStreamName="s")
        put = {"logGroupName": GROUP, "logStreamName": "s"}
        old = [
            {"timestamp": now_ms - 14 * DAY_MS - 1, "message": "old"},
            {"timestamp": now_ms - 14 * DAY_MS, "message": "a"},
        ]
        new = [{"timestamp": now_ms, "message": "b"}, {"timestamp": now_ms + 7_200_001, "message": "new"}]
        answers = [await logs("PutLogEvents", logEvents=events, **put) for events in (old, new)]
        await logs("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)
        expired = [{"timestamp": now_ms - DAY_MS - 1, "message": "expired"}]
        answers.append(await logs("PutLogEvents", logEvents=expired, **put))
        await logs("DeleteRetentionPolicy", logGroupName=GROUP)
        got = await logs("GetLogEvents", logGroupName=GROUP, logStreamName="s", startFromHead=True)
        return [answer.get("rejectedLogEventsInfo") for answer in answers], texts(got)

    rejected, kept = with_logs(tmp_path, scenario)
    assert rejected == [{"tooOldLogEventEndIndex": 1}, {"tooNewLogEventStartIndex": 1}, {"expiredLogEventEndIndex": 1}]
    assert kept == ["a", "b"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([(2, "a"), (1, "b")], "must be in chronological order"),
        ([(0, "a"), (DAY_MS + 1, "b")], "cannot span more than 24 hours"),
        ([(0, "x" * 1_048_551)], "Log event too large"),
        ([(0, "x" * 600_000), (0, "x" * 600_000)], "Upload too large"),
    ],
)
def test_batches_have_bounds(tmp_path, events, words: str) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("first")
        base = logs.clock.now_ms() - DAY_MS - 10
        batch = [{"timestamp": base + at, "message": message} for at, message in events]
        await logs("PutLogEvents", logGroupName=GROUP, logStreamName="s", logEvents=batch)

    refused(tmp_path, scenario, "InvalidParameterException", words)


def test_events_go_when_their_retention_is_over(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("first")
        await logs("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=1)
        logs.clock.advance(ms=DAY_MS // 2)
        await logs.said("second")
        logs.clock.advance(ms=DAY_MS // 2 + 1)
        unseen = texts(await logs("FilterLogEvents", logGroupName=GROUP))
        before = (await logs("DescribeLogGroups"))["logGroups"][0]["storedBytes"]
        await logs.provider.clean()
        after = (await logs("DescribeLogGroups"))["logGroups"][0]["storedBytes"]
        await logs("DeleteRetentionPolicy", logGroupName=GROUP)
        return unseen, texts(await logs("FilterLogEvents", logGroupName=GROUP)), before - after

    assert with_logs(tmp_path, scenario) == (["second"], ["second"], 5 + 26)


@pytest.mark.parametrize("days", [0, 2, 36_500])
def test_only_aws_retentions_are_taken(tmp_path, days: int) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("x")
        await logs("PutRetentionPolicy", logGroupName=GROUP, retentionInDays=days)

    refused(tmp_path, scenario, "InvalidParameterException", "Invalid retention value")


def test_the_oldest_events_go_when_the_store_is_full(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for number in range(300):
            await logs.said(f"{number:074d}")
        await logs.provider.clean()
        left = texts(await logs("FilterLogEvents", logGroupName=GROUP))
        return len(left), left[-1]

    count, last = with_logs(tmp_path, scenario, stored_bytes_max=15_000)
    assert count == 100  # 300 events of 100 bytes, less 200 that go at once
    assert int(last) == 299


def test_streams_are_listed_by_name_or_by_last_event(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for stream in ("b", "a", "c"):
            await logs.said("x", stream=stream)
            logs.clock.advance(ms=1_000)
        named = await logs("DescribeLogStreams", logGroupName=GROUP, limit=2)
        rest = await logs("DescribeLogStreams", logGroupName=GROUP, limit=2, nextToken=named["nextToken"])
        newest = await logs("DescribeLogStreams", logGroupName=GROUP, orderBy="LastEventTime", descending=True)
        return [[one["logStreamName"] for one in page["logStreams"]] for page in (named, rest, newest)]

    assert with_logs(tmp_path, scenario) == [["a", "b"], ["c"], ["c", "a", "b"]]


def test_a_deleted_stream_takes_its_events_with_it(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("gone", stream="a")
        await logs.said("kept", stream="b")
        await logs("DeleteLogStream", logGroupName=GROUP, logStreamName="a")
        group = (await logs("DescribeLogGroups"))["logGroups"][0]
        return texts(await logs("FilterLogEvents", logGroupName=GROUP)), group["storedBytes"]

    assert with_logs(tmp_path, scenario) == (["kept"], 30)


def test_tags_by_arn(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP, tags={"a": "1"})
        await logs("TagResource", resourceArn=GROUP_ARN, tags={"b": "2"})
        await logs("UntagResource", resourceArn=GROUP_ARN, tagKeys=["a"])
        return await logs("ListTagsForResource", resourceArn=GROUP_ARN)

    assert with_logs(tmp_path, scenario) == {"tags": {"b": "2"}}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreateLogGroup", {"logGroupName": "g", "kmsKeyId": "k"}),
        ("CreateLogGroup", {"logGroupName": "g", "logGroupClass": "INFREQUENT_ACCESS"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s", "nextToken": "nonsense"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s", "unmask": True}),
        ("DescribeLogGroups", {"nextToken": "%%"}),
        ("DescribeLogGroups", {"nextToken": "eyJhZnRlciI6MX0="}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "nextToken": "eyJzdGFydCI6IngifQ=="}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "nextToken": "eyJzdGFydCI6LTV9"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s", "nextToken": f"f/{1 << 64}.0.0"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s", "nextToken": f"b/-{1 << 64}.0.0"}),
        ("FilterLogEvents", {"logGroupName": GROUP, "nextToken": f"f/{1 << 64}.0.0"}),
        ("FilterLogEvents", {"logGroupName": GROUP, "filterPattern": "[a, b"}),
        ("FilterLogEvents", {"logGroupName": GROUP, "startTime": 2, "endTime": 1}),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, operation: str, params) -> None:
    async def scenario(logs: LogsControl):
        await logs.said("x")
        await logs(operation, **params)

    refused(tmp_path, scenario, "InvalidParameterException")


def test_calls_say_what_they_touch(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP)
        await logs("CreateLogStream", logGroupName=GROUP, logStreamName="s")
        await logs("ListTagsForResource", resourceArn=GROUP_ARN)
        await logs("DescribeLogGroups")
        return [(one.action, one.resource) for one in logs.authorization.asked]

    assert with_logs(tmp_path, scenario) == [
        ("logs:CreateLogGroup", f"{GROUP_ARN}:log-stream:"),
        ("logs:CreateLogStream", f"{GROUP_ARN}:log-stream:s"),
        ("logs:ListTagsForResource", GROUP_ARN),
        ("logs:DescribeLogGroups", "arn:aws:logs:us-east-1:000000000000:log-group::log-stream:"),
    ]


def test_policies_see_the_tags_that_come_and_go(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        await logs("CreateLogGroup", logGroupName=GROUP, tags={"Team": "shop"})
        await logs("UntagResource", resourceArn=GROUP_ARN, tagKeys=["Team"])
        await logs("UntagLogGroup", logGroupName=GROUP, tags=["Team"])
        return [one.context for one in logs.authorization.asked]

    assert with_logs(tmp_path, scenario) == [
        {"aws:requesttag/team": "shop", "aws:tagkeys": ("Team",)},
        {"aws:tagkeys": ("Team",)},
        {"aws:tagkeys": ("Team",)},
    ]


def test_the_oldest_streams_go_when_there_are_too_many(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for number in range(6):
            await logs.said("x", stream=f"s{number}")
        await logs.provider.clean()
        streams = (await logs("DescribeLogStreams", logGroupName=GROUP))["logStreams"]
        group = (await logs("DescribeLogGroups"))["logGroups"][0]
        return [one["logStreamName"] for one in streams], group["storedBytes"]

    assert with_logs(tmp_path, scenario, streams_max=4) == (["s2", "s3", "s4", "s5"], 4 * 27)


def test_groups_are_listed_by_a_regular_expression_in_pages(tmp_path) -> None:
    async def scenario(logs: LogsControl):
        for name in ("/aws/one", "/aws/two", "/shop/one"):
            await logs("CreateLogGroup", logGroupName=name)
        found = await logs("ListLogGroups", logGroupNamePattern="^/aws|two")
        first = await logs("ListLogGroups", limit=2)
        second = await logs("ListLogGroups", limit=2, nextToken=first["nextToken"])
        return [[group["logGroupName"] for group in page["logGroups"]] for page in (found, first, second)], found

    names, found = with_logs(tmp_path, scenario)
    assert names == [["/aws/one", "/aws/two"], ["/aws/one", "/aws/two"], ["/shop/one"]]
    assert found["logGroups"][0] == {
        "logGroupName": "/aws/one", "logGroupClass": "STANDARD",
        "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/one",
    }  # fmt: skip
