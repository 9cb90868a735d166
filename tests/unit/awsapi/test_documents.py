"""Readers and writers of each form are each other's inverse, and catch our own mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.awsapi.protocols.documents import (
    CBOR,
    JSON,
    NATIVE,
    PLAIN,
    Form,
    ReaderCompiler,
    UnmodelledMember,
    WriterCompiler,
)
from gatepost.awsapi.protocols.xml import element, text
from gatepost.awsapi.shapes import ServiceModel

MODEL = ServiceModel(
    "toy",
    {
        "metadata": {"protocol": "json"},
        "operations": {},
        "shapes": {
            "Node": {
                "type": "structure",
                "members": {
                    "name": {"shape": "Name", "locationName": "Name"},
                    "blob": {"shape": "Blob"},
                    "at": {"shape": "Time"},
                    "on": {"shape": "Day"},
                    "children": {"shape": "Nodes"},
                    "byName": {"shape": "NodesByName"},
                    "anything": {"shape": "Anything"},
                },
            },
            "Nodes": {"type": "list", "member": {"shape": "Node"}},
            "NodesByName": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Node"}},
            "Name": {"type": "string"},
            "Blob": {"type": "blob"},
            "Time": {"type": "timestamp"},
            "Day": {"type": "timestamp", "timestampFormat": "iso8601"},
            "Anything": {"type": "structure", "document": True, "members": {}},
        },
    },
)
VALUE: dict[str, Any] = {
    "name": "a",
    "blob": b"\x00\xff",
    "at": 1_760_000_000_123,
    "on": 1_760_000_000_000,
    "children": [{"name": "b", "children": [{"name": "c"}]}],
    "byName": {"d": {"name": "d"}},
    "anything": {"x": [1, None, {"y": True}]},
}


@pytest.mark.parametrize("form", [JSON, PLAIN, NATIVE, CBOR])
def test_what_is_written_is_read_again(form: Form) -> None:
    shape = MODEL.shape("Node")
    written = WriterCompiler(form).writer(shape)(VALUE)
    assert ReaderCompiler(form).reader(shape)(written) == VALUE


def test_json_has_wire_names_base64_and_seconds() -> None:
    written = WriterCompiler(JSON).writer(MODEL.shape("Node"))(VALUE)
    assert (written["Name"], written["blob"]) == ("a", "AP8=")
    assert (written["at"], written["on"]) == (1_760_000_000.123, "2025-10-09T08:53:20Z")


def test_our_own_form_has_member_names_base64_and_milliseconds() -> None:
    written = WriterCompiler(PLAIN).writer(MODEL.shape("Node"))(VALUE)
    assert (written["name"], written["blob"], written["at"]) == ("a", "AP8=", 1_760_000_000_123)


@pytest.mark.parametrize(
    "value", [{"nam": "a"}, {"children": "b"}, {"children": [1]}, {"byName": [1]}, {"children": [{"x": 1}]}, []]
)
def test_an_answer_that_the_model_does_not_have_is_our_mistake(value: Any) -> None:
    with pytest.raises(UnmodelledMember):
        WriterCompiler(JSON).writer(MODEL.shape("Node"))(value)


def test_xml_escapes_what_is_special() -> None:
    assert text("<a&b>\"'") == "&lt;a&amp;b&gt;&quot;&apos;"
    assert text("\x00\ud800\ufffe") == "\ufffd\ufffd\ufffd"
    assert element("a", "") == "<a/>"
