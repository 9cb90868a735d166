"""One request in flight: what came in, what guards proved about it (write-once facts), and what decided its fate.

Facts are how guards speak to later guards and to backends. A fact is written once; reading one that nobody
wrote is a bug of the plan (`lifecycle.check_order` refuses such a plan at deployment), so it has a name of its
own instead of a `None` to forget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from gatepost.gateway.headers import media_type
from gatepost.gateway.route import NO_ROUTE
from gatepost.kernel.operations import Principal
from gatepost.languages.json_path import MISSING
from gatepost.wire.messages import Headers, Request

if TYPE_CHECKING:
    from gatepost.gateway.custom_domains import DomainMatch
    from gatepost.gateway.vpc_endpoints import VpcEndpoint

T = TypeVar("T")

NOT_CALLED: Final = -1
"""`integration_ns` of a request that never reached its backend."""


class Fact(Generic[T]):
    """A name for something that one guard finds out and later parts read."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


Facts = frozenset[Fact[Any]]
NO_FACTS: Facts = frozenset()

CALLER: Final[Fact[Principal]] = Fact("caller")
"""Who signed the request (AWS_IAM)."""
CALLER_TOKEN: Final[Fact[str]] = Fact("caller_token")
"""The session token with which they did; empty for long-term keys. For nobody but services."""


class FactNotWritten(Exception):
    """A part reads a fact that no earlier guard wrote: the plan is wrong."""


class FactWrittenTwice(Exception):
    """Two guards claim the same fact: the plan is wrong."""


def request_media(exchange: Exchange) -> str:
    """Give the media type of the request's body: `application/json` when it says none."""
    media = exchange.media
    if not media:
        media = exchange.media = media_type(exchange.request.header(b"content-type"))
    return media


class IntegrationCall:
    """What an integration was sent and what it answered, kept for logs where a stage has them."""

    __slots__ = (
        "endpoint",
        "error",
        "request_body",
        "request_headers",
        "request_id",
        "response_body",
        "response_headers",
        "status",
    )

    def __init__(self, endpoint: str, headers: Headers, body: bytes) -> None:
        self.endpoint = endpoint  # a URL, as AWS's logs have it
        self.request_headers = headers
        self.request_body = body
        self.status = 0  # 0: no answer
        self.response_headers: Sequence[tuple[bytes, bytes]] = ()
        self.response_body = b""
        self.request_id = ""  # the service's own
        self.error = ""

    def answered(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, request_id: str = "") -> None:
        """Take note of an answer."""
        self.status = status
        self.response_headers = headers
        self.response_body = body
        self.request_id = request_id


class Exchange:
    """A request with its place in an API. Created once per request, never shared between requests.

    `path` is the path below the stage, `full_path` the path with the stage (`$context.path`), both percent-encoded
    as the client sent them. `values` are the raw (encoded)
    values of the route's path parameters, in the order of their names in the plan. `time_ms` is wall-clock
    time, `started_ns` monotonic; `integration_ns` is how long the backend took.
    """

    __slots__ = (
        "_facts",
        "call",
        "decisions",
        "document",
        "domain",
        "extended_id",
        "full_path",
        "integration_ns",
        "is_traced",
        "keeps_call",
        "latency_ns",
        "mapping",
        "media",
        "method",
        "path",
        "request",
        "request_id",
        "route",
        "started_ns",
        "time_ms",
        "trace_root",
        "values",
        "verdict",
        "vpc_endpoint",
    )

    def __init__(self, request: Request, request_id: str, extended_id: str, time_ms: int, started_ns: int) -> None:
        self.request = request
        self.method = request.method
        self.request_id = request_id
        self.extended_id = extended_id
        self.time_ms = time_ms
        self.started_ns = started_ns
        self.integration_ns = NOT_CALLED
        self.latency_ns = 0
        self.path = request.path
        self.domain = ""
        self.mapping: DomainMatch | None = None  # when the request came by a custom domain name
        self.route = NO_ROUTE
        self.full_path = request.path
        self.values: tuple[str, ...] = ()
        self.trace_root = ""
        self.is_traced = False  # X-Ray tracing is on for the stage
        self.keeps_call = False  # someone will ask what the integration was sent and answered
        self.call: IntegrationCall | None = None
        self.media = ""  # see `request_media`
        self.document: Any = MISSING  # what the body parses to, once a guard has parsed it; for one template
        self.vpc_endpoint: VpcEndpoint | None = None  # through which it came, at the private listener
        self.verdict: Any = None  # a `responses.Verdict` once the request is refused
        self.decisions: list[tuple[object, object]] | None = None
        self._facts: dict[Fact[Any], object] | None = None

    def write(self, fact: Fact[T], value: T) -> None:
        """Write `fact` once. Raises: FactWrittenTwice."""
        if self._facts is None:
            self._facts = {}
        elif fact in self._facts:
            raise FactWrittenTwice(f"fact {fact} is written twice")
        self._facts[fact] = value

    def read(self, fact: Fact[T]) -> T:
        """Give a fact that an earlier guard wrote. Raises: FactNotWritten."""
        if self._facts is None or fact not in self._facts:
            raise FactNotWritten(f"fact {fact} is read before it is written")
        return self._facts[fact]  # type: ignore[return-value]  # write() put a T under this fact

    def has(self, fact: Fact[Any]) -> bool:
        """Say whether `fact` was written."""
        return self._facts is not None and fact in self._facts

    def decide(self, part: object, verdict: object) -> None:
        """Leave a verdict for `gatepost explain`: references only, rendered when someone asks."""
        if self.decisions is None:
            self.decisions = []
        self.decisions.append((part, verdict))
