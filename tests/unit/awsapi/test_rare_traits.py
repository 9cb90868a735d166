"""Traits that none of today's models use, and that the protocols have all the same: read and written by toy models."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.query import QueryProtocol
from gatepost.awsapi.protocols.rest_json import RestJsonProtocol
from gatepost.awsapi.shapes import ServiceModel

TEXT = {"type": "string"}
NUMBERS = {"type": "list", "member": {"shape": "Number"}}
TEXTS = {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}}


def a_codec(protocol: Any, top: dict[str, Any], **shapes: dict[str, Any]) -> Any:
    model = ServiceModel(
        "toy",
        {
            "metadata": {"protocol": "toy", "xmlNamespace": "urn:toy"},
            "operations": {
                "Do": {
                    "http": {"method": "POST", "requestUri": "/do"},
                    "input": {"shape": "Top"},
                    "output": {"shape": "Top", "resultWrapper": "DoResult"},
                }
            },
            "shapes": {
                "Top": {"type": "structure", **top},
                "Text": TEXT,
                "Number": {"type": "integer"},
                "Blob": {"type": "blob"},
                "Time": {"type": "timestamp"},
                **shapes,
            },
        },
    )
    operation = model.operation("Do")
    assert operation is not None
    return protocol(model).codec(operation)


def incoming(body: bytes = b"", query: str = "", **headers: str) -> Incoming:
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Incoming("POST", "/do", query, sent, body, {})


HEADERS = {
    "members": {
        "meta": {"shape": "Texts", "location": "headers", "locationName": "X-Meta-"},
        "numbers": {"shape": "Numbers", "location": "header", "locationName": "X-Numbers"},
        "at": {"shape": "Time", "location": "header", "locationName": "X-At"},
        "on": {"shape": "Time", "location": "querystring", "locationName": "on"},
        "code": {"shape": "Number", "location": "statusCode"},
    }
}


def test_rest_headers_are_read_with_prefixes_lists_and_times() -> None:
    codec = a_codec(RestJsonProtocol, HEADERS, Texts=TEXTS, Numbers=NUMBERS)
    read = codec.parse(
        incoming(
            query="on=2025-10-09T08:53:20Z",
            x_meta_a="1",
            x_meta_b="2",
            x_numbers="1, 2",
            x_at="Thu, 09 Oct 2025 08:53:20 GMT",
        )
    )
    moment = 1_760_000_000_000
    assert read == {"meta": {"a": "1", "b": "2"}, "numbers": [1, 2], "at": moment, "on": moment}


def test_rest_headers_are_written_with_prefixes_lists_and_times() -> None:
    codec = a_codec(RestJsonProtocol, HEADERS, Texts=TEXTS, Numbers=NUMBERS)
    result = {"meta": {"a": "x\r\ny"}, "numbers": [1, 2], "at": 1_760_000_000_000, "code": 201}
    response = codec.render(result, "id")
    assert response.status == 201
    assert dict(response.headers)[b"X-Meta-a"] == b"x  y"
    assert dict(response.headers)[b"X-Numbers"] == b"1, 2"
    assert dict(response.headers)[b"X-At"] == b"Thu, 09 Oct 2025 08:53:20 GMT"


def test_a_rest_payload_may_be_a_structure() -> None:
    top = {"payload": "inner", "members": {"inner": {"shape": "Inner"}}}
    inner = {"type": "structure", "members": {"name": {"shape": "Text"}}}
    codec = a_codec(RestJsonProtocol, top, Inner=inner)
    assert codec.parse(incoming(b'{"name": "n"}')) == {"inner": {"name": "n"}}
    assert codec.parse(incoming()) == {}
    assert codec.render({"inner": {"name": "n"}}, "id").body == b'{"name":"n"}'
    assert codec.render({}, "id").body == b"{}"


def test_a_rest_payload_may_be_a_text() -> None:
    codec = a_codec(RestJsonProtocol, {"payload": "text", "members": {"text": {"shape": "Text"}}})
    assert codec.parse(incoming("ü".encode())) == {"text": "ü"}
    assert codec.render({"text": "ü"}, "id").body == "ü".encode()
    with pytest.raises(SerializationException):
        codec.parse(incoming(b"\xff"))


FLAT = {
    "members": {
        "numbers": {"shape": "Numbers", "flattened": True},
        "tags": {"shape": "Texts", "flattened": True, "locationName": "Tag"},
        "named": {"shape": "Named"},
        "blob": {"shape": "Blob"},
        "at": {"shape": "Time"},
    }
}
NAMED = {"type": "list", "member": {"shape": "Text", "locationName": "Item"}}


def test_flattened_forms_are_read() -> None:
    codec = a_codec(QueryProtocol, FLAT, Texts=TEXTS, Numbers=NUMBERS, Named=NAMED)
    form = (
        b"Action=Do&numbers.2=20&numbers.1=10&Tag.1.key=a&Tag.1.value=1&named.Item.1=x"
        b"&blob=AQ%3D%3D&at=2025-10-09T08%3A53%3A20Z"
    )
    assert codec.parse(incoming(form)) == {
        "numbers": [10, 20],
        "tags": {"a": "1"},
        "named": ["x"],
        "blob": b"\x01",
        "at": 1_760_000_000_000,
    }


def test_flattened_forms_are_written() -> None:
    codec = a_codec(QueryProtocol, FLAT, Texts=TEXTS, Numbers=NUMBERS, Named=NAMED)
    body = codec.render({"numbers": [10, 20], "named": ["x"], "blob": b"\x01", "tags": {"a": "1"}}, "id").body
    assert body == (
        b'<DoResponse xmlns="urn:toy"><DoResult><numbers>10</numbers><numbers>20</numbers>'
        b"<named><Item>x</Item></named><blob>AQ==</blob><Tag><key>a</key><value>1</value></Tag>"
        b"</DoResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>"
    )


def test_a_blob_in_a_form_must_be_base64() -> None:
    codec = a_codec(QueryProtocol, FLAT, Texts=TEXTS, Numbers=NUMBERS, Named=NAMED)
    with pytest.raises(SerializationException):
        codec.parse(incoming(b"blob=%25"))
