"""Aliases: names for versions, which may send a share of the invocations to a second version.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html
https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gatepost.kernel.operations import Call
from gatepost.services.lambda_.catalogue import Catalogue, not_found
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.model import (
    LATEST,
    Alias,
    Function,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.versions import check_revision

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Aliases:
    """CreateAlias and its like."""

    def __init__(self, catalogue: Catalogue, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._new_id = new_id

    async def create(self, call: Call, params: Params) -> Answer:
        """Name a version.

        Raises: ResourceConflictException, ResourceNotFoundException, InvalidParameterValueException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        arn = f"{function.arn}:{params['Name']}"
        if self._catalogue.alias(function.arn, params["Name"]) is not None:
            raise ResourceConflictException(f"Alias already exists: {arn}", members={"Type": "User"})
        alias = Alias(
            name=params["Name"],
            arn=arn,
            function_version=params["FunctionVersion"],
            revision_id=self._new_id(),
            description=params.get("Description", ""),
            weights=_weights(params),
        )
        self._check(function, alias)
        await self._catalogue.put_alias(None, alias)
        return to_aws(alias)

    async def update(self, call: Call, params: Params) -> Answer:
        """Have an alias name another version or share; the next invocation follows.

        Raises: PreconditionFailedException, ResourceNotFoundException, InvalidParameterValueException.
        """
        function, alias = self._find(call, params)
        check_revision(alias.revision_id, params)
        weights = _weights(params) if "RoutingConfig" in params else alias.weights
        changed = replace(
            alias,
            function_version=params.get("FunctionVersion", alias.function_version),
            description=params.get("Description", alias.description),
            weights=weights,
            revision_id=self._new_id(),
        )
        self._check(function, changed)
        await self._catalogue.put_alias(alias, changed)
        return to_aws(changed)

    async def delete(self, call: Call, params: Params) -> None:
        """Delete an alias; one that is not there is gone already, as on AWS."""
        function = self._catalogue.named(call, params["FunctionName"])
        alias = self._catalogue.alias(function.arn, params["Name"])
        if alias is not None:
            await self._catalogue.delete_alias(alias)

    def get(self, call: Call, params: Params) -> Answer:
        """Describe an alias. Raises: ResourceNotFoundException."""
        return to_aws(self._find(call, params)[1])

    def list(self, call: Call, params: Params) -> Answer:
        """Give a function's aliases by name, all or those of one version."""
        function = self._catalogue.named(call, params["FunctionName"])
        version = params.get("FunctionVersion")
        found = [one for one in self._catalogue.aliases(function.arn) if version in (None, one.function_version)]
        chosen, marker = page(found, params, lambda one: one.name)
        return {"Aliases": [to_aws(one) for one in chosen], **marker}

    def _find(self, call: Call, params: Params) -> tuple[Function, Alias]:
        function = self._catalogue.named(call, params["FunctionName"])
        alias = self._catalogue.alias(function.arn, params["Name"])
        if alias is None:
            words = f"Cannot find alias arn: {function.arn}:{params['Name']}"
            raise ResourceNotFoundException(words, members={"Type": "User"})
        return function, alias

    def _check(self, function: Function, alias: Alias) -> None:
        main = self._version(function, alias.function_version)
        if not alias.weights:
            return
        if len(alias.weights) > 1:
            raise bad("Number of items in AdditionalVersionWeights cannot be greater than 1")
        ((other, weight),) = alias.weights.items()
        if LATEST in (alias.function_version, other):
            raise bad("$LATEST is not supported for an alias pointing to more than 1 version")
        if other == alias.function_version:
            raise bad(f"Invalid function version {other}. Function version {other} is already included in routing")
        if not 0.0 <= weight <= 1.0:
            raise bad(f"Weight {weight} of version {other} is not between 0.0 and 1.0")
        if self._version(function, other).role_arn != main.role_arn:
            raise bad("Both versions of an alias must have the same execution role")

    def _version(self, function: Function, number: str) -> Function:
        found = function if number == LATEST else self._catalogue.version(function.arn, number)
        if found is None:
            raise not_found(f"{function.arn}:{number}")
        return found


def _weights(params: Params) -> dict[str, float]:
    return dict((params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def to_aws(alias: Alias) -> Answer:
    """Give an AliasConfiguration."""
    answer: Answer = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.function_version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return answer
