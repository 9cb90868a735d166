"""A browser for the hosted pages without a network: cookies, forms, redirects that stay at the pool's domain."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from gatepost.wire.messages import Request, Response
from tests.support.user_pools import Aws

CALLBACK = "https://shop.example/callback"
LOGOUT = "https://shop.example/bye"
DOMAIN = "shop"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.labels: set[str] = set()
        self.ids: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "form":
            self.action = given["action"]
        if tag == "label" and "for" in given:
            self.labels.add(given["for"])
        if tag == "input" and (given.get("type") != "radio" or "checked" in given):
            self.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class Shown:
    """An answer as a browser has it."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.body = response.body.decode()
        self.headers = {name.decode().lower(): value.decode() for name, value in response.headers}
        self.cookies = [value.decode() for name, value in response.headers if name.lower() == b"set-cookie"]
        self.location = self.headers.get("location", "")
        forms = _Forms()
        forms.feed(self.body if "html" in self.headers.get("content-type", "") else "")
        self.action, self.fields, self.labels, self.ids = forms.action, forms.fields, forms.labels, forms.ids
        self.text = " ".join(" ".join(forms.text).split())

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def told(self) -> dict[str, str]:
        """What the redirect tells the app, in query or fragment."""
        parts = urlsplit(self.location)
        return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


class Browser:
    """One browser at one domain, by path or by Host."""

    def __init__(self, aws: Aws, *, base: str = f"/_aws/auth/{DOMAIN}", host: str = "127.0.0.1:4566") -> None:
        self.aws = aws
        self.base = base
        self.host = host
        self.cookies: dict[str, str] = {}
        self.ip = "127.0.0.1"

    async def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Shown:
        lines = [(b"host", self.host.encode())]
        if self.cookies:
            jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            lines.append((b"cookie", jar.encode()))
        if method == "POST" and "content_type" not in headers:
            lines.append((b"content-type", b"application/x-www-form-urlencoded"))
        lines += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        request = Request(method, target, lines, body, client_ip=self.ip)
        shown = Shown(await self.aws.provider.pages.answer(request, "00000000-0000-4000-8000-000000000000"))
        for cookie in shown.cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return shown

    async def get(self, path: str, query: Mapping[str, str] | None = None, **headers: str) -> Shown:
        """Go to a page of the domain."""
        return await self.send("GET", f"{self.base}{path}" + (f"?{urlencode(query)}" if query else ""), **headers)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> Shown:
        """Send a form that no page gave: as apps do."""
        return await self.send("POST", f"{self.base}{path}", urlencode(form).encode(), **headers)

    async def follow(self, shown: Shown) -> Shown:
        """Follow a redirect to another page of the domain."""
        assert shown.status == 302, shown.text
        assert shown.location.startswith(f"{self.base}/"), shown.location
        return await self.send("GET", shown.location)

    async def submit(self, shown: Shown, *, headers: Mapping[str, str] | None = None, **fields: str) -> Shown:
        """Fill in a page's form and send it."""
        body = urlencode({**shown.fields, **fields}).encode()
        return await self.send("POST", shown.action, body, **(headers or {}))

    async def asks(self, **changes: str | None) -> Shown:
        """Send the browser to /oauth2/authorize as an app does; None leaves a parameter out."""
        return await self.get("/oauth2/authorize", self.request(**changes))

    def request(self, **changes: str | None) -> dict[str, str]:
        given: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.aws.client_id,
            "redirect_uri": CALLBACK,
            "state": "state-1",
            "scope": "openid email",
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}

    async def signs_in(self, name: str = "ann", password: str = "Passw0rd!", **changes: str | None) -> Shown:
        """Ask, and sign in; gives the answer to the password."""
        page = await self.follow(await self.asks(**changes))
        return await self.submit(page, username=name, password=password)

    async def redeem(self, code: str, *, headers: Mapping[str, str] | None = None, **changes: str | None) -> Shown:
        """Exchange a code for tokens."""
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": self.aws.client_id,
            "code": code,
            "redirect_uri": CALLBACK,
            **changes,
        }
        form = {name: value for name, value in given.items() if value is not None}
        return await self.post("/oauth2/token", form, **(headers or {}))


async def a_hosted_shop(aws: Aws, *, pool: Mapping[str, Any] | None = None, **client: Any) -> Browser:
    """Make a pool with a domain, a client for both flows of browsers, and Ann."""
    await aws.a_pool(**(pool or {}))
    await aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain=DOMAIN)
    await an_app(aws, **client)
    return Browser(aws)


async def an_app(aws: Aws, **settings: Any) -> dict[str, Any]:
    """Make a client that the pages know; gives AWS's description."""
    params = {
        "UserPoolId": aws.pool_id,
        "ClientName": "web",
        "CallbackURLs": [CALLBACK],
        "LogoutURLs": [LOGOUT],
        "AllowedOAuthFlows": ["code", "implicit"],
        "AllowedOAuthScopes": ["openid", "email", "profile"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "SupportedIdentityProviders": ["COGNITO"],
        "PreventUserExistenceErrors": "ENABLED",
        **settings,
    }
    told = await aws("CreateUserPoolClient", **params)
    client: dict[str, Any] = told["UserPoolClient"]
    aws.client_id = client["ClientId"]
    return client


def queried(target: str) -> dict[str, str]:
    """Give the parameters of an address."""
    return dict(parse_qsl(urlsplit(target).query))
