from __future__ import annotations

import pytest

from gatepost.gateway.exchange import CALLER, CALLER_TOKEN
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.service_calls import ServiceTarget, Sessions, parse_service_uri
from gatepost.kernel.operations import Principal
from tests.support.gateways import a_stage, an_exchange

ARN = "arn:aws:apigateway:us-east-1"


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        (f"{ARN}:dynamodb:action/PutItem", ServiceTarget("us-east-1", "dynamodb", "PutItem")),
        (f"{ARN}:sqs:path/123/queue", ServiceTarget("us-east-1", "sqs", "", ("/123/queue",))),
        (f"{ARN}:sqs:path//123/queue", ServiceTarget("us-east-1", "sqs", "", ("/123/queue",))),
        (f"{ARN}:s3:path/{{b}}/{{k}}?acl", ServiceTarget("us-east-1", "s3", "", ("/", "b", "/", "k", ""), "acl")),
        (f"{ARN}:s3:path/", ServiceTarget("us-east-1", "s3", "", ("/",))),
        ("arn:aws-cn:apigateway:cn-north-1:sns:action/Publish", ServiceTarget("cn-north-1", "sns", "Publish")),
    ],
)
def test_a_uri_says_region_service_and_operation_or_path(uri, target):
    assert parse_service_uri(uri, a_stage()) == target


@pytest.mark.parametrize(
    "uri",
    [f"{ARN}:dynamodb:Query", f"{ARN}:dynamodb:action/", f"{ARN}:a.s3:path/x", f"{ARN}:s3:path/a b", "", "http://h/"],
)
def test_other_uris_are_refused(uri):
    with pytest.raises(MappingError):
        parse_service_uri(uri, a_stage())


def test_the_callers_own_session_is_key_and_token():
    sessions = Sessions(None)
    exchange = an_exchange()
    exchange.write(CALLER, Principal("user", "1", "arn:aws:iam::1:user/a", "AIDA", "ASIAX"))
    exchange.write(CALLER_TOKEN, "token")
    assert sessions.of(exchange) == ("ASIAX", "token")
    assert sessions.needs == {CALLER, CALLER_TOKEN}
