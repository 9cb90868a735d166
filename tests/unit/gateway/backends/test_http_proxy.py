from __future__ import annotations

import asyncio

import pytest

from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import SystemClock
from gatepost.services.apigateway.deployment import Integration, Method, StageSettings
from gatepost.wire.client import Client
from gatepost.wire.messages import Request
from gatepost.wire.outgoing import (
    AddressRefused,
    ClientLimits,
    ConnectFailed,
    NameUnknown,
    PoolExhausted,
    UpstreamClosed,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamTooLarge,
)
from tests.support.gateways import API, TestGateway, Upstreams, a_request, an_answer, header, until

PROXY = {"integration.request.path.proxy": "method.request.path.proxy"}


def an_integration(uri="http://backend.example:9000/base/{proxy}", mapping=PROXY, **changes):
    return Integration("HTTP_PROXY", **({"http_method": "ANY"} | changes), uri=uri, request_parameters=mapping)


def deployed(integration, *, path="/{proxy+}", answer=None, **kwargs):
    gateway = TestGateway(upstreams=Upstreams(answer), **kwargs)
    stage = StageSettings("prod", "dep123", variables={"host": "backend.example", "tier": "gold"})
    compiled = gateway.deploy({path: (Method("ANY", integration=integration),)}, stage=stage)
    return gateway, compiled


def sent(request=None, integration=None, **kwargs):
    gateway, compiled = deployed(integration or an_integration(), **kwargs)
    assert compiled.problems == ()
    response = gateway.answer(request or a_request(target="/prod/a/b"))
    assert response.status == 200
    return gateway.upstreams


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/prod/a/b", "/base/a/b"),
        ("/prod/a%20b/%C3%A9", "/base/a%20b/%C3%A9"),
        ("/prod/a%2Fb", "/base/a%2Fb"),
        ("/prod/a?x=1&y=%20&x=2", "/base/a?x=1&y=%20&x=2"),
        ("/prod/a?", "/base/a"),
        ("/prod/a...b/.c", "/base/a...b/.c"),
    ],
)
def test_path_and_query_pass_through_as_the_client_wrote_them(target, expected):
    assert sent(a_request(target=target)).last.target == expected


@pytest.mark.parametrize(
    "target",
    [
        "/prod/../secret",
        "/prod/a/..",
        "/prod/a/%2e%2E/b",
        "/prod/a%2F..%2Fb",
        "/prod/./a",
        "/prod/a%5C..%5Cb",
        "/prod/..;/manager",
        "/prod/..%3Bx=1/manager",
    ],
)
def test_a_path_that_climbs_out_of_its_place_is_refused(target):
    gateway, _ = deployed(an_integration())
    assert gateway.answer(a_request(target=target)).status == 400
    assert gateway.upstreams.requests == []


def test_method_body_and_address_are_passed_on():
    upstreams = sent(a_request("PATCH", "/prod/a", body=b"\x00\x01"))
    last = upstreams.last
    assert (last.method, last.host, last.port, last.is_tls, last.body) == (
        "PATCH",
        "backend.example",
        9000,
        False,
        b"\x00\x01",
    )
    assert last.read_ms == 29_000


def test_the_integration_may_have_a_method_and_a_timeout_of_its_own():
    last = sent(integration=an_integration(http_method="POST", timeout_ms=700)).last
    assert (last.method, last.read_ms) == ("POST", 700)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://backend.example", ("backend.example", 443, True, "/")),
        ("https://${stageVariables.host}/a?key=1", ("backend.example", 443, True, "/a?key=1")),
        ("http://[::1]:81/", ("::1", 81, False, "/")),
        ("http://BACKEND.example/", ("backend.example", 80, False, "/")),
    ],
)
def test_the_uri_says_where_to(uri, expected):
    last = sent(integration=an_integration(uri, {})).last
    assert (last.host, last.port, last.is_tls, last.target) == expected


def test_parameters_are_mapped_into_path_query_and_headers():
    mapping = {
        "integration.request.path.id": "method.request.querystring.id",
        "integration.request.querystring.tier": "stageVariables.tier",
        "integration.request.querystring.color": "method.request.multivaluequerystring.c",
        "integration.request.querystring.absent": "method.request.querystring.none",
        "integration.request.header.X-Stage": "context.stage",
        "integration.request.header.X-Literal": "'yes'",
        "integration.request.header.X-Own": "method.request.header.X-Other",
        "integration.request.header.X-Split": "method.request.querystring.split",
    }
    request = a_request(
        target="/prod/x?id=a/b%20c&tier=client&c=red&c=blue%26&split=a%0D%0Ab",
        headers=(("X-Own", "client"), ("X-Other", "other")),
    )
    upstreams = sent(request, an_integration("http://backend.example/items/{id}", mapping))
    assert upstreams.last.target == (
        "/items/a%2Fb%20c?id=a/b%20c&c=red&c=blue%26&split=a%0D%0Ab&tier=gold&color=red&color=blue%26"
    )
    assert upstreams.header("X-Stage") == ["prod"]
    assert upstreams.header("X-Literal") == ["yes"]
    assert upstreams.header("X-Own") == ["other"]
    assert upstreams.header("X-Split") == ["ab"]


