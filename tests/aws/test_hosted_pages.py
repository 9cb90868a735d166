"""The hosted pages in a real browser, on a running platform, and a client of OpenID Connect that nobody here wrote."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest

from tests.support.platform import gatepost

PASSWORD = "Passw0rd!"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXIS = "light", "dark"


class _App(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>The app</title><h1>Welcome back</h1>")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    """An app's callback on a port of its own."""
    server = HTTPServer(("127.0.0.1", 0), _App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def shop(platform: Any, app: str) -> dict[str, str]:
    """A pool that wants authenticator apps, its domain, and a client of the app."""
    aws = platform.client("cognito-idp")
    pool = aws.create_user_pool(PoolName="Corner shop", UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])[
        "UserPool"
    ]["Id"]
    aws.set_user_pool_mfa_config(
        UserPoolId=pool, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    aws.create_user_pool_domain(UserPoolId=pool, Domain="corner")
    client = aws.create_user_pool_client(
        UserPoolId=pool,
        ClientName="app",
        GenerateSecret=True,
        CallbackURLs=[app],
        LogoutURLs=[app],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email"],
        AllowedOAuthFlowsUserPoolClient=True,
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    return {"pool": pool, "client": client["ClientId"], "secret": client["ClientSecret"], "callback": app}


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A tab of Chromium without scripts: the pages must do without."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: apt-get install chromium (tools/setup does, as root)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, color_scheme="light")
        context.set_default_timeout(60_000)
        yield context.new_page()
        browser.close()


def code_to(platform: Any, address: str) -> str:
    ended = gatepost("outbox", address, "--code", "--data", str(platform.data))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_somebody_signs_up_with_an_authenticator_app_in_a_real_browser(
    platform: Any, shop: dict[str, str], page: Any
) -> None:
    query = f"response_type=code&client_id={shop['client']}&redirect_uri={shop['callback']}&scope=openid&state=s-1"
    page.goto(f"{platform.aws}/_aws/auth/corner/oauth2/authorize?{query}")
    assert page.title() == "Sign in - Corner shop"
    page.get_by_label("Email").fill("ann@example.com")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    assert page.title().startswith("Error: ")
    assert "Incorrect username or password." in page.get_by_role("alert").inner_text()

    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("Email").fill("ann@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("textbox", name="Code").fill(code_to(platform, "ann@example.com"))
    page.get_by_role("button", name="Confirm account").click()

    assert page.get_by_role("heading", level=1).inner_text() == "Set up an authenticator app"
    assert page.get_by_role("img", name="QR code of the key below").is_visible()
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).at(int(time.time())))
    page.get_by_role("button", name="Go on").click()

    assert page.get_by_role("heading", level=1).inner_text() == "Welcome back"
    told = parse_qs(urlsplit(page.url).query)
    assert told["state"] == ["s-1"]
    assert told["code"]
    page.goto(f"{platform.aws}/_aws/auth/corner/oauth2/authorize?{query}")
    assert page.url.startswith(shop["callback"])  # the browser is signed in
    page.goto(f"{platform.aws}/_aws/auth/corner/logout?client_id={shop['client']}&logout_uri={shop['callback']}")
    page.goto(f"{platform.aws}/_aws/auth/corner/oauth2/authorize?{query}")
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"


@pytest.mark.parametrize("scheme", AXIS)
def test_pages_are_readable_in_both_schemes_and_fit_a_phone(
    platform: Any, shop: dict[str, str], page: Any, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 640})
    query = f"response_type=code&client_id={shop['client']}&redirect_uri={shop['callback']}"
    for path in ("login", "signup", "forgotPassword", "resetPassword"):
        page.goto(f"{platform.aws}/_aws/auth/corner/{path}?{query}")
        box = page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 320
        button = page.get_by_role("button").first.bounding_box()
        assert button is not None
        assert button["height"] >= 44  # a finger's width
        assert page.locator("input:focus").count() == 1
    page.keyboard.press("Tab")
    assert page.locator(":focus-visible").count() == 1


