"""Functions log when their role may."""

from __future__ import annotations

from gatepost.kernel.clock import FixedClock
from gatepost.services.lambda_.log_permission import FunctionLogPermission
from gatepost.services.logs.model import GroupName
from tests.support.functions import a_function
from tests.support.rest_apis import GrantsAllBut

GROUP = GroupName("000000000000", "us-east-1", "/aws/lambda/orders")


def a_permission(*denied: str, functions=None) -> FunctionLogPermission:
    found = [a_function("orders")] if functions is None else functions
    return FunctionLogPermission(lambda: found, GrantsAllBut(*denied), FixedClock())


def test_a_role_that_may_write_events_logs() -> None:
    assert a_permission().may_log(GROUP, "s", is_new_group=True)


def test_a_role_that_may_not_write_events_does_not_log() -> None:
    assert not a_permission("logs:PutLogEvents").may_log(GROUP, "s", is_new_group=False)


def test_making_the_group_needs_its_own_permission() -> None:
    permission = a_permission("logs:CreateLogGroup")
    assert not permission.may_log(GROUP, "s", is_new_group=True)
    assert permission.may_log(GROUP, "s", is_new_group=False)


def test_a_group_of_no_function_is_free() -> None:
    assert a_permission("logs:PutLogEvents", functions=[]).may_log(GROUP, "s", is_new_group=True)


def test_the_role_is_asked_as_its_session_for_the_stream() -> None:
    authorization = GrantsAllBut()
    permission = FunctionLogPermission(lambda: [a_function("orders")], authorization, FixedClock())
    permission.may_log(GROUP, "2026/x", is_new_group=True)
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/orders:log-stream:"
    assert [(one.action, one.resource) for one in authorization.asked] == [
        ("logs:CreateLogGroup", arn),
        ("logs:CreateLogStream", f"{arn}2026/x"),
        ("logs:PutLogEvents", f"{arn}2026/x"),
    ]


def test_an_answer_is_remembered_for_two_seconds() -> None:
    clock, authorization = FixedClock(), GrantsAllBut()
    permission = FunctionLogPermission(lambda: [a_function("orders")], authorization, clock)
    for _ in range(3):
        permission.may_log(GROUP, "s", is_new_group=False)
    assert len(authorization.asked) == 2
    clock.advance(ms=2_001)
    permission.may_log(GROUP, "s", is_new_group=False)
    assert len(authorization.asked) == 4
