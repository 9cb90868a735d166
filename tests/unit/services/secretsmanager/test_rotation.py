"""Rotation by a function of four steps: at once, by schedule, again after failures, and not at all."""

from __future__ import annotations

import pytest

from gatepost.services.secretsmanager.model import DAY_MS
from gatepost.services.secretsmanager.rotation import ATTEMPTS, RETRY_AFTER_MS, SLEEP_MS_MAX, STEPS
from tests.support.secrets import ROTATOR, TOKENS, with_secrets

NAME = "shop/key"
DAILY = {"ScheduleExpression": "rate(1 day)"}


def a_rotator(world, value="rotated"):
    """Give a function that does what AWS's rotation functions do."""

    async def does(event):
        secret, token = event["SecretId"], event["ClientRequestToken"]
        if event["Step"] == "createSecret":
            await world.secret(
                "PutSecretValue",
                SecretId=secret,
                SecretString=f"{value} {token[:8]}",
                ClientRequestToken=token,
                VersionStages=["AWSPENDING"],
            )
        if event["Step"] == "finishSecret":
            stages = (await world.secret("DescribeSecret", SecretId=secret))["VersionIdsToStages"]
            current = next(name for name, labels in stages.items() if "AWSCURRENT" in labels)
            await world.secret(
                "UpdateSecretVersionStage",
                SecretId=secret,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=current,
            )
        return True

    return does


async def rotate(world, token=1, **params):
    return await world.secret(
        "RotateSecret", SecretId=NAME, RotationLambdaARN=ROTATOR, ClientRequestToken=TOKENS[token], **params
    )


def test_a_rotation_goes_through_four_steps_and_makes_a_new_current_value(tmp_path):
    async def scenario(world):
        arn = await world.a_secret(value="old")
        world.functions.does = a_rotator(world)
        answer = await rotate(world, RotationRules={"AutomaticallyAfterDays": 30})
        assert answer["VersionId"] == TOKENS[1]
        stages = (await world.secret("DescribeSecret", SecretId=NAME))["VersionIdsToStages"]
        assert stages == {TOKENS[0]: ["AWSCURRENT"], TOKENS[1]: ["AWSPENDING"]}
        await world.no("ResourceNotFoundException", "GetSecretValue", SecretId=NAME, VersionStage="AWSPENDING")
        await world.settled()
        assert [event["Step"] for event in world.functions.steps] == list(STEPS)
        assert {event["ClientRequestToken"] for event in world.functions.steps} == {TOKENS[1]}
        assert world.functions.asked[0] == (ROTATOR, "secretsmanager.amazonaws.com", arn)
        assert await world.value() == f"rotated {TOKENS[1][:8]}"
        assert await world.value(VersionStage="AWSPREVIOUS") == "old"
        described = await world.secret("DescribeSecret", SecretId=NAME)
        assert described["VersionIdsToStages"] == {TOKENS[0]: ["AWSPREVIOUS"], TOKENS[1]: ["AWSCURRENT"]}
        assert described["RotationEnabled"] is True
        assert described["LastRotatedDate"] == world.clock.now_ms()
        assert described["NextRotationDate"] == world.clock.now_ms() + 30 * DAY_MS
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}

    with_secrets(tmp_path, scenario)


def test_a_function_that_does_not_let_secrets_manager_in_rotates_nothing(tmp_path):
    async def scenario(world):
        await world.a_secret(NAME)
        world.functions.lets_in = False
        asked = {"SecretId": NAME, "RotationLambdaARN": ROTATOR, "ClientRequestToken": TOKENS[1]}
        message = await world.no("AccessDeniedException", "RotateSecret", **asked)
        assert "grants access to the principal secretsmanager.amazonaws.com" in message
        assert "RotationEnabled" not in await world.secret("DescribeSecret", SecretId=NAME)

    with_secrets(tmp_path, scenario)


def test_what_is_due_by_schedule_is_rotated(tmp_path):
    async def scenario(world):
        await world.a_secret(value="old")
        world.functions.does = a_rotator(world)
        await rotate(world, RotationRules=DAILY, RotateImmediately=False)
        await world.settled()
        assert [event["Step"] for event in world.functions.steps] == ["testSecret"]
        assert await world.value() == "old"
        next_ms = (await world.secret("DescribeSecret", SecretId=NAME))["NextRotationDate"]
        assert 0 < next_ms - world.clock.now_ms() <= DAY_MS
        assert next_ms % DAY_MS == 0  # the window starts at midnight
        world.clock.advance(ms=next_ms - world.clock.now_ms() - 1)
        assert await world.secrets._rotator.rotate_due() == 0
        world.clock.advance(ms=1)
        assert await world.secrets._rotator.rotate_due() == 1
        await world.settled()
        assert (await world.value()).startswith("rotated")
        assert (await world.secret("DescribeSecret", SecretId=NAME))["NextRotationDate"] == next_ms + DAY_MS

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize("failing", STEPS)
def test_a_rotation_that_fails_leaves_the_current_value_and_is_tried_again(tmp_path, failing):
    async def scenario(world):
        await world.a_secret(value="old")
        works = a_rotator(world)
        is_broken = True

        async def does(event):
            if is_broken and event["Step"] == failing:
                return False
            return await works(event)

        world.functions.does = does
        await rotate(world)
        await world.settled()
        assert [event["Step"] for event in world.functions.steps] == list(STEPS[: STEPS.index(failing) + 1])
        assert await world.value() == "old"
        assert await world.secrets._rotator.rotate_due() == 0
        world.clock.advance(ms=RETRY_AFTER_MS)
        is_broken = False
        assert await world.secrets._rotator.rotate_due() == 1
        await world.settled()
        assert (await world.value()).startswith("rotated")

    with_secrets(tmp_path, scenario)


