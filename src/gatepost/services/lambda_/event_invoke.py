"""How asynchronous invocations of a function, a version or an alias are retried, and where their records go.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call
from gatepost.services.lambda_.catalogue import Catalogue, Target
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.destinations import Destinations, is_lost
from gatepost.services.lambda_.events import AGE_MS_MAX, RETRIES_MAX, Ending, FunctionEvent, Rules
from gatepost.services.lambda_.model import EVENT_INVOKE, LATEST, ResourceNotFoundException
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.shelf import Shelf

log = logging.getLogger(__name__)

Params = Mapping[str, Any]
Answer = dict[str, Any]

SENDING_PAUSES_S: Final = (1, 5, 30)  # unverified: how often AWS tries to send a record


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """One configuration. `arn` always has a qualifier; None: AWS's default; empty: no destination."""

    arn: str
    modified_at_ms: int
    retries_max: int | None = None
    age_s_max: int | None = None
    on_success: str = ""
    on_failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EventInvokeConfig:
        """Read what `to_json` gave."""
        return cls(**value)


class EventInvokeConfigs:
    """PutFunctionEventInvokeConfig and its like, and what events ask of them (`events.EventRules`)."""

    def __init__(
        self,
        catalogue: Catalogue,
        destinations: Destinations,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._catalogue = catalogue
        self._destinations = destinations
        self._clock = clock
        self._pause = pause
        self._configs: Shelf[EventInvokeConfig] = Shelf(EVENT_INVOKE, EventInvokeConfig.from_json)
        catalogue.owns(self._configs)

    # --- operations --------------------------------------------------------------------------------------------

    async def put(self, call: Call, params: Params) -> Answer:
        """Set how events are handled; what is not given goes back to the default.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        target = self._target(call, params)
        blank = EventInvokeConfig(_arn_of(target), self._clock.now_ms())
        return await self._keep(target, self._configs.find(blank.arn), blank, params)

    async def update(self, call: Call, params: Params) -> Answer:
        """Change how events are handled; what is not given stays. Raises: as `put`."""
        target = self._target(call, params)
        old = self._existing(target)
        return await self._keep(target, old, replace(old, modified_at_ms=self._clock.now_ms()), params)

    async def _keep(
        self, target: Target, old: EventInvokeConfig | None, new: EventInvokeConfig, params: Params
    ) -> Answer:
        changes: dict[str, Any] = {}
        if (retries := params.get("MaximumRetryAttempts")) is not None:
            changes["retries_max"] = retries
        if (age_s := params.get("MaximumEventAgeInSeconds")) is not None:
            changes["age_s_max"] = age_s
        for name, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
            given = (params.get("DestinationConfig") or {}).get(name)
            if given is not None:
                arn = changes[field] = given.get("Destination") or ""
                if arn:
                    self._destinations.check(
                        target.function, arn, what=f"DestinationConfig.{name}", is_success=name == "OnSuccess"
                    )
        if not changes:
            raise bad("You must specify at least one error handling or destination setting.")
        new = replace(new, **changes)
        step = self._configs.adding(new) if old is None else self._configs.replacing(old, new)
        await self._catalogue.commit(step)
        return to_aws(new)

    def get(self, call: Call, params: Params) -> Answer:
        """Say how events are handled. Raises: ResourceNotFoundException when nothing was set."""
        return to_aws(self._existing(self._target(call, params)))

    async def delete(self, call: Call, params: Params) -> None:
        """Go back to the defaults. Raises: ResourceNotFoundException when nothing was set."""
        await self._catalogue.commit(self._configs.deleting(self._existing(self._target(call, params))))

    def list(self, call: Call, params: Params) -> Answer:
        """Give the configurations of a function's versions and aliases, by qualifier."""
        function = self._catalogue.named(call, params["FunctionName"])
        found = sorted(self._configs.of_function(function.arn), key=lambda one: one.arn)
        chosen, marker = page(found, params, lambda one: one.arn)
        return {"FunctionEventInvokeConfigs": [to_aws(one) for one in chosen], **marker}

    def _target(self, call: Call, params: Params) -> Target:
        return self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))

    def _existing(self, target: Target) -> EventInvokeConfig:
        found = self._configs.find(_arn_of(target))
        if found is None:
            words = f"The function {_arn_of(target)} doesn't have an EventInvokeConfig"
            raise ResourceNotFoundException(words, members={"Type": "User"})
        return found

    # --- what events ask for -----------------------------------------------------------------------------------

    def rules(self, function_arn: str) -> Rules:
        """Say how an event for this ARN is tried."""
        config = self._of(function_arn)
        base = self._catalogue.find(":".join(function_arn.split(":")[:7]))
        return Rules(
            retries_max=RETRIES_MAX if config is None or config.retries_max is None else config.retries_max,
            age_ms_max=AGE_MS_MAX if config is None or config.age_s_max is None else config.age_s_max * 1000,
            is_off=base is not None and base.reserved_concurrency == 0,
        )

    async def ended(self, event: FunctionEvent, ending: Ending) -> FunctionEvent | None:
        """Send an ended event's record, and to the dead-letter queue what was given up.

        Gives the event that invokes a function as the destination. What cannot be sent is logged.
        """
        config = self._of(event.function_arn)
        is_success = ending.condition == "Success"
        arn = "" if config is None else config.on_success if is_success else config.on_failure
        follower = None
        if arn:
            follower = await self._insist(arn, lambda: self._destinations.send_record(event, ending, arn))
        dead_letters = "" if is_success else self._dead_letters_of(event.function_arn)
        if dead_letters:
            await self._insist(dead_letters, lambda: self._destinations.send_dead_letter(event, ending, dead_letters))
        return follower

    async def _insist(self, arn: str, send: Callable[[], Awaitable[FunctionEvent | None]]) -> FunctionEvent | None:
        for pause_s in (*SENDING_PAUSES_S, 0):
            try:
                return await send()
            except ServiceError as error:
                last = error
            if is_lost(last) or not pause_s:
                break
            await self._pause(pause_s)
        log.warning("record not sent", extra={"destination": arn, "error": last.message, "detail": last.detail})
        return None

    def _of(self, function_arn: str) -> EventInvokeConfig | None:
        parts = function_arn.split(":")
        return self._configs.find(function_arn if len(parts) == 8 else f"{function_arn}:{LATEST}")

    def _dead_letters_of(self, function_arn: str) -> str:
        parts = function_arn.split(":")
        target = self._catalogue.find_target(":".join(parts[:7]), parts[7] if len(parts) == 8 else "")
        return target.function.dead_letter_arn if target is not None else ""


def _arn_of(target: Target) -> str:
    return target.arn if target.qualifier else f"{target.arn}:{LATEST}"


def to_aws(config: EventInvokeConfig) -> Answer:
    """Give a FunctionEventInvokeConfig."""
    answer: Answer = {
        "LastModified": config.modified_at_ms,
        "FunctionArn": config.arn,
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success} if config.on_success else {},
            "OnFailure": {"Destination": config.on_failure} if config.on_failure else {},
        },
    }
    if config.retries_max is not None:
        answer["MaximumRetryAttempts"] = config.retries_max
    if config.age_s_max is not None:
        answer["MaximumEventAgeInSeconds"] = config.age_s_max
    return answer
