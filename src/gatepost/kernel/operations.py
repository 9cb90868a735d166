"""What an AWS operation is to us: who calls, what for, what it touches, and which method holds its meaning.

A provider is a class with `service` (botocore's name, `dynamodb`) and methods marked with `@operation`.
The dispatcher parses and checks the parameters, asks the provider's `access` what the call touches, asks
the authorizer whether the principal may, and only then calls the method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

MARK: Final = "__gatepost_operation__"

Method = TypeVar("Method", bound=Callable[..., Any])
PrincipalKind = Literal["root", "user", "assumed-role", "federated", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `arn` is what policies see: a user's ARN or `arn:aws:sts::…:assumed-role/ROLE/SESSION`."""

    kind: PrincipalKind
    account_id: str
    arn: str
    principal_id: str  # aws:userid: AIDA… or AROA…:session
    access_key_id: str = ""
    name: str = ""  # user name, role name or service principal (lambda.amazonaws.com)
    role_arn: str = ""  # of an assumed role
    session_policies: tuple[str, ...] = ()  # JSON documents, or ARNs of managed policies, that only narrow
    tags: tuple[tuple[str, str], ...] = ()  # aws:PrincipalTag/…
    token_issued_at_ms: int = 0
    expires_at_ms: int = 0  # 0: never
    transitive_tag_keys: tuple[str, ...] = ()  # of `tags`: those that go on to the next role in a chain
    source_identity: str = ""  # aws:SourceIdentity
    provider_keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()  # of a web identity: `{provider}:sub`, …
    owner_name: str = ""  # of a federated user: the user whose permissions are the most that it can have
    mfa_at_ms: int = 0  # when a second factor was shown for these credentials; 0: none was


@dataclass(slots=True)
class Access:
    """One thing a call does that a policy can allow or deny. Not to be changed (freezing it would make it slow).

    `context` holds condition keys beyond the global ones, by lower-case name, one or several values.
    `resource_policy` is the JSON policy attached to the resource, where there is one.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    resource_policy: str | None = None


def pass_role(role_arn: str, service: str) -> Access:
    """Say that a role is handed to a service (`lambda.amazonaws.com`)."""
    return Access("iam:PassRole", role_arn, {"iam:passedtoservice": service})


def tag_context(tags: Iterable[tuple[str, str]], removed: Iterable[str] = ()) -> dict[str, str | tuple[str, ...]]:
    """Give the condition keys of a request's tags: `aws:RequestTag/…` of `tags`, `aws:TagKeys` of all."""
    tags = list(tags)
    context: dict[str, str | tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": value for key, value in tags}
    keys = (*(key for key, _ in tags), *removed)
    return {**context, "aws:tagkeys": keys} if keys else context


class RecordKey(NamedTuple):
    """Where a record lies."""

    kind: str
    account_id: str
    region: str
    id: str


@dataclass(slots=True)
class Call:
    """One call of an operation, by HTTP or from within. `region` is the one the caller signed for."""

    service: str
    operation: str
    account_id: str
    region: str
    principal: Principal
    request_id: str
    now_ms: int
    source_ip: str = "127.0.0.1"
    user_agent: str = ""
    is_tls: bool = False
    called_via: tuple[str, ...] = ()  # aws:CalledVia, outermost service first
    source_vpc_endpoint: str = ""  # aws:SourceVpce: the VPC endpoint that the call came through, and its VPC
    source_vpc: str = ""

    def key(self, kind: str, record_id: str) -> RecordKey:
        """Give the key of a record of the caller's account and region."""
        return RecordKey(kind, self.account_id, self.region, record_id)

    def arn(self, resource: str, *, service: str | None = None) -> str:
        """Give the ARN of a resource of the caller's account and region."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True, slots=True)
class OperationMark:
    """What `@operation` says of a method."""

    name: str
    wire_json: bool = False
    known_only: bool = False  # with `wire_json`: members that the model does not have are taken out of `params`


def operation(name: str, *, wire_json: bool = False) -> Callable[[Method], Method]:
    """Mark a provider's method `(call, params)` as the meaning of AWS's operation `name`. It may be async.

    With `wire_json` (JSON protocols, for hot operations) `params` are JSON's own values, checked against the
    model but not converted: blobs stay base64 text, timestamps numbers. The result goes out as it is: a
    dict for the JSON encoder, or `bytes` that are the body already.
    """

    def mark(method: Method) -> Method:
        setattr(method, MARK, OperationMark(name, wire_json))
        return method

    return mark


def operations_of(provider: object) -> dict[str, tuple[OperationMark, Callable[..., Any]]]:
    """Collect a provider's operations by AWS's name. Raises: ValueError when one is there twice."""
    if isinstance(provider, GivesOperations):
        return provider.operations()
    found: dict[str, tuple[OperationMark, Callable[..., Any]]] = {}
    for attribute in dir(type(provider)):
        mark = getattr(getattr(type(provider), attribute), MARK, None)
        if isinstance(mark, OperationMark):
            if mark.name in found:
                raise ValueError(f"{type(provider).__name__} has operation {mark.name} twice")
            found[mark.name] = (mark, getattr(provider, attribute))
    return found


@runtime_checkable
class GivesOperations(Protocol):
    """A provider that answers many operations by one method, and so names them itself."""

    def operations(self) -> dict[str, tuple[OperationMark, Callable[..., Any]]]:
        """Give each operation's mark and method by AWS's name."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A provider that must learn something before it can say what a call touches."""

    def prepare(self, call: Call, params: Mapping[str, Any]) -> Awaitable[None] | None:
        """Give what to wait for before `access` is asked; None: nothing. Raises: ServiceError."""
        ...


class Provider(Protocol):
    """A service's operations. `service` is botocore's name of it."""

    service: str

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what this call touches. An empty answer means AWS authorizes it for anyone known."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What the gateway should hold under (topic, key) from now on; None takes it away."""

    topic: str
    key: str
    value: Mapping[str, Any] | None


@runtime_checkable
class Publishes(Protocol):
    """A provider whose records matter to the gateway: it can tell all of them again for a snapshot."""

    async def published(self) -> Sequence[Change]:
        """Give everything that the gateway should hold, from the store."""
        ...
