"""The context object."""

from __future__ import annotations

import time

from gatepost.services.lambda_.runner.worker.context import LambdaContext


def test_time_runs_down_to_zero() -> None:
    now_ms = int(time.time() * 1000)
    assert 0 < LambdaContext("id", "arn", now_ms + 5_000, None).get_remaining_time_in_millis() <= 5_000
    assert LambdaContext("id", "arn", now_ms - 5_000, None).get_remaining_time_in_millis() == 0


def test_a_client_context_without_client_has_none() -> None:
    context = LambdaContext("id", "arn", 0, {"custom": {"a": 1}, "unknown": 1}).client_context
    assert (context.custom, context.env, context.client) == ({"a": 1}, None, None)


def test_it_shows_what_it_is() -> None:
    text = repr(LambdaContext("id-1", "arn:x", 0, None))
    assert text.startswith("LambdaContext([aws_request_id=id-1,")
    assert "identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])" in text
