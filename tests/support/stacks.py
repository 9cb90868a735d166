"""A platform without sockets: the real services over real stores, and the template engine that calls them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatepost.app.issuers_elsewhere import IssuersElsewhere
from gatepost.app.secret_services import SecretServices
from gatepost.app.user_pools import UserPoolParts, UserPools
from gatepost.awsapi.authorization import Authorizer
from gatepost.awsapi.dispatch import Dispatcher
from gatepost.config import Settings
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.ids import request_id
from gatepost.kernel.operations import Change, Principal
from gatepost.kernel.ports import Invocation, InvocationResult, InvocationStream
from gatepost.security.certificates import LocalAuthority
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.acm.provider import AcmProvider
from gatepost.services.apigateway.provider import ApiGateway
from gatepost.services.apigatewayv2.provider import ApiGatewayV2
from gatepost.services.cloudformation.provider import CloudFormation
from gatepost.services.cloudwatch.alarms import AlarmReach
from gatepost.services.cloudwatch.provider import CloudWatchProvider
from gatepost.services.cloudwatch.store import MIGRATIONS as METRIC_MIGRATIONS
from gatepost.services.cloudwatch.store import MetricStore
from gatepost.services.dynamodb.provider import DynamoDbProvider
from gatepost.services.dynamodbstreams.reader import StreamReader
from gatepost.services.events.provider import EventsProvider
from gatepost.services.events.targets import Reach
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.provider import IamProvider
from gatepost.services.lambda_.provider import LambdaParts, LambdaProvider
from gatepost.services.logs.filters import LogReach
from gatepost.services.logs.provider import LogsProvider
from gatepost.services.logs.store import MIGRATIONS as LOG_MIGRATIONS
from gatepost.services.logs.store import LogStore
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.sessions import Sessions
from gatepost.storage import items, records
from gatepost.storage.assets import FileAssets
from gatepost.storage.items import ItemStore
from gatepost.storage.records import SqliteRecords
from gatepost.storage.sqlite import Database
from gatepost.templates.acceptance import Acceptance
from gatepost.templates.custom_resources import CustomResource, CustomResponses
from gatepost.templates.registry import resource_handlers, template_compiler
from gatepost.templates.resources.cloudformation import Named
from gatepost.templates.stacks import Stacks
from gatepost.wire.messages import Request, Response

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, name="root")
SETTLED = ("_COMPLETE", "_FAILED")


class Heard:
    """A publisher that keeps what it was told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    async def publish(self, *changes: Change) -> None:
        self.changes.extend(changes)


