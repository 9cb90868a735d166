from __future__ import annotations

import asyncio

import orjson
import pytest

from gatepost.kernel.errors import remote_error
from gatepost.kernel.pieces import Pieces
from gatepost.kernel.ports import HTTP_INTEGRATION_RESPONSE, StreamBroken
from gatepost.services.apigateway.deployment import Integration, Method
from tests.support.gateways import FUNCTION, FUNCTION_URI, Functions, TestGateway, a_request, header

URI = FUNCTION_URI.replace("2015-03-31", "2021-11-15").replace("/invocations", "/response-streaming-invocations")
HEAD = orjson.dumps({"statusCode": 201, "headers": {"Content-Type": "text/event-stream"}, "cookies": ["a=1", "b=2"]})
END = bytes(8)


class Streaming(Functions):
    """Functions whose answers are written in pieces."""

    def __init__(self, *pieces, content_type=HTTP_INTEGRATION_RESPONSE, error=None, begins=True):
        super().__init__()
        self.pieces = pieces
        self.content_type = content_type
        self.error = error
        self.begins = begins

    async def stream(self, invocation):
        self.invocations.append(invocation)
        if self.error is not None:
            raise self.error
        if not self.begins:
            await asyncio.Event().wait()
        stream = Pieces()
        stream.content_type = self.content_type
        failure = None
        for piece in self.pieces:
            if isinstance(piece, Exception):
                failure = piece
            else:
                stream.put(piece, lambda: None)
        stream.end(failure)
        return stream


def ask(functions, **changes):
    gateway = TestGateway(functions)
    facts = {"http_method": "POST", "uri": URI, "response_transfer_mode": "STREAM", **changes}
    gateway.compiled = gateway.deploy({"/orders": (Method("POST", integration=Integration("AWS_PROXY", **facts)),)})

    async def scenario():
        response = await gateway.send(a_request("POST", body=b"hello"))
        if response.stream is None:
            return response, response.body
        got = []
        try:
            async for piece in response.stream:
                got.append(piece)  # noqa: PERF401 (what came before it broke off counts)
        except Exception as error:
            got.append(type(error).__name__)
        await response.stream.aclose()
        return response, got

    response, body = gateway.run(scenario)
    return gateway, response, body


def test_metadata_makes_the_head_and_the_rest_is_streamed():
    gateway, response, body = ask(Streaming(HEAD + END + b"one", b"two"))
    assert gateway.compiled.problems == ()
    assert response.status == 201
    assert header(response, "Content-Type") == ["text/event-stream"]
    assert header(response, "Set-Cookie") == ["a=1", "b=2"]
    assert header(response, "x-amzn-RequestId")
    assert b"".join(body) == b"onetwo"
    event = gateway.functions.event
    assert (event["body"], event["resource"]) == ("hello", "/orders")
    assert gateway.functions.invocations[0].function_arn == FUNCTION


def test_metadata_may_come_in_pieces_and_may_be_empty():
    _, response, body = ask(Streaming(b"{", b"}", END[:3], END[3:], b"x"))
    assert (response.status, header(response, "Content-Type"), b"".join(body)) == (200, ["application/json"], b"x")


@pytest.mark.parametrize(
    "functions",
    [
        Streaming(b"no metadata", content_type="text/plain"),
        Streaming(b"not json" + END),
        Streaming(b"[]" + END),
        Streaming(b'{"statusCode": 99}' + END),
        Streaming(b'{"headers": []}' + END),
        Streaming(b'{"cookies": "a=1"}' + END),
        Streaming(b'{"headers": {"a b": "c"}}' + END),
        Streaming(b"x" * 20_000),
        Streaming(StreamBroken("Unhandled", b'{"errorMessage": "no"}')),
    ],
)
def test_what_does_not_begin_as_it_should_is_a_bad_gateway(functions):
    _, response, body = ask(functions)
    assert (response.status, body) == (502, b'{"message": "Internal server error"}')


def test_what_fails_later_breaks_the_answer_off():
    _, response, body = ask(Streaming(HEAD + END + b"one", StreamBroken("Unhandled", b"{}")))
    assert (response.status, body) == (201, [b"one", "BadResponse"])


def test_a_function_that_may_not_run_is_500_and_one_that_does_not_begin_504():
    assert ask(Streaming(error=remote_error("TooManyRequestsException", 429, "no")))[1].status == 500
    assert ask(Streaming(begins=False), timeout_ms=50)[1].status == 504


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": FUNCTION_URI},
        {"response_transfer_mode": "BUFFERED"},
        {"http_method": "GET"},
        {"response_transfer_mode": "CHUNKED"},
    ],
)
def test_what_cannot_work_says_why(changes):
    gateway, response, _ = ask(Streaming(HEAD + END), **changes)
    assert len(gateway.compiled.problems) == 1
    assert response.status == 500
