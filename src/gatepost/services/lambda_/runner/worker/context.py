"""The context object that a handler gets as its second argument.

Attributes and behaviour: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any


class CognitoIdentity:
    """Who called through a Cognito identity pool; both None when nobody did."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id: str | None = None
        self.cognito_identity_pool_id: str | None = None

    def __repr__(self) -> str:
        return (
            f"CognitoIdentity([cognito_identity_id={self.cognito_identity_id},"
            f"cognito_identity_pool_id={self.cognito_identity_pool_id}])"
        )


class Client:
    """The mobile application that called."""

    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")

    def __init__(self, fields: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, fields.get(name))


class ClientContext:
    """What the caller sent as ClientContext."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.custom = fields.get("custom")
        self.env = fields.get("env")
        client = fields.get("client")
        self.client = None if client is None else Client(client)


class LambdaContext:
    """One invocation, as the handler sees it."""

    function_name: str = ""
    function_version: str = ""
    memory_limit_in_mb: str = ""
    log_group_name: str = ""
    log_stream_name: str = ""
    tenant_id: str | None = None

    def __init__(
        self, request_id: str, function_arn: str, deadline_ms: int, client_context: dict[str, Any] | None
    ) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self._epoch_deadline_time_in_ms = deadline_ms
        self.identity = CognitoIdentity()
        self.client_context = None if client_context is None else ClientContext(client_context)

    def get_remaining_time_in_millis(self) -> int:
        """Give the milliseconds until the invocation is killed, 0 or more."""
        left_ms = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return max(0, left_ms)

    def log(self, msg: object) -> None:
        """Write `msg` to the log as one event."""
        for handler in logging.getLogger().handlers:
            write = getattr(handler, "write_event", None)
            if write is not None:
                write(str(msg))
                return
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        return (
            f"LambdaContext([aws_request_id={self.aws_request_id},log_group_name={self.log_group_name},"
            f"log_stream_name={self.log_stream_name},function_name={self.function_name},"
            f"memory_limit_in_mb={self.memory_limit_in_mb},function_version={self.function_version},"
            f"invoked_function_arn={self.invoked_function_arn},client_context={self.client_context},"
            f"identity={self.identity},tenant_id={self.tenant_id}])"
        )
