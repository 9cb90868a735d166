"""Whether a function's output may go to its log group: its role must allow it, as on AWS.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.kernel.ports import Authorization
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner.environment import log_group_of

REMEMBERED_MS: Final = 2_000  # how long a change of the role's policies may take to show


class LogGroup(Protocol):
    """A log group's name with its owner."""

    @property
    def account_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def region(self) -> str:
        """Where it is."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


class FunctionLogPermission:
    """Asks the roles of the functions that log to a group. A group that no function names is free."""

    def __init__(self, functions: Callable[[], Iterable[Function]], authorization: Authorization, clock: Clock) -> None:
        self._functions = functions
        self._authorization = authorization
        self._clock = clock
        self._remembered: dict[tuple[str, str, str, bool], bool] = {}
        self._remembered_at_ms = 0

    def may_log(self, group: LogGroup, log_stream: str, *, is_new_group: bool) -> bool:
        """Say whether events of a stream are taken; a new group needs logs:CreateLogGroup, too."""
        now_ms = self._clock.now_ms()
        if now_ms - self._remembered_at_ms > REMEMBERED_MS:
            self._remembered.clear()
            self._remembered_at_ms = now_ms
        key = (group.account_id, group.region, group.name, is_new_group)
        answer = self._remembered.get(key)
        if answer is None:
            answer = self._remembered[key] = self._ask(group, log_stream, is_new_group=is_new_group)
        return answer

    def _ask(self, group: LogGroup, log_stream: str, *, is_new_group: bool) -> bool:
        writers = [
            function
            for function in self._functions()
            if function.account_id == group.account_id
            and function.region == group.region
            and log_group_of(function) == group.name
        ]
        actions = ["CreateLogGroup"] if is_new_group else []
        actions += ["CreateLogStream", "PutLogEvents"]
        return not writers or any(
            all(self._may(function, group, log_stream, action) for action in actions) for function in writers
        )

    def _may(self, function: Function, group: LogGroup, log_stream: str, action: str) -> bool:
        arn = f"arn:aws:logs:{group.region}:{group.account_id}:log-group:{group.name}"
        stream = "" if action == "CreateLogGroup" else log_stream
        call = Call(
            service="logs",
            operation=action,
            account_id=group.account_id,
            region=group.region,
            principal=role_session(function),
            request_id="",
            now_ms=self._clock.now_ms(),
        )
        try:
            self._authorization.check(call, Access(f"logs:{action}", f"{arn}:log-stream:{stream}"))
        except AccessDeniedException:
            return False
        return True


def role_session(function: Function) -> Principal:
    """Give the principal that a function's workers are."""
    account_id = function.role_arn.split(":")[4]
    role_name = function.role_arn.rpartition("/")[2]
    return Principal(
        kind="assumed-role",
        account_id=account_id,
        arn=f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{function.name}",
        principal_id=f":{function.name}",
        name=role_name,
        role_arn=function.role_arn,
    )