def test_after_some_attempts_a_rotation_waits_for_someone_to_ask(tmp_path):
    async def scenario(world):
        await world.a_secret()

        async def does(_event):
            return False

        world.functions.does = does
        await rotate(world)
        await world.settled()
        for _ in range(ATTEMPTS):
            world.clock.advance(ms=RETRY_AFTER_MS)
            await world.secrets._rotator.rotate_due()
            await world.settled()
        assert len(world.functions.steps) == ATTEMPTS
        world.functions.does = a_rotator(world)
        words = await world.no("InvalidRequestException", "RotateSecret", SecretId=NAME, ClientRequestToken=TOKENS[2])
        assert "previous rotation isn't complete" in words
        await world.settled()
        assert (await world.value()) == f"rotated {TOKENS[1][:8]}"

    with_secrets(tmp_path, scenario)


def test_a_rotation_that_nobody_tries_again_wakes_nobody(tmp_path):
    async def scenario(world):
        await world.a_secret()

        async def does(_event):
            return False

        world.functions.does = does
        await rotate(world, RotationRules=DAILY)
        await world.settled()
        rotator = world.secrets._rotator
        assert rotator.due_in_ms() == SLEEP_MS_MAX
        for _ in range(ATTEMPTS):
            world.clock.advance(ms=RETRY_AFTER_MS)
            await rotator.rotate_due()
            await world.settled()
        assert len(world.functions.steps) == ATTEMPTS
        world.clock.advance(ms=3 * DAY_MS)  # its time by the schedule has passed as well
        assert await rotator.rotate_due() == 0
        assert rotator.due_in_ms() == SLEEP_MS_MAX

    with_secrets(tmp_path, scenario)


def test_a_deleted_secret_whose_rotation_failed_wakes_nobody(tmp_path):
    async def scenario(world):
        await world.a_secret()

        async def does(_event):
            return False

        world.functions.does = does
        await rotate(world, RotationRules=DAILY)
        await world.settled()
        await world.secret("DeleteSecret", SecretId=NAME)
        world.clock.advance(ms=3 * DAY_MS)
        assert await world.secrets._rotator.rotate_due() == 0
        assert world.secrets._rotator.due_in_ms() == SLEEP_MS_MAX

    with_secrets(tmp_path, scenario)


def test_a_function_that_does_not_move_the_stage_has_not_rotated(tmp_path):
    async def scenario(world):
        await world.a_secret(value="old")
        await rotate(world)
        await world.settled()
        described = await world.secret("DescribeSecret", SecretId=NAME)
        assert "LastRotatedDate" not in described
        assert await world.value() == "old"

    with_secrets(tmp_path, scenario)


def test_a_rotation_that_was_cut_off_is_taken_up_at_the_next_start(tmp_path):
    async def cut_off(world):
        await world.a_secret(value="old")
        secret = world.secrets._secrets.find("111122223333", "us-east-1", NAME)
        from dataclasses import replace

        rotation = replace(secret.rotation, lambda_arn=ROTATOR, is_enabled=True)
        secret = await world.secrets._secrets.keep(secret, replace(secret, rotation=rotation))
        await world.secrets._rotator.announce(secret, TOKENS[1], world.clock.now_ms())

    async def next_start(world):
        world.functions.does = a_rotator(world)
        await world.secrets._rotator.rotate_due()
        await world.settled()
        assert await world.value() == f"rotated {TOKENS[1][:8]}"

    with_secrets(tmp_path, cut_off, next_start)


def test_a_cancelled_rotation_is_due_no_more(tmp_path):
    async def scenario(world):
        await world.a_secret()
        await world.no("InvalidRequestException", "CancelRotateSecret", SecretId=NAME)
        await world.no("InvalidRequestException", "RotateSecret", SecretId=NAME, ClientRequestToken=TOKENS[1])
        world.functions.does = a_rotator(world)
        await rotate(world, RotationRules=DAILY)
        await world.settled()
        await world.secret("CancelRotateSecret", SecretId=NAME)
        world.clock.advance(ms=10 * DAY_MS)
        assert await world.secrets._rotator.rotate_due() == 0
        assert "RotationEnabled" not in await world.secret("DescribeSecret", SecretId=NAME)

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize(
    "rules",
    [
        {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
        {"ScheduleExpression": "rate(5 minutes)"},
        {"ScheduleExpression": "rate(3 hours)"},
        {"ScheduleExpression": "cron(0 * * * ? *)"},
        {"ScheduleExpression": "cron(nonsense)"},
        {"ScheduleExpression": "rate(1 day)", "Duration": "0h"},
        {"ScheduleExpression": "rate(1 day)", "Duration": "25h"},
    ],
)
def test_schedules_that_cannot_be_are_refused(tmp_path, rules):
    async def scenario(world):
        await world.a_secret()
        await world.no(
            "InvalidParameterException",
            "RotateSecret",
            SecretId=NAME,
            RotationLambdaARN=ROTATOR,
            ClientRequestToken=TOKENS[1],
            RotationRules=rules,
        )

    with_secrets(tmp_path, scenario)
