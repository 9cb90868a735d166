from __future__ import annotations

import pytest

from gatepost.services.apigateway.functions import PATTERN_CHARACTERS_MAX, check_linear, is_function_uri
from gatepost.services.apigateway.model import BadRequestException

HEAD = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"


@pytest.mark.parametrize(
    "function",
    [
        "arn:aws:lambda:us-east-1:000000000000:function:orders",
        "arn:aws:lambda:us-east-1:000000000000:function:orders:prod",
        "arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.fn}",
    ],
)
def test_the_uri_of_a_function_is_known(function: str) -> None:
    assert is_function_uri(f"{HEAD}/{function}/invocations")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "arn:aws:lambda:us-east-1:000000000000:function:orders",
        f"{HEAD}/arn:aws:s3:::bucket/invocations",
        f"{HEAD}/arn:aws:lambda:us-east-1:000000000000:function:orders",
        "arn:aws:apigateway:us-east-1:sqs:path/2015-03-31/functions/x/invocations",
    ],
)
def test_other_uris_are_not(uri: str) -> None:
    assert not is_function_uri(uri)


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", r"(a)\1", "a" * (PATTERN_CHARACTERS_MAX + 1)])
def test_a_pattern_that_cannot_be_matched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequestException, match="Invalid selection pattern specified"):
        check_linear("selection pattern", pattern)


def test_other_patterns_are_fine() -> None:
    check_linear("selection pattern", "4\\d{2}|.*Not Found.*")
