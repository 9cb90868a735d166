"""Resource-based policies of tables: put, got, deleted here; `access` hands them to the authorizer with every call.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.errors import AccessDeniedException, ValidationException
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Access, Call
from gatepost.kernel.ports import Authorization
from gatepost.languages.iam_policy import PolicyError, parse_policy
from gatepost.services.dynamodb.model import PolicyNotFoundException, ResourceNotFoundException, Table
from gatepost.services.dynamodb.tables import Tables

POLICY_BYTES_MAX: Final = 20 * 1024
NO_POLICY: Final = "NO_POLICY"  # AWS: the revision of a table without a policy
CHANGE: Final = "dynamodb:PutResourcePolicy"
_DIGITS: Final = "0123456789"

Params = Mapping[str, Any]
Answer = dict[str, Any]


class ResourcePolicies:
    """Answers the three operations.

    `authorization` decides whether whoever puts a policy could still change it then; None: nobody is shut out.
    """

    def __init__(self, tables: Tables, authorization: Authorization | None) -> None:
        self._tables = tables
        self._authorization = authorization

    async def put(self, call: Call, params: Params) -> Answer:
        """Answer PutResourcePolicy: the policy is in force when it answers."""
        table = self._find(call, params["ResourceArn"])
        check_policy(params["Policy"])
        _check_revision(table, params)
        if not params.get("ConfirmRemoveSelfResourceAccess", False):
            self._check_own_access(call, table, params["Policy"])
        revision = new_revision(call)
        await self._tables.redefine(table, replace(table.definition, policy=(params["Policy"], revision)))
        return {"RevisionId": revision}

    def get(self, call: Call, params: Params) -> Answer:
        """Answer GetResourcePolicy. Raises: PolicyNotFoundException."""
        table = self._find(call, params["ResourceArn"])
        policy, revision = table.definition.policy
        if not policy:
            raise PolicyNotFoundException(f"Resource-based policy not found for the provided ResourceArn: {table.arn}")
        return {"Policy": policy, "RevisionId": revision}

    async def delete(self, call: Call, params: Params) -> Answer:
        """Answer DeleteResourcePolicy; without a policy it does nothing."""
        table = self._find(call, params["ResourceArn"])
        _check_revision(table, params)
        policy, revision = table.definition.policy
        if not policy:
            return {}
        await self._tables.redefine(table, replace(table.definition, policy=("", "")))
        return {"RevisionId": revision}

    def _check_own_access(self, call: Call, table: Table, policy: str) -> None:
        """Refuse a policy under which its author could not change it. Raises: ValidationException (unverified)."""
        if self._authorization is None:
            return
        try:
            self._authorization.check(call, Access(CHANGE, table.arn, resource_policy=policy))
        except AccessDeniedException as error:
            raise ValidationException(
                f"The new resource policy would not allow you to change it: allow yourself {CHANGE}, or confirm with "
                "ConfirmRemoveSelfResourceAccess"
            ) from error

    def _find(self, call: Call, arn: str) -> Table:
        parsed = parse_arn(arn)
        if parsed is None or parsed.service != "dynamodb" or not parsed.resource.startswith("table/"):
            raise ValidationException(f"Invalid ResourceArn: {arn}")
        if "/stream/" in arn or "/index/" in arn:
            raise ValidationException("ResourceArn: Gatepost has resource policies of tables only")
        table = self._tables.get(call, parsed.resource.removeprefix("table/"))
        if table is None or table.arn != arn:
            raise ResourceNotFoundException(f"Requested resource not found: ResourcArn: {arn} not found")
        return table


def check_policy(text: str) -> None:
    """Refuse what is no resource policy. Raises: ValidationException."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise ValidationException(f"Resource-based policy is larger than {POLICY_BYTES_MAX} bytes")
    try:
        parse_policy(text, "resource")
    except PolicyError as error:
        raise ValidationException(f"Invalid policy document: {error}") from error


def new_revision(call: Call) -> str:
    """Give the id of a new version of a policy."""
    return f"{call.now_ms}{random_id(6, _DIGITS)}"


def _check_revision(table: Table, params: Params) -> None:
    expected = params.get("ExpectedRevisionId")
    if expected is not None and expected != (table.definition.policy[1] or NO_POLICY):
        raise PolicyNotFoundException(
            "Resource-based policy not found for the provided ResourceArn: the policy has another revision"
        )
