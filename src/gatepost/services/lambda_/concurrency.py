"""How many invocations of a function may run at a time, and how many workers stand ready for it.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.operations import Call
from gatepost.services.lambda_.catalogue import Catalogue, Target
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.model import LATEST, PROVISIONED, Function, ProvisionedConcurrencyConfigNotFoundException
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.shelf import Shelf

Params = Mapping[str, Any]
Answer = dict[str, Any]

UNRESERVED_MIN: Final = 100  # AWS keeps so many of an account's 1000 for functions without a reservation


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Workers that stand ready for a version or an alias. `arn` has the qualifier."""

    arn: str
    count: int
    modified_at_ms: int

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Provisioned:
        """Read what `to_json` gave."""
        return cls(**value)


class ConcurrencySettings:
    """PutFunctionConcurrency, PutProvisionedConcurrencyConfig and their like.

    `executions_max` is the account's limit. At least a tenth of it, at most 100, stays unreserved.
    """

    def __init__(self, catalogue: Catalogue, clock: Clock, *, executions_max: int) -> None:
        self.executions_max = executions_max
        self._catalogue = catalogue
        self._clock = clock
        self._provisioned: Shelf[Provisioned] = Shelf(PROVISIONED, Provisioned.from_json, topic=PROVISIONED)
        self._ready: Mapping[str, Mapping[str, Any]] = {}
        catalogue.owns(self._provisioned)

    def take_readiness(self, ready: Mapping[str, Mapping[str, Any]]) -> None:
        """Hear from the gateway what stands ready, by the ARN of version or alias: `ready` and `failure`."""
        self._ready = ready

    def unreserved(self, call: Call, *, without: str = "") -> int:
        """Give how many executions no function has reserved; the reservation of `without` is not counted."""
        found = self._catalogue.of_region(call.account_id, call.region)
        return self.executions_max - sum(one.reserved_concurrency or 0 for one in found if one.arn != without)

    # --- reserved ----------------------------------------------------------------------------------------------

    async def reserve(self, call: Call, params: Params) -> Answer:
        """Reserve executions for a function, which are its limit, too; 0 turns it off.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        count = params["ReservedConcurrentExecutions"]
        least = min(UNRESERVED_MIN, self.executions_max // 10)
        if self.unreserved(call, without=function.arn) - count < least:
            raise bad(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{least}]."
            )
        if count < (provisioned := sum(one.count for one in self._provisioned.of_function(function.arn))):
            raise bad(
                f"Requested ReservedConcurrentExecutions {count} is below the {provisioned} that are provisioned for "
                "versions and aliases of the function"
            )
        await self._catalogue.replace(function, replace(function, reserved_concurrency=count))
        return {"ReservedConcurrentExecutions": count}

    def reserved(self, call: Call, params: Params) -> Answer:
        """Give what is reserved for a function; nothing when it shares the account's."""
        return reserved_of(self._catalogue.named(call, params["FunctionName"]))

    async def unreserve(self, call: Call, params: Params) -> None:
        """Have a function share the account's executions again."""
        function = self._catalogue.named(call, params["FunctionName"])
        if function.reserved_concurrency is not None:
            await self._catalogue.replace(function, replace(function, reserved_concurrency=None))

    # --- provisioned -------------------------------------------------------------------------------------------

    async def provision(self, call: Call, params: Params) -> Answer:
        """Have workers stand ready for a version or an alias. They do a moment later.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        target = self._target(call, params)
        count = params["ProvisionedConcurrentExecutions"]
        base = self._catalogue.find(target.function.base_arn)
        assert base is not None
        others = [one for one in self._provisioned.of_function(base.arn) if one.arn != target.arn]
        total = count + sum(one.count for one in others)
        if base.reserved_concurrency is not None and total > base.reserved_concurrency:
            raise bad(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
        least = min(UNRESERVED_MIN, self.executions_max // 10)
        elsewhere = sum(one.count for one in self._provisioned.all() if not one.arn.startswith(base.arn + ":"))
        if base.reserved_concurrency is None and total + elsewhere > self.unreserved(call) - least:
            raise bad(
                f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency: "
                f"{self.unreserved(call)} executions, of which {least} stay free and {elsewhere} are provisioned"
            )
        old = self._provisioned.find(target.arn)
        new = Provisioned(target.arn, count, self._clock.now_ms())
        adding = self._provisioned.adding(new) if old is None else self._provisioned.replacing(old, new)
        await self._catalogue.commit(adding)
        return self._to_aws(new) | {"Status": "IN_PROGRESS"}

    def provisioned(self, call: Call, params: Params) -> Answer:
        """Say how many stand ready. Raises: ProvisionedConcurrencyConfigNotFoundException."""
        return self._to_aws(self._find(self._target(call, params)))

    async def unprovision(self, call: Call, params: Params) -> None:
        """Have none stand ready any more. Raises: ProvisionedConcurrencyConfigNotFoundException."""
        await self._catalogue.commit(self._provisioned.deleting(self._find(self._target(call, params))))

    def list(self, call: Call, params: Params) -> Answer:
        """Give a function's provisioned concurrency, by qualifier."""
        function = self._catalogue.named(call, params["FunctionName"])
        found = sorted(self._provisioned.of_function(function.arn), key=lambda one: one.arn)
        chosen, marker = page(found, params, lambda one: one.arn)
        return {
            "ProvisionedConcurrencyConfigs": [self._to_aws(one) | {"FunctionArn": one.arn} for one in chosen],
            **marker,
        }

    def _target(self, call: Call, params: Params) -> Target:
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        if target.qualifier in ("", LATEST) or target.function.version == LATEST:
            raise bad("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        return target

    def _find(self, target: Target) -> Provisioned:
        found = self._provisioned.find(target.arn)
        if found is None:
            raise ProvisionedConcurrencyConfigNotFoundException(
                "No Provisioned Concurrency Config found for this function", members={"Type": "User"}
            )
        return found

    def _to_aws(self, provisioned: Provisioned) -> Answer:
        heard = self._ready.get(provisioned.arn, {})
        ready = min(provisioned.count, heard.get("ready", 0))
        answer: Answer = {
            "RequestedProvisionedConcurrentExecutions": provisioned.count,
            "AvailableProvisionedConcurrentExecutions": ready,
            "AllocatedProvisionedConcurrentExecutions": ready,
            "Status": "READY" if ready == provisioned.count else "IN_PROGRESS",
            "LastModified": iso_8601(provisioned.modified_at_ms).replace("Z", "+0000"),
        }
        if ready < provisioned.count and heard.get("failure"):
            answer |= {"Status": "FAILED", "StatusReason": heard["failure"]}
        return answer


def reserved_of(function: Function) -> Answer:
    """Give a function's reservation as AWS shows it; nothing when there is none."""
    count = function.reserved_concurrency
    return {} if count is None else {"ReservedConcurrentExecutions": count}
