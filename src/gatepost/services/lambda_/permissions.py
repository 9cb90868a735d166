"""Resource policies by operations: AddPermission, RemovePermission, GetPolicy, for functions, versions and aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from gatepost.kernel.operations import Call
from gatepost.services.lambda_ import policy as policies
from gatepost.services.lambda_.catalogue import Catalogue, Target
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.model import LATEST, PreconditionFailedException, ResourceNotFoundException

Params = Mapping[str, Any]
Answer = dict[str, Any]


class Permissions:
    """Who else may invoke. Each version and each alias has a policy of its own."""

    def __init__(self, catalogue: Catalogue, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._new_id = new_id

    async def add(self, call: Call, params: Params) -> Answer:
        """Let someone else invoke. Raises: ResourceConflictException, PolicyLengthExceededException."""
        target = self._target(call, params)
        if target.qualifier == LATEST:
            raise bad("We currently do not support adding policies for $LATEST.")
        statement = policies.statement_of(params, target.arn)
        await self._keep(target, policies.with_statement(target.policy, statement))
        return {"Statement": orjson.dumps(statement).decode()}

    async def remove(self, call: Call, params: Params) -> None:
        """Take a statement away. Raises: ResourceNotFoundException."""
        target = self._target(call, params)
        if not target.policy:
            raise ResourceNotFoundException(
                "No policy is associated with the given resource.", members={"Type": "User"}
            )
        await self._keep(target, policies.without_statement(target.policy, params["StatementId"]))

    def get(self, call: Call, params: Params) -> Answer:
        """Give a policy. Raises: ResourceNotFoundException."""
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        if not target.policy:
            raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})
        return {"Policy": target.policy, "RevisionId": target.policy_revision_id}

    def _target(self, call: Call, params: Params) -> Target:
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        if params.get("RevisionId") not in (None, "", target.policy_revision_id):
            raise PreconditionFailedException(
                "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the "
                "latest RevisionId",
                members={"Type": "User"},
            )
        return target

    async def _keep(self, target: Target, policy: str) -> None:
        changes: dict[str, Any] = {"policy": policy, "policy_revision_id": self._new_id()}
        if target.alias is not None:
            await self._catalogue.put_alias(target.alias, replace(target.alias, **changes))
        else:
            await self._catalogue.replace(target.function, replace(target.function, **changes))
