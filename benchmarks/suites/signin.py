"""Suite 9: sign-ins by password beside what argon2-cffi alone does, and what other routes feel of them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from typing import Final

from benchmarks.figures import COMPILED, GATEPOST, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_paced, run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, ROOT, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave
from benchmarks.routes import BODY, STAGE

ALONE: Final = "argon2-cffi"
USERS: Final = 64
CONNECTIONS: Final = 16
OTHERS_PER_SECOND: Final = 500
OTHERS_CONNECTIONS: Final = 8
HEAD_START_S: Final = 1.0
NICE: Final = 10  # of the threads of security/passwords.py
PASSWORD: Final = "Correct-horse-7"
HOW: Final = [
    f"{CONNECTIONS} connections sign in {USERS} users of one pool by USER_PASSWORD_AUTH, Argon2id at 19 MiB, 2 passes, "
    "1 lane; each answer has three tokens, two of them signed by RSA. Both cores serve, and make the little load.",
    f"{ALONE}: as many threads as there are cores verify a password of the same costs, and nothing else.",
    "How long others wait for a core that is busy is the machine's doing: the last table shows it without us.",
    f"Other routes: {OTHERS_PER_SECOND} GET of a MOCK route a second, planned, on {OTHERS_CONNECTIONS} connections.",
]
RATES: Final = (Metric("sign-ins/s", "{:.1f}"), Metric("per CPU-second", "{:.1f}"))
LATENCIES: Final = (Metric("p50 µs", more_is_better=False), Metric("p99 µs", more_is_better=False))


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("signin", "Sign-ins by password", list(HOW))
    rates = suite.case("password", "Sign-ins by password", *RATES)
    quiet = suite.case("others", "Another route, while nobody signs in", *LATENCIES)
    busy = suite.case("others-saturated", "The same while sign-ins saturate the machine", *LATENCIES)
    beside = suite.case(
        "others-hashing", f"The same while {ALONE} alone saturates it, at the priority of our threads", *LATENCIES
    )
    platforms: dict[str, _Platform] = {}
    with ExitStack() as stack:
        for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
            if name == COMPILED and source is None:
                rates.missing[name] = installation.missing["gatepost-compiled"]
                continue
            place = "signin-compiled" if source else "signin"
            server = Gatepost(place, cores=cores.both, durability=options.durability, source=source)
            stack.callback(server.stop)
            server.wait()
            platforms[name] = _Platform(server, place, cores.both)
            suite.configurations[name] = server.configuration

        def measure(name: str, is_counted: bool) -> None:
            if name == ALONE:
                figures = _alone(options.seconds, cores.both)
            else:
                figures = platforms[name].sign_in(options.seconds)
                if is_counted:
                    platforms[name].ask(quiet, name, options.seconds)
                    platforms[name].ask_saturated(busy, name, options.seconds)
                    platforms[name].ask_beside(beside, name, options.seconds)
            if is_counted:
                rates.add(name, **figures)

        interleave([ALONE, *platforms], options.rounds, measure, rates)
    return suite


class _Platform:
    """A platform with users, and a route that has nothing to do with them."""

    def __init__(self, server: Gatepost, place: str, cores: str) -> None:
        self._server = server
        self._cores = cores
        aws = server.aws()
        pools = aws.client("cognito-idp")
        pool = pools.create_user_pool(PoolName="people")["UserPool"]["Id"]
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = pools.create_user_pool_client(UserPoolId=pool, ClientName="web", ExplicitAuthFlows=flows)
        client_id = made["UserPoolClient"]["ClientId"]
        for number in range(USERS):
            user = {"UserPoolId": pool, "Username": f"user{number}"}
            pools.admin_create_user(**user, MessageAction="SUPPRESS")
            pools.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        self._sign_ins = write(
            HOME / "run" / f"requests-{place}",
            [_sign_in(client_id, f"user{number}", server.aws_port) for number in range(USERS)],
        )
        host = f"{aws.import_api(_document(), STAGE)}.execute-api.us-east-1.localhost:{server.public_port}"
        self._others = write(
            HOME / "run" / f"requests-{place}-others", [render("GET", f"/{STAGE}/products", [("Host", host)])]
        )

    def sign_in(self, seconds: float) -> dict[str, float]:
        """Sign in as fast as answers come."""
        load = run_wrk(
            self._server.process,
            self._sign_ins,
            self._server.aws_port,
            connections=CONNECTIONS,
            seconds=seconds,
            cores=self._cores,
        )
        return {"sign-ins/s": load.per_second, "per CPU-second": load.per_cpu_second}

    def ask(self, case: Case, name: str, seconds: float) -> None:
        """Ask the other route."""
        load = run_paced(
            self._server.process,
            self._others,
            self._server.public_port,
            connections=OTHERS_CONNECTIONS,
            rate=OTHERS_PER_SECOND,
            seconds=seconds,
            cores=self._cores,
        )
        case.add(name, **{"p50 µs": load.p50_us, "p99 µs": load.p99_us})

    def ask_saturated(self, case: Case, name: str, seconds: float) -> None:
        """Ask the other route while users sign in."""
        crowd = threading.Thread(target=self.sign_in, args=(seconds + 2 * HEAD_START_S,))
        crowd.start()
        time.sleep(HEAD_START_S)
        try:
            self.ask(case, name, seconds)
        finally:
            crowd.join()

    def ask_beside(self, case: Case, name: str, seconds: float) -> None:
        """Ask the other route while a program that has nothing to do with us hashes passwords: the machine's part."""
        command = [sys.executable, "-m", "benchmarks.load.argon", str(seconds + 2 * HEAD_START_S), str(NICE)]
        with subprocess.Popen(["taskset", "-c", self._cores, *command], stdout=subprocess.DEVNULL, cwd=ROOT):
            time.sleep(HEAD_START_S)
            self.ask(case, name, seconds)


def _alone(seconds: float, cores: str) -> dict[str, float]:
    command = ["taskset", "-c", cores, sys.executable, "-m", "benchmarks.load.argon", str(seconds)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60, cwd=ROOT)
    if ended.returncode:
        raise PeerFailed(ended.stderr[-300:])
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def _sign_in(client_id: str, name: str, port: int) -> bytes:
    body = {
        "ClientId": client_id,
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": name, "PASSWORD": PASSWORD},
    }
    headers = [
        ("Host", f"127.0.0.1:{port}"),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth"),
    ]
    return render("POST", "/", headers, json.dumps(body).encode())


def _document() -> dict[str, object]:
    integration = {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": BODY}}},
    }
    operation = {
        "responses": {"200": {"description": "products"}},
        "x-amazon-apigateway-integration": integration,
    }
    return {
        "openapi": "3.0.1",
        "info": {"title": "others", "version": "1"},
        "paths": {"/products": {"get": operation}},
    }
