"""All functions with their versions and aliases, in memory and in the store.

A caller names a *target*: a function ($LATEST), a version, or an alias of one. `target` finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatepost.kernel.operations import Call, Change
from gatepost.kernel.ports import Publisher
from gatepost.services.lambda_.model import (
    ALIAS,
    FUNCTION,
    LATEST,
    VERSION,
    Alias,
    Function,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.names import FunctionName, chosen_qualifier, function_arn, parse_name
from gatepost.services.lambda_.shelf import Shelf, Step, commit
from gatepost.storage.base import Records


@dataclass(frozen=True, slots=True)
class Target:
    """What a caller names. `arn` has the qualifier that was asked for; `function` is the version that stands there."""

    arn: str
    qualifier: str  # empty: none was given
    function: Function
    alias: Alias | None = None

    @property
    def policy(self) -> str:
        """The resource policy of exactly this target."""
        return self.function.policy if self.alias is None else self.alias.policy

    @property
    def policy_revision_id(self) -> str:
        """The revision of that policy."""
        return self.function.policy_revision_id if self.alias is None else self.alias.policy_revision_id

    def named(self) -> Function:
        """Give the function as this target shows it: under the ARN that was asked for."""
        return replace(self.function, arn=self.arn)


class Catalogue:
    """Functions, versions and aliases by ARN."""

    def __init__(self, records: Records, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher
        self._functions = Shelf(FUNCTION, Function.from_json, topic=FUNCTION)
        self._versions = Shelf(VERSION, Function.from_json, topic=FUNCTION)
        self._aliases = Shelf(ALIAS, Alias.from_json, topic=ALIAS)
        self._belongings: list[Shelf[Any]] = []

    async def load(self) -> None:
        """Read everything from the store."""
        for shelf in self._shelves():
            await shelf.load(self._records)

    def _shelves(self) -> list[Shelf[Any]]:
        return [self._functions, self._versions, self._aliases, *self._belongings]

    def owns(self, shelf: Shelf[Any]) -> None:
        """Have what lies on `shelf` loaded, published and deleted with its function. Call it before `load`."""
        self._belongings.append(shelf)

    async def commit(self, *steps: Step) -> None:
        """Do all of `steps` or none. Raises: ResourceConflictException, StoreUnavailable."""
        await commit(self._records, self._publisher, steps)

    # --- finding -----------------------------------------------------------------------------------------------

    def find(self, arn: str) -> Function | None:
        """Give a function by its unqualified ARN, or None."""
        return self._functions.find(arn)

    def find_target(self, arn: str, qualifier: str) -> Target | None:
        """Give what an unqualified ARN and a qualifier mean, or None. An empty qualifier is $LATEST."""
        function = self._functions.find(arn)
        if function is None:
            return None
        if qualifier in ("", LATEST):
            return Target(f"{arn}:{LATEST}" if qualifier else arn, qualifier, function)
        version = self._versions.find(f"{arn}:{qualifier}")
        if version is not None:
            return Target(version.arn, qualifier, version)
        alias = self._aliases.find(f"{arn}:{qualifier}")
        if alias is None:
            return None
        found = function if alias.function_version == LATEST else self.version(arn, alias.function_version)
        return Target(alias.arn, qualifier, found, alias) if found is not None else None

    def target(self, call: Call, text: str, qualifier: str | None = None) -> Target:
        """Give the target that a caller names.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        return self.get_target(call, parse_name(text), qualifier)

    def get_target(self, call: Call, name: FunctionName, qualifier: str | None = None) -> Target:
        """Give the target of a parsed name. Raises: as `target`."""
        _check_region(call, name)
        arn = function_arn(call, name)
        asked = chosen_qualifier(name, qualifier)
        found = self.find_target(arn, asked)
        if found is None:
            raise not_found(f"{arn}:{asked}" if asked else arn)
        return found

    def named(self, call: Call, text: str) -> Function:
        """Give the function ($LATEST) that a caller names, for what belongs to a function as a whole.

        Raises: InvalidParameterValueException, ResourceNotFoundException.
        """
        name = parse_name(text)
        _check_region(call, name)
        function = self.find(function_arn(call, name))
        if function is None or name.qualifier not in ("", LATEST):
            raise not_found(f"{function_arn(call, name)}{':' if name.qualifier else ''}{name.qualifier}")
        return function

    def version(self, arn: str, number: str) -> Function | None:
        """Give a published version of the function with this unqualified ARN, or None."""
        return self._versions.find(f"{arn}:{number}")

    def versions(self, arn: str) -> list[Function]:
        """Give a function's published versions, the oldest first."""
        return sorted(self._versions.of_function(arn), key=lambda one: int(one.version))

    def alias(self, arn: str, name: str) -> Alias | None:
        """Give an alias of the function with this unqualified ARN, or None."""
        return self._aliases.find(f"{arn}:{name}")

    def aliases(self, arn: str) -> list[Alias]:
        """Give a function's aliases by name."""
        return sorted(self._aliases.of_function(arn), key=lambda one: one.name)

    def of_region(self, account_id: str, region: str) -> list[Function]:
        """Give the functions of one account and region, by name."""
        found = (one for one in self._functions.all() if one.account_id == account_id and one.region == region)
        return sorted(found, key=lambda one: one.name)

    # --- changing ----------------------------------------------------------------------------------------------

    async def create(self, function: Function) -> None:
        """Keep a new function. Raises: ResourceConflictException, StoreUnavailable."""
        if self.find(function.arn) is not None:
            raise ResourceConflictException(f"Function already exist: {function.name}", members={"Type": "User"})
        await self.commit(self._functions.adding(function))

    async def replace(self, old: Function, new: Function) -> None:
        """Keep a changed function or version.

        Raises: ResourceConflictException when another change came first, StoreUnavailable.
        """
        shelf = self._functions if old.version == LATEST else self._versions
        await self.commit(shelf.replacing(old, new))

    async def publish_version(self, old: Function, new: Function, version: Function) -> None:
        """Keep a new version, and on its function what it was. Raises: as `replace`."""
        await self.commit(self._functions.replacing(old, new), self._versions.adding(version))

    async def delete_version(self, version: Function) -> None:
        """Delete a version with what belongs to it. Raises: as `replace`."""
        gone = [shelf.deleting(one) for shelf in self._belongings for one in shelf.of_function(version.arn)]
        await self.commit(self._versions.deleting(version), *gone)

    async def put_alias(self, old: Alias | None, new: Alias) -> None:
        """Keep a new or changed alias. Raises: as `replace`."""
        await self.commit(self._aliases.adding(new) if old is None else self._aliases.replacing(old, new))

    async def delete_alias(self, alias: Alias) -> None:
        """Delete an alias with what belongs to it. Raises: as `replace`."""
        gone = [shelf.deleting(one) for shelf in self._belongings for one in shelf.of_function(alias.arn)]
        await self.commit(self._aliases.deleting(alias), *gone)

    async def delete(self, function: Function) -> None:
        """Delete a function with everything that belongs to it, in one commit. Raises: as `replace`."""
        arn = function.arn
        steps = [self._functions.deleting(function)]
        for shelf in self._shelves()[1:]:
            steps += [shelf.deleting(one) for one in shelf.of_function(arn)]
        await self.commit(*steps)

    def published(self) -> Sequence[Change]:
        """Give everything that the gateway should hold."""
        return [change for shelf in self._shelves() for change in shelf.published()]

    def all(self) -> Iterable[Function]:
        """Give every function and version of every account and region."""
        return [*self._functions.all(), *self._versions.all()]


def _check_region(call: Call, name: FunctionName) -> None:
    if name.region and name.region != call.region:
        raise ResourceNotFoundException(
            f"Functions from '{name.region}' are not reachable in this region ('{call.region}')",
            members={"Type": "User"},
        )


def not_found(arn: str) -> ResourceNotFoundException:
    """Say that there is no such function, version or alias."""
    return ResourceNotFoundException(f"Function not found: {arn}", members={"Type": "User"})
