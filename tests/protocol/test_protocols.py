"""Bytes become parameters and results become bytes, exactly as the data files beside this test say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.cbor import CborProtocol
from gatepost.awsapi.protocols.json import JsonProtocol
from gatepost.awsapi.protocols.query import QueryProtocol
from gatepost.awsapi.protocols.rest_json import RestJsonProtocol
from gatepost.awsapi.protocols.uri_templates import UriRouter
from gatepost.awsapi.shapes import ServiceModels
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Response

MODELS = ServiceModels()
PROTOCOLS: dict[str, Any] = {
    "json": JsonProtocol,
    "rest_json": RestJsonProtocol,
    "query": QueryProtocol,
    "cbor": CborProtocol,
}


def cases() -> list[Any]:
    folder = Path(__file__).parent
    found = []
    for name in PROTOCOLS:
        described = yaml.safe_load((folder / f"{name}.yaml").read_text())
        found += [pytest.param(name, case, id=f"{name}: {case['name']}") for case in described]
    return found


def body_of(described: dict[str, Any]) -> bytes:
    if "body_hex" in described:
        return bytes.fromhex(described["body_hex"])
    body = described.get("body", "")
    if "repeat_in_body" in described:
        body += described["repeat_in_body"] + described["part"] * described["times"] + "=x"
    return body.encode()


def an_error(described: dict[str, Any]) -> ServiceError:
    attributes = {"code": described["code"], "status": described["status"]}
    kind = type("Described", (ServiceError,), attributes)
    return kind(described["message"], members=described.get("members"))


def incoming(protocol_name: str, service: str, case: dict[str, Any]) -> Incoming:
    described = case["request"]
    method, path, query = described.get("method", "POST"), described.get("path", "/"), described.get("query", "")
    labels: dict[str, str] = {}
    if protocol_name == "rest_json":
        model = MODELS.get(service)
        assert model is not None
        uris = {name: (raw["http"]["method"], raw["http"]["requestUri"]) for name, raw in model.operations.items()}
        match = UriRouter(uris).find(method, path, query)
        assert match is not None
        assert match.operation == case["operation"]
        labels = match.labels
    headers = {name.encode(): value.encode() for name, value in described.get("headers", {}).items()}
    return Incoming(method, path, query, headers, body_of(described), labels)


@pytest.mark.parametrize(("protocol_name", "case"), cases())
def test_case(protocol_name: str, case: dict[str, Any]) -> None:
    model = MODELS.get(case["service"])
    assert model is not None
    operation = model.operation(case["operation"])
    assert operation is not None
    protocol = PROTOCOLS[protocol_name](model)
    codec = protocol.codec(operation)
    if "refused" in case:
        with pytest.raises(SerializationException) as caught:
            codec.parse(incoming(protocol_name, case["service"], case))
        assert caught.value.code == case["refused"]
        assert caught.value.message == case.get("message", caught.value.message)
    elif "request" in case:
        assert codec.parse(incoming(protocol_name, case["service"], case)) == case["params"]
    elif "error" in case:
        check_response(protocol.render_error(an_error(case["error"]), "id"), case["response"])
    else:
        check_response(codec.render(case["result"], "id"), case["response"])


def check_response(response: Response, expected: dict[str, Any]) -> None:
    assert response.status == expected["status"]
    assert response.body == body_of(expected)
    sent = {name.decode().lower(): value.decode() for name, value in response.headers}
    assert {name: sent.get(name) for name in expected.get("headers", {})} == expected.get("headers", {})
