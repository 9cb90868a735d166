"""Which log group a call names."""

from __future__ import annotations

import pytest

from gatepost.kernel.operations import Call
from gatepost.services.logs.model import InvalidParameterException, ResourceNotFoundException
from gatepost.services.logs.names import group_key
from tests.support.toys import ACCOUNT, ADMINISTRATOR

CALL = Call("logs", "DescribeLogStreams", ACCOUNT, "us-east-1", ADMINISTRATOR, "r", 0)
ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:g"


@pytest.mark.parametrize(
    "params", [{"logGroupName": "g"}, {"logGroupIdentifier": "g"}, {"logGroupIdentifier": ARN}, {"resourceArn": ARN}]
)
def test_a_group_is_named_in_several_ways(params) -> None:
    assert group_key(CALL, params).arn == ARN


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"logGroupName": "g", "logGroupIdentifier": "g"}, InvalidParameterException),
        ({"logGroupName": "no name"}, InvalidParameterException),
        ({"logGroupIdentifier": ARN.replace(ACCOUNT, "111111111111")}, ResourceNotFoundException),
    ],
)
def test_other_names_are_refused(params, error) -> None:
    with pytest.raises(error):
        group_key(CALL, params)
