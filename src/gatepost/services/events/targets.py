"""What rules send events to, and how it gets there.

Functions are invoked asynchronously (their resource policies must let EventBridge in); log groups take the event as a
line (a resource policy of CloudWatch Logs must allow it); buses of the same account take it as an event of theirs.
Queues and topics are at endpoints that the operator named with `--service`. Whatever else is refused when it is put.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gatepost.kernel.arn import Arn, parse_arn
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import Deliveries, FunctionTriggers, Message
from gatepost.kernel.sinks import LogDelivery
from gatepost.kernel.tasks import Tasks
from gatepost.services.events.inputs import BadInput, check_target_input, payload_of
from gatepost.services.events.model import EventsValidationException, Rule

log = logging.getLogger(__name__)

SERVICE: Final = "events.amazonaws.com"
RETRIES_MAX: Final = 185  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
AGE_S_MAX: Final = 86_400
PAUSE_S_MAX: Final = 300.0
WAITING_MAX: Final = 1_000  # deliveries that are tried again later
HOPS_MAX: Final = 8  # from bus to bus
GIVEN_MAX: Final = 100  # times to a bus: rules that lead back to their bus would multiply an event at each of its hops
_MEMBERS: Final = frozenset({"Id", "Arn", "Input", "InputPath", "InputTransformer", "RoleArn", "RetryPolicy"})
_FORWARDED: Final = ("sqs", "sns")
_PASSING: Final = frozenset({"TooManyRequestsException", "ServiceUnavailable", "InternalFailure"})


class Way:
    """How an event came to a bus: over how many others, and to how many it has been given on all its ways together."""

    __slots__ = ("_given", "_hops")

    def __init__(self, hops: int = 0, given: Iterator[int] | None = None) -> None:
        self._hops = hops
        self._given = given or itertools.count(1)

    def on(self) -> Way:
        """Give the way to another bus. Raises: EventsValidationException."""
        if self._hops >= HOPS_MAX:
            raise EventsValidationException(f"An event went through more than {HOPS_MAX} buses")
        if next(self._given) > GIVEN_MAX:
            raise EventsValidationException(f"An event was given to buses more than {GIVEN_MAX} times")
        return Way(self._hops + 1, self._given)


Publish = Callable[[str, Mapping[str, Any], Way], Awaitable[None]]  # bus ARN, event


@dataclass(frozen=True, slots=True)
class Reach:
    """What events can be delivered to."""

    triggers: FunctionTriggers
    logs: LogDelivery | None = None
    deliveries: Deliveries | None = None


class Targets:
    """Checks targets, and delivers to them. `close` gives up what waits to be tried again."""

    def __init__(
        self,
        reach: Reach,
        clock: Clock,
        new_id: Callable[[], str],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reach = reach
        self._pause = pause
        self._clock = clock
        self._new_id = new_id
        self._waiting = Tasks("event deliveries")
        self.publish: Publish | None = None  # to a bus, set by the provider

    def checked(self, target: Mapping[str, Any], *, account_id: str, region: str) -> dict[str, Any]:
        """Give a target as it is kept. Raises: EventsValidationException."""
        arn = parse_arn(target["Arn"])
        if arn is None:
            raise EventsValidationException(
                f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct format."
            )
        if not self._is_reachable(arn, account_id=account_id, region=region):
            raise EventsValidationException(
                f"Target {target['Arn']} is not supported by Gatepost: targets are functions, log groups and buses of "
                "the same account; queues and topics where --service names an endpoint for them"
            )
        for name, value in target.items():
            if name not in _MEMBERS and value:
                raise EventsValidationException(f"{name} of targets is not supported by Gatepost: leave it out")
        try:
            check_target_input(target)
        except BadInput as error:
            raise EventsValidationException(str(error)) from error
        return {name: value for name, value in target.items() if value}

    def _is_reachable(self, arn: Arn, *, account_id: str, region: str) -> bool:
        if arn.service == "lambda":
            return arn.resource.startswith("function:")
        if arn.service == "logs":
            return self._reach.logs is not None and arn.resource.startswith("log-group:")
        if arn.service == "events":
            is_ours = (arn.account_id, arn.region) == (account_id, region)
            return is_ours and arn.resource.startswith("event-bus/")
        deliveries = self._reach.deliveries
        return arn.service in _FORWARDED and deliveries is not None and arn.service in deliveries.services

    async def deliver(self, rule: Rule, event: Mapping[str, Any], *, way: Way | None = None) -> None:
        """Deliver an event to every target of a rule. What fails is logged, and tried again where that may help."""
        way = way or Way()
        sends = [self._first(rule, target, event, way) for target in rule.targets]
        await asyncio.gather(*sends)

    async def _first(self, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any], way: Way) -> None:
        try:
            await self._send(rule, target, event, way)
        except ServiceError as error:
            retry = target.get("RetryPolicy") or {}
            retries = retry.get("MaximumRetryAttempts", RETRIES_MAX)
            if error.code not in _PASSING or not retries or len(self._waiting) >= WAITING_MAX:
                self._given_up(rule, target, error)
                return
            age_s = retry.get("MaximumEventAgeInSeconds", AGE_S_MAX)
            until_ms = self._clock.now_ms() + 1000 * int(age_s)
            self._waiting.spawn(self._again(rule, target, event, way, (int(retries), until_ms)), name=self._new_id())

    async def _again(
        self, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any], way: Way, bounds: tuple[int, int]
    ) -> None:
        retries, until_ms = bounds
        pause_s = 1.0
        for left in range(retries - 1, -1, -1):
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
            try:
                await self._send(rule, target, event, way)
            except ServiceError as error:
                if not left or error.code not in _PASSING or self._clock.now_ms() >= until_ms:
                    self._given_up(rule, target, error)
                    return
            else:
                return

    def _given_up(self, rule: Rule, target: Mapping[str, Any], error: ServiceError) -> None:
        told = {"rule": rule.arn, "target": target["Arn"], "code": error.code, "error": error.message}
        log.warning("rule's target not invoked", extra=told)

    async def _send(self, rule: Rule, target: Mapping[str, Any], event: Mapping[str, Any], way: Way) -> None:
        arn = str(target["Arn"])
        now_ms = self._clock.now_ms()
        payload = payload_of(target, event, rule_arn=rule.arn, rule_name=rule.name, now_ms=now_ms)
        service = arn.split(":")[2]
        if service == "lambda":
            await self._reach.triggers.trigger(
                arn, _as_json(payload), service=SERVICE, source_arn=rule.arn, request_id=self._new_id()
            )
        elif service == "logs" and self._reach.logs is not None:
            await self._reach.logs.deliver(
                arn.removesuffix(":*"), self._new_id(), payload.decode(), service=SERVICE, source_arn=rule.arn
            )
        elif service == "events" and self.publish is not None:
            await self.publish(arn, event, way.on())
        elif self._reach.deliveries is not None:
            await self._reach.deliveries.send(arn, Message(payload.decode()))

    async def close(self) -> None:
        """Stop trying again."""
        await self._waiting.close()


def _as_json(payload: bytes) -> bytes:
    """Give a payload that a function can read: a template's text that is no JSON is a JSON string."""
    try:
        orjson.loads(payload)
    except ValueError:
        return orjson.dumps(payload.decode())
    return payload