def test_the_clients_headers_pass_with_the_gateways_own_added():
    request = a_request(
        target="/prod/a",
        headers=(
            ("X-Custom", "1"),
            ("x-custom", "2"),
            ("Authorization", "Bearer t"),
            ("Accept-Encoding", "gzip"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("x-amzn-apigateway-api-id", "forged"),
            ("X-Amzn-Trace-Id", "forged"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "secret"),
            ("Via", "1.0 x"),
            ("TE", "trailers"),
        ),
    )
    upstreams = sent(request)
    assert upstreams.header("X-Custom") == ["1", "2"]
    assert upstreams.header("Authorization") == ["Bearer t"]
    assert upstreams.header("Accept-Encoding") == ["gzip"]
    assert upstreams.header("X-Forwarded-For") == ["10.0.0.1, 198.51.100.7"]
    assert upstreams.header("X-Forwarded-Port") == ["8080"]
    assert upstreams.header("X-Forwarded-Proto") == ["http"]
    assert upstreams.header("x-amzn-apigateway-api-id") == [API]
    assert upstreams.header("X-Amzn-Trace-Id")[0].startswith("Root=1-")
    for name in ("Host", "Connection", "X-Hop", "Via", "TE"):
        assert upstreams.header(name) == []


def test_apis_that_share_a_connection_keep_their_own_ids():
    gateway = TestGateway()
    routes = {"/{proxy+}": (Method("ANY", integration=an_integration()),)}
    gateway.deploy(routes)
    gateway.deploy(routes, api_id="other12345")
    first = a_request(target=f"/_aws/execute-api/{API}/prod/a", host="127.0.0.1:8080")
    second = Request("GET", "/_aws/execute-api/other12345/prod/a", block=first.block, peer=first.peer)
    for request, api_id in ((first, API), (second, "other12345")):
        gateway.answer(request)
        assert gateway.upstreams.header("x-amzn-apigateway-api-id") == [api_id]


def test_a_signature_for_us_is_not_passed_on():
    request = a_request(target="/prod/a", headers=(("Authorization", "AWS4-HMAC-SHA256 Credential=x"),))
    assert sent(request).header("Authorization") == []


def test_the_answer_passes_with_headers_remapped():
    upstream = an_answer(
        207,
        (
            ("Content-Type", "text/plain"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Server", "nginx"),
            ("Date", "today"),
            ("Transfer-Encoding", "chunked"),
            ("Via", "1.1 x"),
        ),
        b"\x00body",
    )
    gateway, _ = deployed(an_integration(), answer=lambda _request: upstream)
    response = gateway.get("/prod/a")
    assert (response.status, response.body) == (207, b"\x00body")
    assert header(response, "Set-Cookie") == ["a=1", "b=2"]
    assert header(response, "x-amzn-Remapped-Server") == ["nginx"]
    assert header(response, "x-amzn-Remapped-Date") == ["today"]
    assert header(response, "Transfer-Encoding") == header(response, "Via") == header(response, "Server") == []


@pytest.mark.parametrize(("status", "expected"), [(200, ["application/json"]), (204, []), (304, [])])
def test_an_answer_without_a_content_type_gets_one(status, expected):
    gateway, _ = deployed(an_integration(), answer=lambda _request: an_answer(status, (), b""))
    assert header(gateway.get("/prod/a"), "Content-Type") == expected


def test_an_answer_to_head_keeps_its_length():
    gateway, _ = deployed(an_integration(), answer=lambda _request: an_answer(200, (("Content-Length", "1234"),), b""))
    assert gateway.answer(a_request("HEAD", "/prod/a")).content_length == 1234


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (UpstreamTimedOut("slow"), 504, b'{"message": "Endpoint request timed out"}'),
        (ConnectFailed("refused"), 504, b'{"message": "Network error communicating with endpoint"}'),
        (UpstreamClosed("gone"), 504, b'{"message": "Network error communicating with endpoint"}'),
        (UpstreamMalformed("bad"), 504, b'{"message": "Network error communicating with endpoint"}'),
        (UpstreamTooLarge("big"), 504, b'{"message": "Network error communicating with endpoint"}'),
        (PoolExhausted("full"), 504, b'{"message": "Network error communicating with endpoint"}'),
        (AddressRefused("no"), 500, b'{"message": "Internal server error"}'),
        (NameUnknown("no such name"), 500, b'{"message": "Internal server error"}'),
        (ValueError("CR in a header"), 400, b'{"message":"Bad Request"}'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_upstream_without_an_answer_is_refused_as_aws_does_it(error, status, body):
    gateway, _ = deployed(an_integration(), answer=error)
    response = gateway.get("/prod/a")
    assert (response.status, response.body) == (status, body)


def test_a_short_timeout_counts_the_time_for_a_connection_too(caplog):
    async def scenario():
        gate, ended = asyncio.Event(), asyncio.Event()

        class Slow(Upstreams):
            async def send(self, request):
                await gate.wait()
                ended.set()
                raise ConnectFailed("too late for anyone to hear")

        gateway = TestGateway(upstreams=Slow())
        gateway.deploy({"/{proxy+}": (Method("ANY", integration=an_integration(timeout_ms=50)),)})
        response = await gateway.send(a_request(target="/prod/a"))
        gate.set()
        await until(ended.is_set)
        await until(lambda: len(gateway.tasks) == 0)
        gateway.request_log.flush()
        return response

    assert asyncio.run(scenario()).body == b'{"message": "Endpoint request timed out"}'
    assert "task failed" not in caplog.text


def test_names_of_our_own_apis_are_never_contacted_outside():
    uri = "https://abc1234567.execute-api.us-east-1.amazonaws.com/prod/x"
    own = {API: ("127.0.0.1", 8080)}.get
    upstreams = sent(integration=an_integration(uri, {}), own_listener=own)
    last = upstreams.last
    assert (last.host, last.port, last.is_tls) == ("127.0.0.1", 8080, False)
    assert upstreams.header("Host") == ["abc1234567.execute-api.us-east-1.amazonaws.com"]
    elsewhere = an_integration(uri.replace("abc1234567", "other12345"), {})
    assert sent(integration=elsewhere, own_listener=own).last.host == "other12345.execute-api.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    "integration",
    [
        an_integration("", {}),
        an_integration("ftp://a/", {}),
        an_integration("http://", {}),
        an_integration("http://a:0/", {}),
        an_integration("http://a:99999/", {}),
        an_integration("http://user@a/", {}),
        an_integration("http://a/ b", {}),
        an_integration("http://a/\r\nX: y", {}),
        an_integration("http://a/${stageVariables.absent}", {}),
        an_integration("http://a/{proxy}", {}),
        an_integration("http://169.254.169.254/latest", {}),
        an_integration("http://[fd00:ec2::254]/", {}),
        an_integration(mapping={"integration.request.path.proxy": "nonsense"}),
        an_integration(mapping=PROXY | {"integration.request.cookie.x": "'a'"}),
        an_integration(mapping=PROXY | {"method.request.header.x": "'a'"}),
        an_integration(mapping=PROXY | {"integration.request.header.x y": "'a'"}),
        an_integration(connection_type="VPC_LINK"),
        an_integration(content_handling="CONVERT_TO_TEXT"),
        an_integration(credentials_arn="arn:aws:iam::123456789012:role/x"),
        an_integration(is_tls_verification_skipped=True),
    ],
)
def test_what_cannot_work_gets_a_plan_that_says_so(integration):
    gateway, compiled = deployed(integration)
    assert len(compiled.problems) == 1
    assert gateway.get("/prod/a").status == 500
    assert gateway.upstreams.requests == []


def test_private_addresses_are_the_operators_choice():
    integration = an_integration("http://127.0.0.1:9000/", {})
    assert deployed(integration)[1].problems == ()
    assert deployed(integration, policy=AddressPolicy(private_allowed=False))[1].problems != ()


def test_a_real_upstream_answers_through_the_real_client():
    async def upstream(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(line), line))
        await writer.drain()
        writer.close()

    async def scenario():
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Client(clock=SystemClock(), limits=ClientLimits(), allow_address=AddressPolicy())
        gateway = TestGateway(upstreams=client)
        gateway.deploy(
            {"/{proxy+}": (Method("ANY", integration=an_integration(f"http://127.0.0.1:{port}/b/{{proxy}}")),)}
        )
        response = await gateway.send(a_request("POST", "/prod/x?y=1", body=b"z"))
        await client.close()
        server.close()
        await server.wait_closed()
        return response

    response = asyncio.run(scenario())
    assert (response.status, response.body) == (200, b"POST /b/x?y=1 HTTP/1.1")
