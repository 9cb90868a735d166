"""The environment of a worker."""

from __future__ import annotations

from gatepost.kernel.ports import Credentials
from gatepost.services.lambda_.runner.environment import RESERVED_NAMES, environment, log_group_of
from tests.support.functions import a_function


def variables(**fields) -> dict[str, str]:
    return environment(
        a_function("orders", **fields),
        credentials=Credentials("id", "secret", "token"),
        endpoint_url="http://127.0.0.1:4566",
        log_stream="s",
    )


def test_a_function_cannot_override_what_is_lambdas() -> None:
    own = dict.fromkeys(RESERVED_NAMES, "mine")
    assert "mine" not in variables(environment=own).values()


def test_a_function_may_set_language_time_zone_and_endpoint() -> None:
    own = {"LANG": "C", "TZ": "Europe/Berlin", "AWS_ENDPOINT_URL": "http://elsewhere"}
    assert own.items() <= variables(environment=own).items()


def test_the_log_group_is_the_configured_one_or_the_functions() -> None:
    assert log_group_of(a_function("orders")) == "/aws/lambda/orders"
    assert variables(log_group="mine")["AWS_LAMBDA_LOG_GROUP_NAME"] == "mine"
