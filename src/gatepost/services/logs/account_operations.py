"""What an account keeps besides groups: resource policies (who may write for it) and saved queries.

Sources: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html,
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token
from gatepost.services.logs.filters import LogReach
from gatepost.services.logs.model import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)
from gatepost.services.logs.paging import start_of

Params = Mapping[str, Any]
Answer = dict[str, Any]

POLICY: Final = "logs_resource_policy"  # kinds of records
QUERY_DEFINITION: Final = "logs_query_definition"
POLICIES_MAX: Final = 10
POLICY_CHARACTERS_MAX: Final = 5120
QUERY_DEFINITIONS_MAX: Final = 1000
PAGE_MAX: Final = 1000


class AccountOperations:
    """Mixed into the provider, which sets these."""

    _reach: LogReach
    _clock: Clock
    policies: dict[tuple[str, str], dict[str, Mapping[str, Any]]]  # by account and region, by name, as records

    async def load_policies(self) -> None:
        """Read the resource policies."""
        for record in await self._reach.records.scan(POLICY):
            key = record.key
            self.policies.setdefault((key.account_id, key.region), {})[key.id] = record.value

    def merged_policy(self, account_id: str, region: str) -> str | None:
        """Give all statements of an account's resource policies as one document."""
        held = self.policies.get((account_id, region))
        if not held:
            return None
        statements: list[Any] = []
        for value in held.values():
            found = json.loads(value["policyDocument"])["Statement"]
            statements.extend(found if isinstance(found, list) else [found])
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    @operation("PutResourcePolicy")
    async def put_resource_policy(self, call: Call, params: Params) -> Answer:
        """Let services write to the account's log groups. Raises: InvalidParameterException, LimitExceededException."""
        _refuse_scoped(params)
        name, document = params.get("policyName"), params.get("policyDocument")
        if not name or not document:
            raise InvalidParameterException("policyName and policyDocument must be given")
        _check_document(document)
        held = self.policies.setdefault((call.account_id, call.region), {})
        if name not in held and len(held) >= POLICIES_MAX:
            raise LimitExceededException("Resource limit exceeded.")
        value = {
            "policyName": name,
            "policyDocument": document,
            "lastUpdatedTime": self._clock.now_ms(),
            "policyScope": "ACCOUNT",
        }
        await self._reach.records.put(call.key(POLICY, name), value, expected_version=None)
        held[name] = value
        return {"resourcePolicy": value}

    @operation("DescribeResourcePolicies")
    def describe_resource_policies(self, call: Call, params: Params) -> Answer:
        """Give the account's resource policies by name."""
        if params.get("resourceArn") or params.get("policyScope", "ACCOUNT") != "ACCOUNT":
            return {"resourcePolicies": []}  # none has a policy of its own
        held = self.policies.get((call.account_id, call.region), {})
        return _page("resourcePolicies", [dict(held[name]) for name in sorted(held)], params)

    @operation("DeleteResourcePolicy")
    async def delete_resource_policy(self, call: Call, params: Params) -> Answer:
        """Delete a resource policy. Raises: ResourceNotFoundException."""
        _refuse_scoped(params)
        name = params.get("policyName") or ""
        held = self.policies.get((call.account_id, call.region), {})
        if name not in held:
            raise ResourceNotFoundException(f"Policy with name [{name}] does not exist")
        await self._reach.records.delete(call.key(POLICY, name))
        held.pop(name, None)  # of two that delete it at once, the first has
        return {}

    @operation("PutQueryDefinition")
    async def put_query_definition(self, call: Call, params: Params) -> Answer:
        """Save a query, or change a saved one. Raises: ResourceNotFoundException, LimitExceededException."""
        if params.get("queryLanguage", "CWLI") != "CWLI" or params.get("parameters"):
            raise InvalidParameterException("queryLanguage (but CWLI) and parameters are not supported by Gatepost")
        query_id = params.get("queryDefinitionId")
        if query_id:
            if await self._reach.records.get(call.key(QUERY_DEFINITION, query_id)) is None:
                raise ResourceNotFoundException("The specified query definition does not exist.")
        else:
            held = await self._definitions(call)
            if len(held) >= QUERY_DEFINITIONS_MAX:
                raise LimitExceededException("Resource limit exceeded.")
            query_id = params.get("clientToken") or self._reach.new_id()
        value = {
            "queryLanguage": "CWLI",
            "queryDefinitionId": query_id,
            "name": params["name"],
            "queryString": params["queryString"],
            "lastModified": self._clock.now_ms(),
            "logGroupNames": list(params.get("logGroupNames") or ()),
        }
        await self._reach.records.put(call.key(QUERY_DEFINITION, query_id), value, expected_version=None)
        return {"queryDefinitionId": query_id}

    @operation("DescribeQueryDefinitions")
    async def describe_query_definitions(self, call: Call, params: Params) -> Answer:
        """Give the saved queries by name."""
        if params.get("queryLanguage", "CWLI") != "CWLI":
            return {"queryDefinitions": []}
        prefix = params.get("queryDefinitionNamePrefix") or ""
        found = [value for value in await self._definitions(call) if value["name"].startswith(prefix)]
        found.sort(key=lambda value: (value["name"], value["queryDefinitionId"]))
        return _page("queryDefinitions", found, {**params, "limit": params.get("maxResults")})

    @operation("DeleteQueryDefinition")
    async def delete_query_definition(self, call: Call, params: Params) -> Answer:
        """Delete a saved query. Raises: ResourceNotFoundException."""
        if not await self._reach.records.delete(call.key(QUERY_DEFINITION, params["queryDefinitionId"])):
            raise ResourceNotFoundException("The specified query definition does not exist.")
        return {"success": True}

    async def _definitions(self, call: Call) -> list[dict[str, Any]]:
        found = await self._reach.records.page(
            QUERY_DEFINITION, call.account_id, call.region, count_max=QUERY_DEFINITIONS_MAX
        )
        return [record.value for record in found]


def _refuse_scoped(params: Params) -> None:
    if params.get("resourceArn") or params.get("expectedRevisionId"):
        raise InvalidParameterException(
            "resourceArn and expectedRevisionId are not supported by Gatepost: policies are the account's"
        )


def _check_document(document: str) -> None:
    if len(document) > POLICY_CHARACTERS_MAX:
        raise InvalidParameterException(f"policyDocument has more than {POLICY_CHARACTERS_MAX} characters")
    try:
        parsed = json.loads(document)
        is_policy = isinstance(parsed, dict) and isinstance(parsed.get("Statement"), dict | list)
    except (ValueError, RecursionError):
        is_policy = False
    if not is_policy:
        raise InvalidParameterException("Invalid policy document: it is no JSON object with a Statement")


def _page(member: str, items: list[Answer], params: Params) -> Answer:
    start = start_of(params.get("nextToken"), 0)
    end = start + min(params.get("limit") or PAGE_MAX, PAGE_MAX)
    answer: Answer = {member: items[start:end]}
    return {**answer, "nextToken": page_token(end)} if len(items) > end else answer