def test_a_generic_client_of_openid_connect_discovers_and_signs_in_by_code_and_pkce(
    platform: Any, shop: dict[str, str], app: str
) -> None:
    client_library = pytest.importorskip("authlib.integrations.requests_client", reason="Authlib is not installed")
    requests = pytest.importorskip("requests", reason="requests is not installed")
    aws = platform.client("cognito-idp")
    pool = aws.create_user_pool(PoolName="plain")["UserPool"]["Id"]
    aws.create_user_pool_domain(UserPoolId=pool, Domain="plain")
    client = aws.create_user_pool_client(
        UserPoolId=pool,
        ClientName="app",
        GenerateSecret=True,
        CallbackURLs=[app],
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", "email"],
        AllowedOAuthFlowsUserPoolClient=True,
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    aws.admin_create_user(UserPoolId=pool, Username="ann", MessageAction="SUPPRESS")
    aws.admin_set_user_password(UserPoolId=pool, Username="ann", Password=PASSWORD, Permanent=True)

    found = requests.get(f"{platform.aws}/{pool}/.well-known/openid-configuration", timeout=30).json()
    session = client_library.OAuth2Session(
        client["ClientId"],
        client["ClientSecret"],
        scope="openid email",
        redirect_uri=app,
        code_challenge_method="S256",
    )
    verifier = "x" * 64
    address, state = session.create_authorization_url(
        found["authorization_endpoint"], code_verifier=verifier, nonce="n-1"
    )
    back = _signed_in_by_form(requests, address)
    assert parse_qs(urlsplit(back).query)["state"] == [state]
    tokens = session.fetch_token(found["token_endpoint"], authorization_response=back, code_verifier=verifier)
    keys = requests.get(found["jwks_uri"], timeout=30).json()

    from joserfc import jwt
    from joserfc.jwk import KeySet

    claims = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (claims["nonce"], claims["aud"], claims["iss"]) == ("n-1", client["ClientId"], found["issuer"])
    assert session.get(found["userinfo_endpoint"], timeout=30).json()["username"] == "ann"
    refreshed = session.refresh_token(found["token_endpoint"])
    assert refreshed["access_token"] != tokens["access_token"]
    assert session.revoke_token(found["revocation_endpoint"], token=tokens["refresh_token"]).status_code == 200


def _signed_in_by_form(requests: Any, address: str) -> str:
    """Sign in as a browser without a screen does; gives where the app is sent back to."""
    from gatepost.wire.messages import Response
    from tests.support.hosted_pages import Shown

    http = requests.Session()
    shown = http.get(address, timeout=30)
    form = Shown(Response(200, [(b"content-type", b"text/html")], shown.content))
    target = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}{form.action}"
    answer = http.post(
        target, data={**form.fields, "username": "ann", "password": PASSWORD}, allow_redirects=False, timeout=60
    )
    assert answer.status_code == 302, answer.text
    location: str = answer.headers["location"]
    return location


def test_json_of_errors_is_what_clients_expect(platform: Any, shop: dict[str, str]) -> None:
    requests = pytest.importorskip("requests", reason="requests is not installed")
    given = {"grant_type": "authorization_code", "code": "x", "redirect_uri": shop["callback"]}
    base = f"{platform.aws}/_aws/auth/corner"
    answer = requests.post(f"{base}/oauth2/token", data=given, auth=(shop["client"], shop["secret"]), timeout=30)
    assert (answer.status_code, json.loads(answer.text)) == (400, {"error": "invalid_grant"})
    host = {"Host": "corner.auth.us-east-1.localhost:4566"}
    answer = requests.post(f"{platform.aws}/oauth2/token", data=given, headers=host, timeout=30)
    assert answer.json() == {"error": "invalid_request", "error_description": "client_id is missing"}


def _asked(port: int, path: str, *, host: str, context: ssl.SSLContext | None = None) -> tuple[int, str, str]:
    """Ask at a port of the gateway's by a name; gives status, where it leads, and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    if context is not None:
        connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
    connection.request("GET", path, headers={"Host": host if context is not None else f"{host}:{port}"})
    answer = connection.getresponse()
    told = answer.status, answer.headers.get("location", ""), answer.read().decode()
    connection.close()
    return told


def test_the_pages_answer_at_the_gateways_ports_by_name_by_path_and_by_a_custom_domain_over_tls(
    platform: Any, shop: dict[str, str]
) -> None:
    told = json.loads((platform.data / "endpoints.json").read_bytes())
    public, tls = urlsplit(told["public"]).port, urlsplit(told["tls"]).port
    assert public
    assert tls
    asked = urlencode({"response_type": "code", "client_id": shop["client"], "redirect_uri": shop["callback"]})
    status, location, _ = _asked(public, f"/oauth2/authorize?{asked}", host="corner.auth.us-east-1.localhost")
    assert (status, location.partition("?")[0]) == (302, "/login")
    assert "Corner shop" in _asked(public, location, host="corner.auth.us-east-1.localhost")[2]
    assert "Corner shop" in _asked(public, f"/_aws/auth/corner{location}", host="127.0.0.1")[2]
    assert _asked(public, "/login", host="nobodys.auth.us-east-1.localhost")[0] == 404

    trusting = ssl.create_default_context(cafile=str(platform.data / "tls" / "ca.pem"))
    assert "Corner shop" in _asked(tls, location, host="corner.auth.us-east-1.localhost", context=trusting)[2]
    aws, acm, name = platform.client("cognito-idp"), platform.client("acm"), "login.corner.localhost"
    arn = acm.request_certificate(DomainName=name, KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    custom = {"CertificateArn": arn, "SecurityPolicy": "TLS_V1_3_2025"}
    with pytest.raises(aws.exceptions.InvalidParameterException, match="does not cover"):
        aws.create_user_pool_domain(
            UserPoolId=shop["pool"], Domain="other.corner.localhost", CustomDomainConfig={"CertificateArn": arn}
        )
    aws.create_user_pool_domain(UserPoolId=shop["pool"], Domain=name, CustomDomainConfig=custom)
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["InUseBy"] == [name]
    assert "Corner shop" in _asked(tls, location, host=name, context=trusting)[2]
    old = ssl.create_default_context(cafile=str(platform.data / "tls" / "ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        _asked(tls, location, host=name, context=old)
    aws.delete_user_pool_domain(UserPoolId=shop["pool"], Domain=name)
    acm.delete_certificate(CertificateArn=arn)
    assert _asked(public, location, host=name)[0] == 403
