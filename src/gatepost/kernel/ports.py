"""The small Protocols by which services, gateway and engine meet without importing each other.

`app.py` joins them. Each is named for what its user needs, never for who provides it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from gatepost.kernel.operations import Access, Call, Change, Principal

# https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
HTTP_INTEGRATION_RESPONSE: Final = "application/vnd.awslambda.http-integration-response"


class Publisher(Protocol):
    """Tells every connected gateway of a change, after its record was committed."""

    async def publish(self, *changes: Change) -> None:
        """Return once every connected gateway has acknowledged `changes`, or after 2 s. Never raises."""
        ...


class Replica(Protocol):
    """The gateway's copy of everything published."""

    def watch(self, topic: str, changed: Callable[[str, Mapping[str, Any] | None], None]) -> None:
        """Call `changed(key, value)` for what is there and for every later change, in order; None: gone."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key as a client holds it."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    expires_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """What a signature is checked with, and who it proves."""

    principal: Principal
    secret_access_key: str = field(repr=False)


class Identities(Protocol):
    """Who an access key belongs to. From memory: it is asked for every signed request."""

    def find(self, access_key_id: str, session_token: str, now_ms: int) -> Identity | None:
        """Give the identity, or None when the key is unknown, inactive or the token is not its own.

        Raises: ExpiredToken (a ServiceError) when the session token has expired.
        """
        ...

    def knows(self, access_key_id: str) -> bool:
        """Say whether this key exists at all, active or not: `--any-credentials` never speaks for such a key."""
        ...


class Authorization(Protocol):
    """Whether a principal may do what a call does."""

    def check(self, call: Call, access: Access) -> None:
        """Return when it is allowed. Raises: AccessDeniedException (a ServiceError) with AWS's sentence."""
        ...


class RoleSessions(Protocol):
    """Credentials for a role that a service assumes for its owner (a function's, a stack's)."""

    def assume(self, role_arn: str, *, service: str, session_name: str, duration_s: int = 3600) -> Credentials:
        """Give credentials of `role_arn` when its trust policy lets `service` (lambda.amazonaws.com) assume it.

        Raises: AccessDeniedException when the trust policy does not, or the role does not exist.
        """
        ...


class TokenIssuers(Protocol):
    """Whose tokens can be verified here: the platform's own user pools."""

    def keys(self, url: str) -> Mapping[str, Any] | None:
        """Give the JWKS behind an issuer's URL, with `issuer` as tokens name it; None: it is none of ours."""
        ...


class IssuersElsewhere(Protocol):
    """OpenID Connect issuers outside of the platform, whose keys are fetched."""

    async def keys(self, issuer: str, kid: str) -> Mapping[str, Any]:
        """Give the JWKS of an issuer, fetched anew when the key `kid` is not among those that were kept.

        Raises: ServiceUnavailable: it does not answer, or not as an issuer does.
        """
        ...


class SignedInUsers(Protocol):
    """Whether users of user pools are still signed in, beyond what their tokens say."""

    async def is_signed_in(self, claims: Mapping[str, Any]) -> bool:
        """Say whether a verified token's user is there, enabled, and has not been signed out since."""
        ...


