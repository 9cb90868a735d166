"""The environment variables of a worker: Lambda's own and the function's.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.kernel.ports import Credentials
from gatepost.services.lambda_.model import Function

# Names that a function may not set; the guide's list of reserved variables.
RESERVED_NAMES: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


def log_group_of(function: Function) -> str:
    """Give the log group: the configured one or `/aws/lambda/NAME`."""
    return function.log_group or f"/aws/lambda/{function.name}"


def initialization(*, is_provisioned: bool) -> str:
    """Say why a worker was started, in Lambda's words."""
    return "provisioned-concurrency" if is_provisioned else "on-demand"


def environment(
    function: Function,
    *,
    credentials: Credentials,
    endpoint_url: str,
    log_stream: str,
    is_provisioned: bool = False,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Put a worker's environment together. The function's own variables cannot override Lambda's reserved ones.

    `more` are variables of the platform's, which the function's own ones override.
    """
    own = {name: value for name, value in function.environment.items() if name not in RESERVED_NAMES}
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "AWS_ENDPOINT_URL": endpoint_url,
        **(more or {}),
    }
    if function.layers:
        # unverified: AWS sets them for every function. Here the loader has read them before: they are for children.
        defaults |= {"PATH": f"{defaults['PATH']}:/opt/bin", "LD_LIBRARY_PATH": "/var/task:/var/task/lib:/opt/lib"}
    reserved = {
        "_HANDLER": function.handler,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization(is_provisioned=is_provisioned),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group_of(function),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    return {**defaults, **own, **reserved}
