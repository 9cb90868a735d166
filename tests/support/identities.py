"""A whole IAM and STS over a real store, called through the real dispatcher."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Access, Call, Change, Principal
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.provider import IamProvider
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.sessions import Sessions
from gatepost.storage.base import Records
from tests.support.policies import ACCOUNT, a_document, a_statement, a_trust_document
from tests.support.stores import some_records

SEAL_KEY = bytes(range(32))


class Heard:
    """A publisher that keeps what it was told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def publish(self, *changes: Change) -> None:
        self.changes.extend(changes)


@dataclass
class IdentityWorld:
    """IAM and STS as they run, and a root user to start with."""

    records: Records
    clock: FixedClock = field(default_factory=FixedClock)
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.seal = Seal(SEAL_KEY)
        self.directory = Directory(self.seal)
        self.authorizer = Authorizer(self.directory)
        self.sessions = Sessions(self.directory, SessionTokens(self.seal), self.clock)
        self.iam = IamProvider(self.records, self.directory, self.heard, self.seal, self.clock)
        self.sts = StsProvider(self.directory, self.sessions, mfa=self.iam.mfa)
        self.dispatcher = Dispatcher(
            (self.iam, self.sts),
            authorization=self.authorizer,
            clock=self.clock,
            account_id=ACCOUNT,
            region="us-east-1",
        )
        self.root = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)

    async def do(self, operation: str, _as: Principal | None = None, /, service: str = "iam", **params: Any) -> Any:
        """Run an operation, by default as root."""
        return await self.dispatcher.invoke(_as or self.root, service, operation, params)

    async def refused(
        self, code: str, operation: str, _as: Principal | None = None, /, service: str = "iam", **params: Any
    ) -> str:
        """Run an operation that must fail with `code`; give its message."""
        with pytest.raises(ServiceError) as caught:
            await self.do(operation, _as, service=service, **params)
        assert caught.value.code == code, caught.value
        return caught.value.message

    async def refused_any(
        self, operation: str, _as: Principal | None = None, /, service: str = "iam", **params: Any
    ) -> str:
        """Run an operation that must fail; give the error's code."""
        with pytest.raises(ServiceError) as caught:
            await self.do(operation, _as, service=service, **params)
        return caught.value.code

    async def a_user(self, name: str = "ana", **params: Any) -> Principal:
        """Create a user and give its principal."""
        await self.do("CreateUser", UserName=name, **params)
        key = (await self.do("CreateAccessKey", UserName=name))["AccessKey"]
        return self.principal(key["AccessKeyId"])

    async def a_role(self, name: str = "app", *statements: dict[str, Any], trusts: Any = None, **params: Any) -> str:
        """Create a role that holds `statements` inline; give its ARN."""
        answer = await self.do("CreateRole", RoleName=name, AssumeRolePolicyDocument=a_trust_document(trusts), **params)
        if statements:
            await self.allow_role(name, *statements)
        return answer["Role"]["Arn"]

    async def allow_role(self, name: str, *statements: dict[str, Any], policy: str = "inline") -> None:
        """Put an inline policy on a role."""
        await self.do("PutRolePolicy", RoleName=name, PolicyName=policy, PolicyDocument=a_document(*statements))

    async def allow_user(self, name: str, *statements: dict[str, Any], policy: str = "inline") -> None:
        """Put an inline policy on a user."""
        await self.do("PutUserPolicy", UserName=name, PolicyName=policy, PolicyDocument=a_document(*statements))

    async def a_policy(self, name: str = "managed", *statements: dict[str, Any]) -> str:
        """Create a managed policy; give its ARN."""
        document = a_document(*(statements or (a_statement(),)))
        return (await self.do("CreatePolicy", PolicyName=name, PolicyDocument=document))["Policy"]["Arn"]

    def principal(self, access_key_id: str, session_token: str = "") -> Principal:
        """Give who a key belongs to."""
        identity = self.directory.find(access_key_id, session_token, self.clock.now_ms())
        assert identity is not None
        return identity.principal

    def session_principal(self, credentials: dict[str, Any]) -> Principal:
        """Give who an operation's Credentials belong to."""
        return self.principal(credentials["AccessKeyId"], credentials["SessionToken"])

    def call(self, principal: Principal, action: str = "dynamodb:PutItem", **changes: Any) -> Call:
        """Give a call as the endpoint would make it."""
        service, _, operation = action.partition(":")
        members = {
            "service": service,
            "operation": operation,
            "account_id": principal.account_id,
            "region": "us-east-1",
            "principal": principal,
            "request_id": "r",
            "now_ms": self.clock.now_ms(),
        }
        return Call(**(members | changes))

    def may(self, principal: Principal, action: str, resource: str = "*", /, **changes: Any) -> bool:
        """Say whether a principal may do something; `context` and `resource_policy` belong to the access."""
        access = Access(action, resource, changes.pop("context", {}), changes.pop("resource_policy", None))
        return self.authorizer.decide(self.call(principal, action, **changes), access).is_allowed


@asynccontextmanager
async def an_identity_world(folder: Path) -> AsyncIterator[IdentityWorld]:
    """IAM and STS over an empty store that lasts as long as the block."""
    async with some_records(folder) as records:
        world = IdentityWorld(records)
        await world.iam.load()
        yield world
