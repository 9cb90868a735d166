"""All functions, in memory and in the store: read for every invocation, written seldom.

The services process is the only writer, so what is in memory is what is in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.lambda_.model import FUNCTION, Function, ResourceConflictException, ResourceNotFoundException
from gatepost.services.lambda_.names import FunctionName, check_qualifier, function_arn, parse_name
from gatepost.storage.base import Records


def _key(function: Function) -> RecordKey:
    return RecordKey(FUNCTION, function.account_id, function.region, function.name)


class Catalogue:
    """Functions by ARN. A change is stored first and published then."""

    def __init__(self, records: Records, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher
        self._functions: dict[str, tuple[Function, int]] = {}

    async def load(self) -> None:
        """Read everything from the store."""
        for record in await self._records.scan(FUNCTION):
            function = Function.from_json(record.value)
            self._functions[function.arn] = (function, record.version)

    def find(self, arn: str) -> Function | None:
        """Give a function by its unqualified ARN, or None."""
        found = self._functions.get(arn)
        return found[0] if found else None

    def named(self, call: Call, text: str, qualifier: str | None = None) -> Function:
        """Give the function that a caller names.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        name = parse_name(text)
        return self.get(call, name, qualifier)

    def get(self, call: Call, name: FunctionName, qualifier: str | None = None) -> Function:
        """Give the function of a parsed name. Raises: as `named`."""
        arn = function_arn(call, name)
        function = self.find(arn)
        check_qualifier(arn, name, qualifier)
        if function is None:
            suffix = f":{qualifier or name.qualifier}" if qualifier or name.qualifier else ""
            raise ResourceNotFoundException(f"Function not found: {arn}{suffix}", members={"Type": "User"})
        return function

    def of_region(self, account_id: str, region: str) -> list[Function]:
        """Give the functions of one account and region, by name."""
        found = (one for one, _ in self._functions.values() if one.account_id == account_id and one.region == region)
        return sorted(found, key=lambda one: one.name)

    async def create(self, function: Function) -> None:
        """Keep a new function. Raises: ResourceConflictException, StoreUnavailable."""
        try:
            record = await self._records.put(_key(function), function.to_json(), expected_version=0)
        except VersionConflict as conflict:
            words = f"Function already exist: {function.name}"
            raise ResourceConflictException(words, members={"Type": "User"}) from conflict
        await self._changed(function, record.version)

    async def replace(self, old: Function, new: Function) -> None:
        """Keep a changed function. Raises: ResourceConflictException when another change came first."""
        _, version = self._functions.get(old.arn, (old, -1))
        if version < 0 or self.find(old.arn) is not old:
            raise _in_progress(old)
        try:
            record = await self._records.put(_key(new), new.to_json(), expected_version=version)
        except VersionConflict as conflict:
            raise _in_progress(old) from conflict
        await self._changed(new, record.version)

    async def delete(self, function: Function) -> None:
        """Delete a function. Raises: StoreUnavailable."""
        await self._records.delete(_key(function))
        self._functions.pop(function.arn, None)
        await self._publisher.publish(Change(FUNCTION, function.arn, None))

    async def _changed(self, function: Function, version: int) -> None:
        self._functions[function.arn] = (function, version)
        await self._publisher.publish(Change(FUNCTION, function.arn, function.to_json()))

    def published(self) -> Sequence[Change]:
        """Give everything that the gateway should hold."""
        return [Change(FUNCTION, arn, function.to_json()) for arn, (function, _) in self._functions.items()]

    def all(self) -> Iterable[Function]:
        """Give every function of every account and region."""
        return [function for function, _ in self._functions.values()]


def _in_progress(function: Function) -> ResourceConflictException:
    return ResourceConflictException(
        "The operation cannot be performed at this time. An update is in progress for resource: " + function.arn,
        members={"Type": "User"},
    )
