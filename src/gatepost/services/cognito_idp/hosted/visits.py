"""A request to a domain of a user pool, read and bounded before anything acts on it.

A domain is reached by its name (`shop.auth.us-east-1.localhost`, AWS's own name, a custom domain) and by path
(`/_aws/auth/shop/`). Parameters that come twice are refused (RFC 6749, section 3.1): two readers could read different
ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

from gatepost.services.cognito_idp.domains import Domains
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.publication import PATH_PREFIX, is_prefix_host, name_of_host
from gatepost.wire.messages import Request

FORM_BYTES_MAX: Final = 64 * 1024
QUERY_CHARACTERS_MAX: Final = 8 * 1024
FIELDS_MAX: Final = 100
COOKIES_MAX: Final = 50
_FORM: Final = b"application/x-www-form-urlencoded"


class BadVisit(Exception):
    """A request that cannot be read: the text says why."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to a domain. `base` stands before every path of ours, `origin` is scheme and host as the client has."""

    pool: UserPool
    domain: str
    base: str
    origin: str
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    authorization: str = field(repr=False)
    browser_origin: str | None
    fetch_site: str
    ip: str
    is_secure: bool
    request_id: str
    user_agent: str

    def link(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Give an address of this domain, as a browser that is there needs it."""
        return f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")

    @property
    def here(self) -> str:
        """Give the address that was asked for."""
        return self.link(self.path, self.query)


def domain_of_host(host: str) -> str:
    """Give what a Host header's name says before `.auth.`, or the whole name: it may be a custom domain."""
    name = name_of_host(host)
    return name.partition(".")[0] if is_prefix_host(name) else name


class Addresses:
    """Finds the pool that a request is for."""

    def __init__(self, pools: Pools, domains: Domains) -> None:
        self._pools = pools
        self._domains = domains

    def is_custom(self, name: str) -> bool:
        """Say whether a host name is the custom domain of a pool."""
        found = self._domains.find(name)
        return found is not None and bool(found["is_custom"])

    def visit(self, request: Request, request_id: str) -> Visit | None:
        """Read a request; None: it is for no domain that there is. Raises: BadVisit."""
        path = request.path
        if path.startswith(PATH_PREFIX):
            domain, _, rest = path.removeprefix(PATH_PREFIX).partition("/")
            base, path = f"{PATH_PREFIX}{domain}", f"/{rest}"
        else:
            domain, base = domain_of_host(request.host()), ""
        found = self._domains.find(domain)
        pool = self._pools.find(found["pool_id"]) if found is not None else None
        if pool is None:
            return None
        scheme = "https" if request.is_tls else "http"
        return Visit(
            pool=pool,
            domain=domain,
            base=base,
            origin=f"{scheme}://{request.host()}",
            method="GET" if request.method == "HEAD" else request.method,
            path=path.rstrip("/") or "/login",
            query=_fields(request.query, characters_max=QUERY_CHARACTERS_MAX),
            form=_form(request),
            cookies=_cookies(request),
            authorization=_text(request, b"authorization") or "",
            browser_origin=_text(request, b"origin"),
            fetch_site=_text(request, b"sec-fetch-site") or "",
            ip=request.client_ip,
            is_secure=request.is_tls,
            request_id=request_id,
            user_agent=_text(request, b"user-agent") or "",
        )


def _fields(text: str, *, characters_max: int) -> dict[str, str]:
    if len(text) > characters_max:
        raise BadVisit("the parameters are too long")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict") if text else []
    except ValueError:
        raise BadVisit("the parameters are not well-formed") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadVisit("a parameter is given more than once")
    if any("\x00" in value for value in found.values()):
        raise BadVisit("a parameter holds a character that none may hold")
    return found


def _form(request: Request) -> dict[str, str]:
    if request.method != "POST" or not request.body:
        return {}
    if (request.header(b"content-type") or b"").partition(b";")[0].strip().lower() != _FORM:
        raise BadVisit("the content type is application/x-www-form-urlencoded")
    if len(request.body) > FORM_BYTES_MAX:
        raise BadVisit("the form is too large")
    try:
        return _fields(request.body.decode("ascii"), characters_max=FORM_BYTES_MAX)
    except UnicodeDecodeError:
        raise BadVisit("the form is not well-formed") from None


def _cookies(request: Request) -> dict[str, str]:
    """Give cookies by name; of two with one name none: somebody has planted one (another path, a sibling domain)."""
    found: dict[str, str] = {}
    twice = set()
    for part in (_text(request, b"cookie") or "").split(";")[:COOKIES_MAX]:
        name, _, value = part.strip().partition("=")
        if name in found:
            twice.add(name)
        found[name] = unquote(value)
    return {name: value for name, value in found.items() if name not in twice}


def _text(request: Request, name: bytes) -> str | None:
    value = request.header(name)
    return value.decode("latin-1") if value is not None else None
