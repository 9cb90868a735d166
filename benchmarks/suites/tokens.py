"""Suite 7: routes behind a user pool's authorizer beside nginx with Lua that verifies the same tokens; policies."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, Metric, Suite
from benchmarks.installation import LUA_FILES, Installation
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, ROOT, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.nginx_policies import start_tokens
from benchmarks.processes import PeerFailed, answers
from benchmarks.rounds import interleave
from benchmarks.routes import BODY, SHOPS, STAGE
from benchmarks.suites.limits import CONNECTIONS, METRICS, Target, full_and_half

CALLERS: Final = 8
PASSWORD: Final = "Correct-horse-7"
ROUTE: Final = "/shop{shop}/products"
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections of {CALLERS} users, each with an id token (RS256, 2,048 bits) of a user "
    f"pool; GET of {SHOPS} MOCK routes, {len(BODY)} bytes of JSON back.",
    "Every server finds the route, finds the token among those that it has verified (nginx+Lua: in a shared "
    "dictionary, whose entries end with their tokens), writes a JSON access-log line, adds a request id and counts. "
    "Gatepost also looks whether the pool has revoked the token or changed its keys.",
    "`requests/s` and `CPU-s/1000`: wrk as fast as answers come. `p50` and `p99`: our own client at half of that rate.",
    "First verification and policies: `benchmarks/load/inside.py`, CPU time in one process, without a server.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("tokens", "Tokens of a user pool on one core; policies", list(HOW))
    case = suite.case("known", "Requests with a token that was verified before", *METRICS)
    sources = {GATEPOST: None, COMPILED: installation.compiled}
    running: dict[str, Target] = {}
    with ExitStack() as stack:
        for name, source in sources.items():
            if name == COMPILED and source is None:
                case.missing[name] = installation.missing["gatepost-compiled"]
                continue
            place = "tokens-compiled" if source else "tokens"
            platform = Gatepost(place, cores=str(cores.server), durability=options.durability, source=source)
            stack.callback(platform.stop)
            platform.wait()
            pool = UserPool(platform)
            host = f"{pool.deploy()}.execute-api.us-east-1.localhost:{platform.public_port}"
            running[name] = Target(platform, platform.public_port, request_files(place, host, pool.tokens))
            if name == GATEPOST:
                _start_nginx(installation, pool, cores, running, suite, stack)
        for name, target in running.items():
            suite.configurations[name] = target.server.configuration
        interleave(list(running), options.rounds, full_and_half(running, case, options, str(cores.load)), case)
    _measure_inside(sources, options, cores, suite)
    return suite


def _start_nginx(
    installation: Installation,
    pool: UserPool,
    cores: Cores,
    running: dict[str, Target],
    suite: Suite,
    stack: ExitStack,
) -> None:
    for program in ("nginx", "nginx-lua", *LUA_FILES):
        if program in installation.missing:
            suite.cases["known"].missing["nginx+Lua"] = f"{program}: {installation.missing[program]}"
            return
    kid, pem = pool.public_key()
    nginx = start_tokens(
        installation.programs["nginx"].path,
        pem=pem,
        kid=kid,
        issuer=pool.issuer,
        audience=pool.client_id,
        cores=str(cores.server),
    )
    stack.callback(nginx.stop)
    nginx.wait()
    host = f"localhost:{nginx.port}"
    running["nginx+Lua"] = Target(nginx, nginx.port, request_files("tokens-nginx", host, pool.tokens))


class UserPool:
    """A user pool with users who have signed in, and an API behind it."""

    def __init__(self, platform: Gatepost) -> None:
        self._platform = platform
        self._aws = platform.aws()
        pools = self._aws.client("cognito-idp")
        pool = pools.create_user_pool(PoolName="shoppers")["UserPool"]
        self._id, self.arn = pool["Id"], pool["Arn"]
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = pools.create_user_pool_client(UserPoolId=self._id, ClientName="shop", ExplicitAuthFlows=flows)
        self.client_id = str(made["UserPoolClient"]["ClientId"])
        self.tokens = [self._sign_in(pools, f"user{number}") for number in range(CALLERS)]
        self.issuer = str(_claims(self.tokens[0])["iss"])

    def _sign_in(self, pools: Any, name: str) -> str:
        pools.admin_create_user(UserPoolId=self._id, Username=name, MessageAction="SUPPRESS")
        pools.admin_set_user_password(UserPoolId=self._id, Username=name, Password=PASSWORD, Permanent=True)
        signed_in = pools.admin_initiate_auth(
            UserPoolId=self._id,
            ClientId=self.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
        )
        return str(signed_in["AuthenticationResult"]["IdToken"])

    def public_key(self) -> tuple[str, str]:
        """Give the name and the PEM of the key that signed the tokens."""
        import urllib.request

        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        port = self._platform.aws_port
        if not answers(port, f"/{self._id}/.well-known/jwks.json", status=200):
            raise PeerFailed("the user pool has no keys to be fetched")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{self._id}/.well-known/jwks.json") as answer:
            keys = json.loads(answer.read())["keys"]
        kid = json.loads(_decoded(self.tokens[0].split(".")[0]))["kid"]
        (key,) = (each for each in keys if each["kid"] == kid)
        exponent, modulus = (int.from_bytes(_decoded(key[name]), "big") for name in ("e", "n"))
        public = RSAPublicNumbers(exponent, modulus).public_key()
        return kid, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def deploy(self) -> str:
        """Deploy the API; give its id."""
        return self._aws.import_api(document(self.arn), STAGE)


def document(pool_arn: str) -> dict[str, Any]:
    """Give the API as OpenAPI: MOCK routes that ask for an id token."""
    operation = {
        "security": [{"shoppers": []}],
        "responses": {"200": {"description": "products"}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": '{"statusCode": 200}'},
            "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": BODY}}},
        },
    }
    scheme = {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": [pool_arn]},
    }
    return {
        "openapi": "3.0.1",
        "info": {"title": "tokens", "version": "1"},
        "components": {"securitySchemes": {"shoppers": scheme}},
        "paths": {ROUTE.format(shop=shop): {"get": operation} for shop in range(SHOPS)},
    }


def request_files(name: str, host: str, tokens: list[str]) -> list[Path]:
    """Write the requests of each user: every route in turn."""
    files = []
    for number, token in enumerate(tokens):
        headers = [("Host", host), ("Accept", "*/*"), ("User-Agent", "bench/1"), ("Authorization", token)]
        requests = [render("GET", f"/{STAGE}{ROUTE.format(shop=shop)}", headers) for shop in range(SHOPS)]
        files.append(write(HOME / "run" / f"requests-{name}-{number}", requests))
    return files


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decoded(token.split(".")[1]))
    return claims


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _measure_inside(sources: dict[str, Path | None], options: Options, cores: Cores, suite: Suite) -> None:
    """Measure what needs no server: in a process of its own, interpreted and compiled."""
    metric = Metric("µs CPU", "{:.1f}", more_is_better=False)
    titles = {"first": "First verification of a token", "policy": "Evaluation of a policy of 20 statements"}
    cases = {name: suite.case(name, title, metric) for name, title in titles.items()}
    for _ in range(options.rounds):
        for name, source in sources.items():
            if name == COMPILED and source is None:
                continue
            env = {**os.environ, "PYTHONPATH": f"{source or ROOT / 'src'}:{ROOT}"}
            command = ["taskset", "-c", str(cores.server), sys.executable, "-m", "benchmarks.load.inside"]
            ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env)
            if ended.returncode:
                raise PeerFailed(ended.stderr[-300:])
            for case, figure in json.loads(ended.stdout).items():
                cases[case].add(name, **{metric.name: figure})
