"""Lambda triggers: a pool's functions, asked at each step of a sign-up or sign-in.

Cognito invokes them synchronously and waits five seconds; a function that does not answer is asked again, three times
in all. What a function raises refuses the step. The function's own policy has to let `cognito-idp.amazonaws.com` in for
the pool's ARN.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
The texts of errors are as people report them (`unverified`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.ports import FunctionCalls, InvocationResult
from gatepost.kernel.tasks import Tasks
from gatepost.services.cognito_idp.errors import (
    InvalidLambdaResponseException,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.user import User

SERVICE: Final = "cognito-idp.amazonaws.com"
ANSWER_WITHIN_S: Final = 5.0
ATTEMPTS: Final = 3
ERROR_CHARACTERS_MAX: Final = 2_000
SDK_VERSION: Final = "aws-sdk-unknown-unknown"


def user_attributes(user: User | None, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give userAttributes as triggers see them."""
    if user is None:
        return dict(given or {})
    return {"sub": user.sub, "cognito:user_status": user.status, **user.attributes}


class Triggers:
    """Invokes pools' functions."""

    def __init__(
        self,
        functions: FunctionCalls,
        tasks: Tasks,
        new_id: Callable[[], str] = random_uuid,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._functions = functions
        self._tasks = tasks
        self._new_id = new_id
        self._answer_within_s = answer_within_s

    def has(self, pool: UserPool, trigger: str) -> bool:
        """Say whether a pool has a function for a trigger."""
        return bool(self._arn(pool, trigger)[0])

    async def fire(
        self,
        pool: UserPool,
        trigger: str,
        source: str,
        *,
        user_name: str,
        client_id: str,
        request: Mapping[str, Any],
        response: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Invoke the function of `trigger` (its name in LambdaConfig) and give `response` of its answer.

        Without a function nothing happens: an empty dict.

        Raises: UserLambdaValidationException, UnexpectedLambdaException, InvalidLambdaResponseException.
        """
        arn, version = self._arn(pool, trigger)
        if not arn:
            return {}
        event = {
            "version": version,
            "region": pool.region,
            "userPoolId": pool.id,
            "userName": user_name,
            "callerContext": {"awsSdkVersion": SDK_VERSION, "clientId": client_id},
            "triggerSource": source,
            "request": request,
            "response": response or {},
        }
        result = await self._answered(pool, trigger, arn, orjson.dumps(event))
        if result.function_error:
            raise UserLambdaValidationException(f"{trigger} failed with error {_error_message(result.payload)}.")
        try:
            answer = orjson.loads(result.payload)
        except orjson.JSONDecodeError:
            answer = None
        told = answer.get("response") if isinstance(answer, dict) else None
        if not isinstance(told, dict):
            raise InvalidLambdaResponseException("Unrecognizable lambda output")
        return told

    def _arn(self, pool: UserPool, trigger: str) -> tuple[str, str]:
        """Give a trigger's function and the version of the event that it gets."""
        config = pool.lambda_config
        if trigger == "PreTokenGeneration" and (told := config.get("PreTokenGenerationConfig")):
            return told["LambdaArn"], told["LambdaVersion"].removeprefix("V").partition("_")[0]
        return config.get(trigger, ""), "1"

    async def _answered(self, pool: UserPool, trigger: str, arn: str, payload: bytes) -> InvocationResult:
        for _ in range(ATTEMPTS):
            call = self._functions.call(arn, payload, service=SERVICE, source_arn=pool.arn, request_id=self._new_id())
            task = self._tasks.spawn(_caught(call), name=f"trigger {trigger}")
            done, _ = await asyncio.wait({task}, timeout=self._answer_within_s)
            if not done:
                task.cancel()
                continue
            answer: InvocationResult | ServiceError = task.result()
            if isinstance(answer, ServiceError):
                raise UnexpectedLambdaException(
                    f"{trigger} invocation failed due to error {answer.code}.", detail=answer.message
                )
            return answer
        raise UnexpectedLambdaException(
            f"{trigger} invocation failed due to error Socket timeout while invoking Lambda function."
        )


async def _caught(call: Any) -> InvocationResult | ServiceError:
    """Give a refusal as a value: it is the caller's to raise, and nothing that a task has to log."""
    try:
        result: InvocationResult = await call
    except ServiceError as error:
        return error
    return result


def _error_message(payload: bytes) -> str:
    try:
        told = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return "Unknown"
    message = told.get("errorMessage") if isinstance(told, dict) else None
    return str(message if message is not None else "null")[:ERROR_CHARACTERS_MAX]