class Operations(Protocol):
    """AWS operations called from within, with the same validation and authorization as over HTTP."""

    async def invoke(
        self,
        principal: Principal,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        region: str | None = None,
        called_via: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Run one operation and give its result as boto3 would: blobs as bytes, timestamps as `int` ms.

        Raises: ServiceError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a function. `function_arn` may end in a qualifier."""

    function_arn: str
    payload: bytes
    request_id: str
    is_event: bool = False  # asynchronous: answered once accepted
    client_context: str = ""  # base64, as the client sent it
    wants_log_tail: bool = False
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """What came of it. `function_error` is "Unhandled" or "Handled" when the function failed."""

    status: int
    payload: bytes
    function_error: str = ""
    executed_version: str = "$LATEST"
    log_tail: bytes = b""


class StreamBroken(Exception):
    """A function failed while its answer was streamed, or before: what was sent is not the whole answer.

    `payload` is the error's JSON (errorType, errorMessage, …) as a caller of Invoke would get it.
    """

    def __init__(self, error_code: str, payload: bytes) -> None:
        super().__init__(error_code)
        self.error_code = error_code
        self.payload = payload


class InvocationStream(Protocol):
    """A function's answer as it is written: `async for piece in stream`.

    Pieces are never empty. Iteration ends when the answer is whole and raises StreamBroken when it is not: at once
    when the function failed before its first byte, so a caller that waits for a first piece before it sends its own
    head can still answer with an error. At most about 1 MiB is held for a slow reader, then the function waits.
    Answers with metadata (`content_type` is HTTP_INTEGRATION_RESPONSE) begin with its JSON and eight NUL bytes.
    """

    @property
    def executed_version(self) -> str:
        """Give the version that runs: `$LATEST` or a number."""
        ...

    @property
    def content_type(self) -> str:
        """Give what the function says that its answer is; `application/octet-stream` when it says nothing."""
        ...

    @property
    def log_tail(self) -> bytes:
        """Give the last 4 KB of the log when it was asked for and iteration has ended; else nothing."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give itself."""
        ...

    async def __anext__(self) -> bytes:
        """Wait for the next piece. Raises: StopAsyncIteration, StreamBroken."""
        ...

    async def aclose(self) -> None:
        """Go away: the function runs on to its end, as on AWS, and what it still writes is dropped."""
        ...


class FunctionInvoker(Protocol):
    """Runs functions: in the gateway by its own workers, in services over the link."""

    def invoke(self, invocation: Invocation) -> Awaitable[InvocationResult]:
        """Run a function to its end. Raises: ServiceError (ResourceNotFound, TooManyRequests, …)."""
        ...

    def stream(self, invocation: Invocation) -> Awaitable[InvocationStream]:
        """Run a function and give its answer as it is written; returns once the first bytes are there, or its end.

        A function that answers whole is given as one piece. `InvocationStream` says how failures are told.
        Raises: ServiceError as `invoke` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line for CloudWatch Logs."""

    timestamp_ms: int
    message: str


class LogSink(Protocol):
    """Takes log lines without waiting; drops the oldest and counts them when nobody takes them away."""

    def put(self, log_group: str, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Hand over `events` of one stream. Never blocks, never raises."""
        ...


class Assets(Protocol):
    """Blobs by content: functions' code, uploaded templates. Durable once `put` has returned."""

    async def put(self, content: bytes) -> str:
        """Keep `content` and give its SHA-256 in hex."""
        ...

    def path(self, sha256: str) -> Path | None:
        """Give the file that holds it, or None."""
        ...


class Deliveries(Protocol):
    """Sends messages to queues, topics, buses and buckets at endpoints that the operator named (`--service`)."""

    @property
    def services(self) -> frozenset[str]:
        """Give the services' names in credential scopes: `sqs`, `sns`, `events`, `s3`."""
        ...

    async def send(self, target_arn: str, message: Message) -> None:
        """Deliver `message` to the queue, topic, bus or bucket. Raises: ServiceUnavailable when it is not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to a queue, a topic, a bus or a bucket. Each takes of it what it knows."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)  # of queues and topics
    detail_type: str = ""  # of buses
    source: str = ""  # of buses
    resources: Sequence[str] = ()  # of buses
    object_key: str = ""  # of buckets


class FunctionTriggers(Protocol):
    """Invokes functions asynchronously for services that act for their owner's resources."""

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        """Record an event for a function when its resource policy lets `service` in for `source_arn`.

        Raises: ServiceError (AccessDenied, ResourceNotFound, TooManyRequests, StoreUnavailable).
        """
        ...


class CheckedTriggers(FunctionTriggers, Protocol):
    """Triggers that can be asked before: where a function is named when something is set up."""

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether a function is there and lets `service` in for `source_arn`."""
        ...


class EventSink(Protocol):
    """Takes events of the platform's own services, for the default bus."""

    async def announce(
        self,
        account_id: str,
        region: str,
        *,
        source: str,
        detail_type: str,
        resources: Sequence[str],
        detail: Mapping[str, Any],
    ) -> None:
        """Give an event to the rules that match. Never raises for what a target or an archive does not take."""
        ...


class FunctionCalls(Protocol):
    """Invokes functions and waits, for services that act for their owner's resources (triggers, rotations)."""

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        """Run a function to its end when its resource policy lets `service` in for `source_arn`.

        Raises: ServiceError (AccessDenied, ResourceNotFound, TooManyRequests, ServiceUnavailable).
        """
        ...


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A request of an API's integration to an AWS service, made with a session that the gateway holds.

    `service` is its name in the integration's URI. With an `action` services writes the request in that service's
    protocol; else `method`, `path` (percent-encoded), `query` and `headers` are what the service gets.
    """

    service: str
    region: str
    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    access_key_id: str
    session_token: str = field(repr=False)
    action: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service answered, its refusals included."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class ServiceRequests(Protocol):
    """Has AWS services answer requests of integrations: in services on its endpoint, in the gateway over the link."""

    async def send(self, request: ServiceRequest) -> ServiceAnswer:
        """Answer `request` as whom its session proves. Raises: ServiceError (ServiceUnavailable: services is away)."""
        ...


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request to a user pool's domain, as it came to a gateway."""

    method: str
    target: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    client_ip: str
    is_tls: bool
    request_id: str


class PoolPages(Protocol):
    """Has user pools' domains answer: in services by what makes their pages, in the gateway over the link."""

    async def page(self, request: PageRequest) -> ServiceAnswer:
        """Answer `request`. Raises: ServiceError (ServiceUnavailable: services is away, or has too many)."""
        ...


@dataclass(frozen=True, slots=True)
class MethodTest:
    """A method of an API as it stands, not as it is deployed, with a made-up request (AWS: TestInvokeMethod).

    `deployment` is what CreateDeployment would freeze now, as JSON values.
    """

    deployment: Mapping[str, Any]
    resource_path: str
    http_method: str
    path_with_query: str
    headers: Sequence[tuple[str, str]]
    body: str
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    client_certificate_id: str = ""  # what backends are shown


@dataclass(frozen=True, slots=True)
class MethodTestResult:
    """What came of it. `log` is its execution log as AWS shows it."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: str
    log: str
    latency_ms: int


@dataclass(frozen=True, slots=True)
class AuthorizerTest:
    """An authorizer as it stands, asked about a made-up request (AWS: TestInvokeAuthorizer).

    `authorizer` is what a deployment would freeze of it, as JSON values; `event` is what its function is to get.
    """

    authorizer: Mapping[str, Any]
    account_id: str
    region: str
    api_id: str
    headers: Sequence[tuple[str, str]]
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    event: str = ""  # JSON; nothing for user pools


@dataclass(frozen=True, slots=True)
class AuthorizerTestResult:
    """What came of it: the status that a refused client would get, or 0; a token's claims, or the function's answer."""

    status: int
    detail: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    payload: str = ""
    function_error: str = ""


class MethodTests(Protocol):
    """Tests methods and authorizers of APIs with made-up requests: in the gateway, from services over the link."""

    async def test(self, test: MethodTest) -> MethodTestResult:
        """Run a method: no authorizer, API key or throttle looks at it. Raises: ServiceError."""
        ...

    async def test_authorizer(self, test: AuthorizerTest) -> AuthorizerTestResult:
        """Ask an authorizer; nothing is remembered of what it says. Raises: ServiceError."""
        ...


@dataclass(frozen=True, slots=True)
class StreamChange:
    """One record of a table's stream. `sequence` orders all of the stream's; `key` is the item's partition key."""

    sequence: int
    sequence_number: str  # as clients see it
    at_ms: int
    key: str
    record: Mapping[str, Any]  # JSON values, as GetRecords gives it


@dataclass(frozen=True, slots=True)
class StreamPage:
    """What a read of a stream gave. The next read begins at `position`."""

    changes: Sequence[StreamChange]
    position: int
    shard_id: str = ""


class ChangeStreams(Protocol):
    """Tables' streams, as event source mappings read them. Shards follow one another without a gap in the numbers."""

    def start(self, stream_arn: str, *, since_ms: int | None) -> int | None:
        """Give the position of the first record since a time, or after the newest (None); None: no such stream."""
        ...

    def read(self, stream_arn: str, position: int, *, now_ms: int, count_max: int, bytes_max: int) -> StreamPage | None:
        """Give records from a position on; None: there is no such stream. Raises: StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """A certificate as its users see it. `names` are DNS names; `status` is ACM's, ISSUED when it is of use."""

    arn: str
    names: tuple[str, ...]
    key_algorithm: str
    type: str
    status: str
    updated_at_ms: int


class Certificates(Protocol):
    """What certificates there are."""

    def certificate(self, arn: str) -> CertificateInfo | None:
        """Give a certificate, or None when there is none of that ARN."""
        ...


class DomainsElsewhere(Protocol):
    """Names that another service serves on the same listeners."""

    async def serves(self, name: str) -> bool:
        """Say whether a domain name is taken."""
        ...


class CustomDomains(Protocol):
    """Custom domain names, as API Gateway V2 reaches those that V1 keeps. Errors are V1's, whose codes V2 shares."""

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create one by V1's parameters; give V1's shape DomainName."""
        ...

    async def get(self, call: Call, name: str) -> dict[str, Any]:
        """Give V1's shape DomainName."""
        ...

    async def every(self, call: Call) -> Sequence[dict[str, Any]]:
        """Give V1's shapes of all, by name."""
        ...

    async def update(self, call: Call, name: str, patches: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Patch one by V1's operations; give V1's shape."""
        ...

    async def delete(self, call: Call, name: str) -> None:
        """Delete one with all that it holds."""
        ...

    async def tag(self, call: Call, name: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> dict[str, str]:
        """Replace its tags by what `change` makes of them; give them."""
        ...

    async def mappings(self, call: Call, name: str) -> Sequence[dict[str, Any]]:
        """Give V2's shapes ApiMapping."""
        ...

    async def add_mapping(self, call: Call, name: str, base_path: str, api_id: str, stage_name: str) -> dict[str, Any]:
        """Map a base path, of several levels if wanted; give V2's shape."""
        ...

    async def change_mapping(
        self, call: Call, name: str, mapping_id: str, changes: Mapping[str, str]
    ) -> dict[str, Any]:
        """Change a mapping's `base_path`, `api_id` or `stage_name`; give V2's shape."""
        ...

    async def remove_mapping(self, call: Call, name: str, mapping_id: str) -> None:
        """Take a mapping away."""
        ...

    async def rules(self, call: Call, name: str) -> Sequence[dict[str, Any]]:
        """Give V2's shapes RoutingRule, by priority."""
        ...

    async def put_rule(self, call: Call, name: str, rule_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a rule (`rule_id` "") or replace that of the id; give V2's shape."""
        ...

    async def remove_rule(self, call: Call, name: str, rule_id: str) -> None:
        """Take a rule away."""
        ...


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """An e-mail or SMS to a user. `code` is the one in `body`, so that an outbox can show it by itself."""

    medium: str  # EMAIL, SMS
    to: str
    subject: str  # of e-mails
    body: str = field(repr=False)  # HTML in e-mails
    sender: str = ""
    reply_to: str = ""
    source_arn: str = ""  # whose message it is: a user pool's
    occasion: str = ""  # SignUp, ForgotPassword, Authentication, …
    user_name: str = ""
    code: str = field(default="", repr=False)


class Mailbox(Protocol):
    """Takes messages to people: into the outbox, and out by SMTP where that is set up."""

    async def send(self, message: OutgoingMessage) -> None:
        """Take a message; it is kept when this returns. Raises: ServiceUnavailable."""
        ...
