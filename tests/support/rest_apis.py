"""REST APIs on real records, driven by the provider's own operations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Change, Principal, operations_of
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.provider import ApiGateway
from tests.support.stores import some_records

NOW_MS = 1_760_000_000_000
FUNCTION_URI = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:orders/invocations"
)


def a_seal() -> Seal:
    """Give the seal of every platform in these tests."""
    return Seal(bytes(range(32)))


class KeptChanges:
    """A publisher that keeps what it was told: `held` is what a gateway would hold now."""

    def __init__(self) -> None:
        self.told: list[Change] = []
        self.held: dict[str, Mapping[str, Any]] = {}

    async def publish(self, *changes: Change) -> None:
        for change in changes:
            self.told.append(change)
            if change.value is None:
                self.held.pop(change.key, None)
            else:
                self.held[change.key] = change.value


class GrantsAllBut:
    """An authorization that denies some actions and remembers what it was asked."""

    def __init__(self, *denied: str) -> None:
        self._denied = denied
        self.asked: list[Access] = []

    def check(self, call: Call, access: Access) -> None:
        self.asked.append(access)
        if access.action in self._denied:
            raise AccessDeniedException(f"not authorized to perform: {access.action}")


def a_call(operation: str, *, region: str = "us-east-1", account_id: str = "000000000000") -> Call:
    principal = Principal("root", account_id, f"arn:aws:iam::{account_id}:root", account_id)
    return Call("apigateway", operation, account_id, region, principal, "request-1", NOW_MS)


class Control:
    """The provider as an operator uses it: `await control("CreateRestApi", name="orders")`."""

    def __init__(self, provider: ApiGateway, changes: KeptChanges, authorization: GrantsAllBut) -> None:
        self.provider = provider
        self.changes = changes
        self.authorization = authorization
        self._operations = operations_of(provider)

    async def __call__(self, operation: str, *, region: str = "us-east-1", **params: Any) -> Any:
        _, method = self._operations[operation]
        return await method(a_call(operation, region=region), params)

    async def an_api(self, name: str = "orders", **params: Any) -> dict[str, Any]:
        return await self("CreateRestApi", name=name, **params)

    async def a_path(self, api: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Create the resources of `path` that are not there, and give the last one."""
        items = (await self("GetResources", restApiId=api["id"], limit=500))["items"]
        by_path = {each["path"]: each for each in items}
        here = by_path["/"]
        for part in path.strip("/").split("/") if path != "/" else ():
            below = f"{here['path'].rstrip('/')}/{part}"
            here = by_path.get(below) or await self(
                "CreateResource", restApiId=api["id"], parentId=here["id"], pathPart=part
            )
        return here

    async def a_method(self, api, path: str = "/", verb: str = "GET", integration=None, **params: Any) -> dict:
        """Put a method with a MOCK integration, unless told otherwise; give what names it."""
        resource = await self.a_path(api, path)
        named = {"restApiId": api["id"], "resourceId": resource["id"], "httpMethod": verb}
        await self("PutMethod", **named, **{"authorizationType": "NONE", **params})
        await self("PutIntegration", **named, **(integration or {"type": "MOCK"}))
        return named


def with_control(tmp_path: Path, scenario: Callable[[Control], Awaitable[Any]], *, denied: tuple[str, ...] = ()) -> Any:
    """Run `scenario` with a provider on empty records."""

    async def run() -> Any:
        async with a_control(tmp_path, denied=denied) as control:
            return await scenario(control)

    return asyncio.run(run())


@asynccontextmanager
async def a_control(tmp_path: Path, *, denied: tuple[str, ...] = ()):
    async with some_records(tmp_path) as records:
        changes, authorization = KeptChanges(), GrantsAllBut(*denied)
        yield Control(ApiGateway(records, changes, authorization, a_seal()), changes, authorization)
