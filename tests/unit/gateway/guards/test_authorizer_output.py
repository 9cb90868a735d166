"""What functions of authorizers return, byte for byte at the bound."""

from __future__ import annotations

import orjson
import pytest

from gatepost.gateway.guards.authorizer_output import OUTPUT_BYTES_MAX, parse_output
from gatepost.gateway.responses import AUTHORIZER_CONFIGURATION_ERROR, Refusal

STATEMENT = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}


def an_output_of(size: int) -> bytes:
    output = {
        "principalId": "ana",
        "policyDocument": {"Version": "2012-10-17", "Statement": [STATEMENT]},
        "context": {"a": ""},
    }
    output["context"]["a"] = "x" * (size - len(orjson.dumps(output)))
    return orjson.dumps(output)


def test_an_output_may_have_8_kilobytes_and_not_one_more():
    assert parse_output(an_output_of(OUTPUT_BYTES_MAX), authorizer_id="a", name="p").principal_id == "ana"
    with pytest.raises(Refusal) as caught:
        parse_output(an_output_of(OUTPUT_BYTES_MAX + 1), authorizer_id="a", name="p")
    assert caught.value.kind is AUTHORIZER_CONFIGURATION_ERROR


def test_an_api_key_is_not_shown():
    payload = orjson.dumps(orjson.loads(an_output_of(500)) | {"usageIdentifierKey": "sesame"})
    result = parse_output(payload, authorizer_id="a", name="p")
    assert result.usage_identifier_key == "sesame"
    assert "sesame" not in repr(result)


def test_a_refusal_does_not_repeat_what_the_function_said():
    with pytest.raises(Refusal) as caught:
        parse_output(b'"token-of-ana"', authorizer_id="a", name="p")
    assert "token-of-ana" not in caught.value.detail
