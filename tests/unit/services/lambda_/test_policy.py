"""Who may invoke a function by its resource policy."""

from __future__ import annotations

import pytest

from gatepost.services.lambda_.grants import FunctionGrants
from gatepost.services.lambda_.model import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.policy import allows, statement_of, with_statement, without_statement
from tests.support.functions import a_function

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
API = "apigateway.amazonaws.com"
SOURCE = "arn:aws:execute-api:us-east-1:000000000000:abc/prod/GET/orders"


def a_policy(**params) -> str:
    values = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": API}
    return with_statement("", statement_of({**values, **params}, ARN))


@pytest.mark.parametrize(
    ("params", "is_allowed"),
    [
        ({}, True),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/orders"}, True),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*"}, True),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/prod/POST/orders"}, False),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:xyz/*/*/*"}, False),
        ({"SourceAccount": "000000000000"}, True),
        ({"SourceAccount": "111111111111"}, False),
        ({"Principal": "events.amazonaws.com"}, False),
        ({"Principal": "*"}, True),
        ({"Principal": "000000000000"}, False),
        ({"Action": "lambda:*"}, True),
        ({"Action": "lambda:GetFunction"}, False),
        ({"EventSourceToken": "t"}, False),
    ],
)
def test_a_service_is_let_in_when_a_statement_says_so(params, is_allowed: bool) -> None:
    assert allows(a_policy(**params), service=API, function_arn=ARN, source_arn=SOURCE) is is_allowed


def test_without_a_policy_no_service_is_let_in() -> None:
    assert not allows("", service=API, function_arn=ARN)
    assert not allows(None, service=API, function_arn=ARN)
    assert not allows("{broken", service=API, function_arn=ARN)


def test_a_policy_has_at_most_20_kb() -> None:
    policy = a_policy(SourceArn="arn:aws:execute-api:us-east-1:000000000000:" + "x" * 9_900)
    more = statement_of(
        {"StatementId": "t", "Action": "lambda:*", "Principal": API, "SourceArn": "arn:aws:a:b:c:" + "x" * 10_000}, ARN
    )
    with pytest.raises(PolicyLengthExceededException):
        with_statement(with_statement(policy, more), {**more, "Sid": "u"})


def test_a_principal_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(InvalidParameterValueException, match="The provided principal was invalid"):
        a_policy(Principal="arn:aws:s3:::bucket")


def test_the_last_statement_takes_the_policy_with_it() -> None:
    policy = a_policy()
    assert without_statement(policy, "s") == ""
    with pytest.raises(ResourceNotFoundException, match="Statement x is not found"):
        without_statement(policy, "x")


def test_grants_follow_what_is_published() -> None:
    grants = FunctionGrants()
    function = a_function(policy=a_policy())
    assert not grants.allow(ARN, service=API, source_arn=SOURCE)
    grants.changed(ARN, function.to_json())
    assert grants.allow(ARN, service=API, source_arn=SOURCE)
    assert grants.allow(ARN, service=API, source_arn=SOURCE)
    grants.changed(ARN, a_function().to_json())
    assert not grants.allow(ARN, service=API, source_arn=SOURCE)
    grants.changed(ARN, None)
    assert not grants.allow(ARN, service=API, source_arn=SOURCE)


def test_a_grant_counts_for_the_qualifier_that_it_was_given_for() -> None:
    grants = FunctionGrants()
    live = with_statement(
        "", statement_of({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": API}, f"{ARN}:live")
    )
    grants.changed(ARN, a_function(policy=a_policy()).to_json())
    grants.changed(f"{ARN}:live", {"policy": live})
    grants.changed(f"{ARN}:1", a_function(arn=f"{ARN}:1", version="1").to_json())
    may = {arn: grants.allow(arn, service=API, source_arn=SOURCE) for arn in (ARN, f"{ARN}:live", f"{ARN}:1")}
    assert may == {ARN: True, f"{ARN}:live": True, f"{ARN}:1": False}
