"""Rotation: a function makes a new value in four steps, at once or by schedule.

RotateSecret announces a version (AWSPENDING, without a value) whose id is the request's token. Then the function is
invoked with `createSecret`, `setSecret`, `testSecret` and `finishSecret`, each after the one before has succeeded; it
puts the value and moves AWSCURRENT by the same operations as everyone else, with its own role. A rotation is done when
AWSCURRENT is on the new version. One that fails keeps AWSPENDING and is tried again, `ATTEMPTS` times in all, and again
when someone asks. Rotations by schedule begin at the start of their window.

The function's policy has to let `secretsmanager.amazonaws.com` in for the secret's ARN.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_how.html
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError, StoreUnavailable
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.ports import FunctionCalls
from gatepost.kernel.tasks import Tasks
from gatepost.services.secretsmanager.errors import InvalidParameterException, InvalidRequestException
from gatepost.services.secretsmanager.model import CURRENT, DAY_MS, PENDING, Rotation, Secret, Version
from gatepost.services.secretsmanager.operations import refuse, token_of
from gatepost.services.secretsmanager.secrets import Secrets, one_at_a_time

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

SERVICE: Final = "secretsmanager.amazonaws.com"
STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
ATTEMPTS: Final = 5
RETRY_AFTER_MS: Final = 60_000
SLEEP_MS_MAX: Final = 30_000  # the clock may be set meanwhile
EVERY_MS_MIN: Final = 4 * 3_600_000  # "You can rotate a secret as often as every four hours"
_RATE: Final = re.compile(r"rate\(\d+ (hour|hours|day|days)\)")


class Schedule(Protocol):
    """When rotations are due."""

    def next_after(self, now_ms: int, anchored_at_ms: int) -> int | None:
        """Give the first time after `now_ms`; None: never again."""
        ...


class RotationFunctions(FunctionCalls, Protocol):
    """Functions that rotate, and that can be asked before whether they would."""

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether a function is there and lets `service` in for `source_arn`."""
        ...


ParseSchedule = Callable[[str], Schedule]
"""Reads `rate(10 days)` or `cron(…)`. Raises: ValueError."""


