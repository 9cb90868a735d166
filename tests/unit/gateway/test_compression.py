from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from gatepost.gateway.compression import STREAMED_FROM, accepted
from gatepost.services.apigateway.deployment import ApiModel, GatewayResponse, Method, RequestValidator
from tests.support.gateways import LAMBDA, Functions, TestGateway, a_request, header, json_of

BODY = b'{"name": "' + b"x" * 500 + b'"}'


def a_gateway(body="y" * 1000, *, minimum=100, headers=None, **changes):
    gateway = TestGateway(Functions({"statusCode": 200, "body": body, "headers": headers or {}}))
    method = Method("POST", integration=LAMBDA, **changes.pop("method", {}))
    gateway.compiled = gateway.deploy({"/orders": (method,)}, minimum_compression_bytes=minimum, **changes)
    return gateway


def post(gateway, body=b"", **headers):
    return gateway.answer(
        a_request("POST", headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()), body=body)
    )


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "deflate"),
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("br, GZIP ;q=0.1", "gzip"),
        ("*", "gzip"),
        ("identity", ""),
        ("identity, gzip;q=0.5", ""),
        ("gzip;q=0", ""),
        ("gzip;q=x", ""),
        ("br", ""),
        ("", ""),
    ],
)
def test_the_first_encoding_with_the_highest_weight_is_taken(accept, encoding):
    assert accepted(accept.encode()).decode() == encoding


@pytest.mark.parametrize(("accept", "unpack"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_an_answer_is_packed_as_the_client_accepts_it(accept, unpack):
    answer = post(a_gateway(), Accept_Encoding=accept)
    assert header(answer, "Content-Encoding") == [accept]
    assert unpack(answer.body) == b"y" * 1000
    assert len(answer.body) < 100


@pytest.mark.parametrize(
    ("options", "accept"),
    [
        ({}, None),
        ({}, "br"),
        ({"minimum": 1001}, "gzip"),
        ({"headers": {"Content-Encoding": "br"}}, "gzip"),
        ({"minimum": None}, "gzip"),
    ],
)
def test_other_answers_stay_as_they_are(options, accept):
    answer = post(a_gateway(**options), **({"Accept_Encoding": accept} if accept else {}))
    assert answer.body == b"y" * 1000
    assert "gzip" not in header(answer, "Content-Encoding")


def test_an_answer_of_exactly_the_minimum_is_packed_and_an_empty_one_never():
    assert header(post(a_gateway(minimum=1000), Accept_Encoding="gzip"), "Content-Encoding") == ["gzip"]
    assert header(post(a_gateway("", minimum=0), Accept_Encoding="gzip"), "Content-Encoding") == []


def test_a_long_answer_is_packed_while_it_is_sent():
    async def whole(stream):
        return b"".join([piece async for piece in stream])

    answer = post(a_gateway("z" * STREAMED_FROM), Accept_Encoding="gzip")
    assert answer.stream is not None
    assert gzip.decompress(asyncio.run(whole(answer.stream))) == b"z" * STREAMED_FROM


def raw_deflate(body):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("Deflate", raw_deflate)]
)
def test_a_packed_request_is_unpacked_before_anyone_reads_it(encoding, pack):
    gateway = a_gateway(
        method={"request_validator_id": "v", "request_models": {"application/json": "Pet"}},
        request_validators=(RequestValidator("v", "v", validates_body=True),),
        models=(ApiModel("p", "Pet", "application/json", '{"required": ["name"]}'),),
    )
    assert post(gateway, pack(BODY), Content_Encoding=encoding).status == 200
    event = gateway.functions.event
    assert event["body"] == BODY.decode()
    assert "Content-Encoding" not in event["headers"]
    assert post(gateway, pack(b"{}"), Content_Encoding=encoding).status == 400


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (BODY, "br", 415),
        (BODY, "gzip", 400),
        (gzip.compress(BODY, mtime=0)[:-4], "gzip", 400),
        (gzip.compress(BODY, mtime=0) + b"more", "gzip", 400),
        (gzip.compress(b"0" * (10 * 1024 * 1024 + 1)), "gzip", 413),
        (zlib.compress(b"0" * (64 * 1024 * 1024)), "deflate", 413),
        (gzip.compress(b"0" * (10 * 1024 * 1024 - 1)), "gzip", 200),
    ],
)
def test_what_cannot_be_unpacked_is_refused_and_bombs_stay_small(body, encoding, status):
    gateway = a_gateway()
    assert post(gateway, body, Content_Encoding=encoding).status == status
    assert len(gateway.functions.invocations) == (status == 200)


def test_identity_and_nothing_pass():
    gateway = a_gateway()
    assert post(gateway, BODY, Content_Encoding="identity").status == 200
    assert post(gateway, b"", Content_Encoding="gzip").status == 200


def test_without_a_minimum_a_packed_request_passes_as_it_is():
    gateway = a_gateway(minimum=None, binary_media_types=("*/*",))
    packed = gzip.compress(BODY, mtime=0)
    assert post(gateway, packed, Content_Encoding="gzip").status == 200
    assert gateway.functions.event["headers"]["Content-Encoding"] == "gzip"
    assert gateway.functions.event["isBase64Encoded"] is True


def test_refusals_are_packed_too():
    long = GatewayResponse(
        "UNSUPPORTED_MEDIA_TYPE", response_templates={"application/json": '{"m":"' + "no" * 200 + '"}'}
    )
    answer = post(a_gateway(gateway_responses=(long,)), BODY, Content_Encoding="br", Accept_Encoding="gzip")
    assert (answer.status, header(answer, "Content-Encoding")) == (415, ["gzip"])
    assert b"nono" in gzip.decompress(answer.body)
    short = post(a_gateway(), BODY, Content_Encoding="br", Accept_Encoding="gzip")
    assert json_of(short) == {"message": "Unsupported Media Type"}