class PythonFunctions:
    """Runs functions as plain Python callables: enough for what custom resources ask of Lambda."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[dict[str, Any]], Any]] = {}

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        name = invocation.function_arn.split(":function:")[1].split(":")[0]
        try:
            answer = self.handlers[name](json.loads(invocation.payload))
        except ZeroDivisionError as fault:
            return InvocationResult(200, json.dumps({"errorMessage": str(fault)}).encode(), "Unhandled")
        return InvocationResult(200, json.dumps(answer).encode())

    async def stream(self, invocation: Invocation) -> InvocationStream:
        raise AssertionError(f"custom resources are not streamed: {invocation.function_arn}")


@dataclass
class StackWorld:
    """The services, the engine and what a test asks of them."""

    folder: Path
    records_db: Database
    items_db: Database
    logs_db: Database
    metrics_db: Database
    acceptance: Acceptance = field(default_factory=Acceptance)
    clock: FixedClock = field(default_factory=FixedClock)
    heard: Heard = field(default_factory=Heard)
    functions: PythonFunctions = field(default_factory=PythonFunctions)

    def __post_init__(self) -> None:
        self.records = SqliteRecords(self.records_db)
        self.assets = FileAssets(self.folder / "assets")
        seal = Seal(bytes(range(32)))
        self.directory = Directory(seal)
        authorizer = Authorizer(self.directory)
        sessions = Sessions(self.directory, SessionTokens(seal), self.clock)
        self.iam = IamProvider(self.records, self.directory, self.heard, seal, self.clock)
        item_store = ItemStore(self.items_db, self.clock)
        self.dynamodb = DynamoDbProvider(item_store, self.clock)
        self.lambda_ = LambdaProvider(
            LambdaParts(
                records=self.records,
                publisher=self.heard,
                clock=self.clock,
                assets=self.assets,
                role_sessions=sessions,
                invoker=self.functions,
                functions_dir=self.folder / "functions",
                authorization=authorizer,
                streams=StreamReader(item_store.streams),
            )
        )
        self.cloudwatch = CloudWatchProvider(
            MetricStore(self.metrics_db),
            self.clock,
            AlarmReach(self.records, self.lambda_, request_id),
            account_id=ACCOUNT,
            region=REGION,
        )
        self.logs = LogsProvider(
            LogStore(self.logs_db),
            self.clock,
            LogReach(self.records, self.lambda_, self.cloudwatch, authorizer, request_id),
            account_id=ACCOUNT,
            region=REGION,
        )
        self.eventbridge = EventsProvider(self.records, Reach(self.lambda_, self.logs), self.clock)
        self.secrets = SecretServices(self.records, seal, authorizer, self.lambda_, self.clock)
        self.acm = AcmProvider(self.records, self.heard, seal, self.clock, self._authority)
        self.apigateway = ApiGateway(
            self.records, self.heard, authorizer, seal, certificates=self.acm, assets=self.assets
        )
        self.acm.used_by(self.apigateway.domain_parts.certificate_uses)
        self.user_pools = UserPools(
            Settings(password_memory_kib=8_192, password_passes=1),
            UserPoolParts(
                self.records,
                self.heard,
                seal,
                self.clock,
                self.lambda_,
                self.assets,
                self,
                self.acm,
                self.directory,
                IssuersElsewhere(self.clock),
            ),
            aws_port=4566,
            endpoint_url="http://127.0.0.1:4566",
        )
        self.responses = CustomResponses(lambda: "http://127.0.0.1:4566")
        self._late: list[Any] = []
        self.stacks = Stacks(
            records=self.records,
            operations=self,
            assets=self.assets,
            clock=self.clock,
            compiler=template_compiler(self.folder / "cache"),
            acceptance=self.acceptance,
            handlers=resource_handlers(),
            custom=CustomResource(self.responses),
            named=Named(),
            roles=sessions,
            identities=self.directory,
            pause=self._pause,
        )
        self.cloudformation = CloudFormation(records=self.records, assets=self.assets, engine=self.stacks)
        self.dispatcher = Dispatcher(
            (
                self.iam,
                StsProvider(self.directory, sessions),
                self.dynamodb,
                self.lambda_,
                self.eventbridge,
                self.acm,
                self.apigateway,
                ApiGatewayV2(self.apigateway.domain_parts.v2),
                self.cloudformation,
                *self.secrets.providers,
                *self.user_pools.providers,
                self.logs,
                self.cloudwatch,
            ),
            authorization=authorizer,
            clock=self.clock,
            account_id=ACCOUNT,
            region=REGION,
        )
        self.calls: list[tuple[str, str]] = []
        self.before_call: Callable[[str, str, Any], None] = lambda service, operation, params: None

    def _authority(self) -> LocalAuthority:
        return LocalAuthority.make(("shop.test",), self.clock.now_ms())

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    async def invoke(self, principal: Principal, service: str, operation: str, params: Any, **more: Any) -> Any:
        """Pass an operation on; note it, and let the test interfere."""
        self.calls.append((service, operation))
        self.before_call(service, operation, params)
        return await self.dispatcher.invoke(principal, service, operation, params, **more)

    async def open(self) -> None:
        await self.records_db.open()
        await self.items_db.open()
        await self.logs_db.open()
        await self.metrics_db.open()
        await self.iam.load()
        await self.dynamodb.start()
        await self.lambda_.start()
        await self.eventbridge.start()
        await self.secrets.start()
        await self.user_pools.start()

    async def close(self) -> None:
        await self.stacks.close()
        await self.secrets.close()
        await self.user_pools.close()
        await self.eventbridge.close()
        await self.lambda_.close()
        await self.dynamodb.close()
        await self.metrics_db.close()
        await self.logs_db.close()
        await self.items_db.close()
        await self.records_db.close()

    # What a test does.

    async def do(self, service: str, operation: str, **params: Any) -> Any:
        """Run an operation as root."""
        return await self.dispatcher.invoke(ROOT, service, operation, params)

    async def cfn(self, operation: str, **params: Any) -> Any:
        """Run an operation of CloudFormation as root."""
        return await self.do("cloudformation", operation, **params)

    async def deploy(self, template: str, *, name: str = "shop", **params: Any) -> dict[str, Any]:
        """Create or update a stack and wait until it has settled; give it as described."""
        params.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        known = {stack["StackName"] for stack in (await self.cfn("DescribeStacks"))["Stacks"]}
        operation = "UpdateStack" if name in known else "CreateStack"
        made = await self.cfn(operation, StackName=name, TemplateBody=template, **params)
        return await self.settled(made["StackId"])

    async def settled(self, name: str) -> dict[str, Any]:
        """Wait until a stack has settled; give it as described."""
        for _ in range(5_000):
            stack = (await self.cfn("DescribeStacks", StackName=name))["Stacks"][0]
            if stack["StackStatus"].endswith(SETTLED):
                return stack
            await asyncio.sleep(0.002)
        raise AssertionError(f"{name} does not settle: {stack['StackStatus']}")

    async def events(self, name: str = "shop") -> list[str]:
        """Give a stack's events, oldest first, as `LogicalId STATUS`, with the reason where there is one."""
        found = (await self.cfn("DescribeStackEvents", StackName=name))["StackEvents"]
        lines = []
        for event in reversed(found):
            reason = event.get("ResourceStatusReason", "")
            lines.append(f"{event['LogicalResourceId']} {event['ResourceStatus']}" + (f": {reason}" if reason else ""))
        return lines

    async def resources(self, name: str = "shop") -> dict[str, str]:
        """Give a stack's physical ids by logical id."""
        found = (await self.cfn("DescribeStackResources", StackName=name))["StackResources"]
        return {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in found}

    def respond(self, event: dict[str, Any], **document: Any) -> Response:
        """Answer for a custom resource as its function does, by a PUT to the ResponseURL."""
        target = event["ResponseURL"].removeprefix("http://127.0.0.1:4566")
        body = {"Status": "SUCCESS", "RequestId": event["RequestId"], **document}
        return self.responses.handle(Request("PUT", target, [], json.dumps(body).encode()))


@asynccontextmanager
async def a_stack_world(folder: Path, **options: Any) -> AsyncIterator[StackWorld]:
    """A platform that lasts as long as the block. The same folder again is the same platform after a restart."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "functions").mkdir(exist_ok=True)
    world = StackWorld(
        folder,
        Database(folder / "records.db", durability="process", migrations=records.MIGRATIONS),
        Database(folder / "items.db", durability="process", migrations=items.MIGRATIONS),
        Database(folder / "logs.db", durability="process", migrations=LOG_MIGRATIONS),
        Database(folder / "metrics.db", durability="process", migrations=METRIC_MIGRATIONS),
        **options,
    )
    await world.open()
    try:
        yield world
    finally:
        await world.close()