class Rotator:
    """Runs rotations, one at a time for each secret. Call `start` once, `close` at the end."""

    def __init__(
        self,
        secrets: Secrets,
        functions: RotationFunctions,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        parse_schedule: ParseSchedule,
    ) -> None:
        self._secrets = secrets
        self._functions = functions
        self._clock = clock
        self._new_id = new_id
        self._parse = parse_schedule
        self._tasks = Tasks("rotation")
        self._running: set[str] = set()  # ARNs
        self._failed: dict[str, tuple[int, int]] = {}  # by ARN: attempts so far, when to try again
        self._woken = asyncio.Event()

    def start(self) -> None:
        """Watch schedules, and take up what was not finished."""
        self._tasks.spawn(self._watch(), name="watch")

    async def close(self) -> None:
        """Stop. A rotation that runs is taken up at the next start."""
        await self._tasks.close()

    def changed(self) -> None:
        """Look again at what is due."""
        self._woken.set()

    def next_at_ms(self, rotation: Rotation, after_ms: int) -> int:
        """Give when a secret is due after a time; 0: never."""
        if rotation.schedule:
            return self._parse(rotation.schedule).next_after(after_ms, rotation.anchored_at_ms) or 0
        return after_ms + rotation.after_days * DAY_MS if rotation.after_days else 0

    def may_invoke(self, secret: Secret, lambda_arn: str) -> bool:
        """Say whether a function is there and lets Secrets Manager in for a secret."""
        return self._functions.admits(lambda_arn, service=SERVICE, source_arn=secret.arn)

    def run(self, secret: Secret, *, only_test: bool = False) -> None:
        """Begin the rotation that a secret has announced, or only its test, unless it runs already."""
        token = secret.holder_of(PENDING)
        if token is None or secret.arn in self._running:
            return
        self._running.add(secret.arn)
        self._tasks.spawn(self._rotate(secret, token, only_test=only_test), name=f"rotate {secret.name}")

    async def _rotate(self, secret: Secret, token: str, *, only_test: bool) -> None:
        try:
            for step in ("testSecret",) if only_test else STEPS:
                await self._step(secret, token, step)
            await (self._tested(secret, token) if only_test else self._finished(secret, token))
            self._failed.pop(secret.arn, None)
        except (ServiceError, StoreUnavailable, _StepFailed) as error:
            attempts = self._failed.get(secret.arn, (0, 0))[0] + 1
            self._failed[secret.arn] = (attempts, self._clock.now_ms() + RETRY_AFTER_MS)
            log.warning("rotation failed", extra={"secret": secret.arn, "attempt": attempts, "error": str(error)})
            if only_test:
                await self._tested(secret, token)
        finally:
            self._running.discard(secret.arn)
            self._woken.set()

    async def _step(self, secret: Secret, token: str, step: str) -> None:
        payload = orjson.dumps({"Step": step, "SecretId": secret.arn, "ClientRequestToken": token})
        arn = secret.rotation.lambda_arn
        result = await self._functions.call(
            arn, payload, service=SERVICE, source_arn=secret.arn, request_id=self._new_id()
        )
        if result.function_error:
            raise _StepFailed(f"{step}: {arn} failed ({result.function_error})")

    async def _finished(self, secret: Secret, token: str) -> None:
        async with self._secrets.lock(secret.account_id, secret.region, secret.arn):
            await self._finish(secret, token)

    async def _finish(self, secret: Secret, token: str) -> None:
        now = self._secrets.find(secret.account_id, secret.region, secret.arn)
        if now is None:
            return
        if now.holder_of(CURRENT) != token:
            raise _StepFailed(f"finishSecret has not moved {CURRENT} to version {token}")
        at_ms = self._clock.now_ms()
        rotation = replace(now.rotation, rotated_at_ms=at_ms, next_at_ms=self.next_at_ms(now.rotation, at_ms))
        done = now.with_stage(PENDING, None) if now.holder_of(PENDING) == token else now
        await self._secrets.keep(now, replace(done, rotation=rotation, changed_at_ms=at_ms))

    async def _tested(self, secret: Secret, token: str) -> None:
        """Take the version away that was only made for the test."""
        async with self._secrets.lock(secret.account_id, secret.region, secret.arn):
            now = self._secrets.find(secret.account_id, secret.region, secret.arn)
            if now is not None and token in now.versions and now.holder_of(CURRENT) != token:
                left = {name: version for name, version in now.versions.items() if name != token}
                await self._secrets.keep(now, replace(now, versions=left))

    async def rotate_due(self) -> int:
        """Begin what is due by schedule, or to be tried again, and give how many rotations that are."""
        now_ms = self._clock.now_ms()
        count = 0
        self._forget_failures()
        for secret in self._secrets.every():
            if not _may_rotate(secret) or secret.arn in self._running:
                continue
            if _is_unfinished(secret):
                attempts, at_ms = self._failed.get(secret.arn, (0, 0))
                if attempts < ATTEMPTS and at_ms <= now_ms:
                    self.run(secret)
                    count += 1
            elif secret.rotation.is_enabled and 0 < secret.rotation.next_at_ms <= now_ms:
                self.run(await self.announce(secret, self._new_id(), now_ms))
                count += 1
        return count

    def _forget_failures(self) -> None:
        """Drop what is noted of rotations that nobody waits for any more: the secret is deleted, or they were ended."""
        for arn in list(self._failed):
            account_id, region = arn.split(":")[4], arn.split(":")[3]
            secret = self._secrets.find(account_id, region, arn)
            if secret is None or not _may_rotate(secret) or not _is_unfinished(secret):
                del self._failed[arn]

    async def announce(self, secret: Secret, token: str, now_ms: int) -> Secret:
        """Give a secret the version that a rotation is about to fill."""
        versions = {**secret.versions, token: Version(now_ms, (), has_value=False)}
        return await self._secrets.keep(secret, replace(secret, versions=versions).with_stage(PENDING, token))

    def due_in_ms(self) -> int:
        """Give how long it is until the next rotation, at most `SLEEP_MS_MAX`."""
        now_ms = self._clock.now_ms()
        times = [
            one.rotation.next_at_ms
            for one in self._secrets.every()
            if one.rotation.is_enabled and _may_rotate(one) and not _is_unfinished(one)
        ]
        times += [at_ms for attempts, at_ms in self._failed.values() if attempts < ATTEMPTS]
        first_ms = min((at_ms for at_ms in times if at_ms), default=now_ms + SLEEP_MS_MAX)
        return max(100, min(SLEEP_MS_MAX, first_ms - now_ms))

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.rotate_due()
            except (ServiceError, StoreUnavailable) as error:
                log.warning("rotations not begun", extra={"error": str(error)})
            self._woken.clear()
            timer = loop.call_later(self.due_in_ms() / 1000, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()


def _may_rotate(secret: Secret) -> bool:
    return not secret.deleted_at_ms and bool(secret.rotation.lambda_arn)


def _is_unfinished(secret: Secret) -> bool:
    """Say whether a rotation was announced that has not moved AWSCURRENT: its retries count, not the schedule."""
    pending = secret.holder_of(PENDING)
    return pending is not None and pending != secret.holder_of(CURRENT)


class _StepFailed(Exception):
    """A step of a rotation did not do what it should."""


class RotationOperations:
    """Operations on rotation; a part of the provider."""

    _secrets: Secrets
    _rotator: Rotator
    _parse_schedule: ParseSchedule

    @operation("RotateSecret")
    @one_at_a_time
    async def rotate_secret(self, call: Call, params: Params) -> Answer:
        """Say how a secret is rotated, and do it now unless RotateImmediately is false.

        Raises: ResourceNotFoundException, InvalidRequestException, InvalidParameterException, AccessDeniedException.
        """
        refuse(params, "ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn")
        secret = self._secrets.get(call, params["SecretId"])
        token = token_of(params)
        rotation = self._configured(call, secret, params)
        if not self._rotator.may_invoke(secret, rotation.lambda_arn):
            raise AccessDeniedException(
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
                f"access to the principal {SERVICE}."
            )
        pending = secret.holder_of(PENDING)
        if pending is not None and pending != secret.holder_of(CURRENT) and pending != token:
            self._rotator.run(secret)
            raise InvalidRequestException("A previous rotation isn't complete. That rotation will be reattempted.")
        rotates_now = params.get("RotateImmediately", True)
        changed = await self._secrets.keep(secret, replace(secret, rotation=rotation, changed_at_ms=call.now_ms))
        if token not in changed.versions:
            changed = await self._rotator.announce(changed, token, call.now_ms)
        self._rotator.run(changed, only_test=not rotates_now)
        self._rotator.changed()
        return {"ARN": secret.arn, "Name": secret.name, **({"VersionId": token} if rotates_now else {})}

    def _configured(self, call: Call, secret: Secret, params: Params) -> Rotation:
        rotation = secret.rotation
        lambda_arn = params.get("RotationLambdaARN", rotation.lambda_arn)
        if not lambda_arn:
            raise InvalidRequestException("No Lambda rotation function ARN is associated with this secret.")
        rules = params.get("RotationRules")
        if rules is not None:
            rotation = replace(rotation, **self._rules(rules), anchored_at_ms=call.now_ms // DAY_MS * DAY_MS)
        rotation = replace(rotation, lambda_arn=lambda_arn, is_enabled=True)
        return replace(rotation, next_at_ms=self._rotator.next_at_ms(rotation, call.now_ms))

    def _rules(self, rules: Params) -> dict[str, Any]:
        days, expression = rules.get("AutomaticallyAfterDays", 0), rules.get("ScheduleExpression", "")
        if days and expression:
            raise InvalidParameterException(
                "You can't specify both AutomaticallyAfterDays and ScheduleExpression in RotationRules."
            )
        if expression:
            self._check_schedule(expression)
        duration = rules.get("Duration", "")
        if duration and not 1 <= int(duration.removesuffix("h")) <= 24:
            raise InvalidParameterException(f"Duration is {duration}: use 1h to 24h.")
        return {"after_days": days, "schedule": expression, "duration": duration}

    def _check_schedule(self, expression: str) -> None:
        if expression.startswith("rate(") and not _RATE.fullmatch(expression):
            raise InvalidParameterException(
                f"ScheduleExpression {expression}: use rate() with hours or days, or cron()."
            )
        try:
            schedule = self._parse_schedule(expression)
        except ValueError as error:
            raise InvalidParameterException(f"ScheduleExpression {expression} is not valid: {error}") from error
        first = schedule.next_after(0, 0)
        second = schedule.next_after(first, 0) if first is not None else None
        if first is not None and second is not None and second - first < EVERY_MS_MIN:
            raise InvalidParameterException(
                f"ScheduleExpression {expression}: a secret is rotated every four hours at most."
            )

    @operation("CancelRotateSecret")
    @one_at_a_time
    async def cancel_rotate_secret(self, call: Call, params: Params) -> Answer:
        """Rotate no more. A rotation that runs is not stopped. Raises: ResourceNotFoundException."""
        secret = self._secrets.get(call, params["SecretId"])
        if not secret.rotation.lambda_arn:
            raise InvalidRequestException("You tried to cancel the rotation of a secret that isn't configured for it.")
        changed = replace(secret, rotation=replace(secret.rotation, is_enabled=False, next_at_ms=0))
        if (pending := secret.holder_of(PENDING)) is not None and pending != secret.holder_of(CURRENT):
            changed = changed.with_stage(PENDING, None)
        await self._secrets.keep(secret, changed)
        return {"ARN": secret.arn, "Name": secret.name}
