"""Custom resources: a function makes, changes and deletes what a template declares, and answers by an HTTP PUT.

CloudFormation hands the function a ResponseURL; the function puts one JSON document there. Here the URL is a route
of the AWS endpoint with an unguessable token that is good for one answer.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.ids import random_id, request_id
from gatepost.templates.resources.base import Outcome, ResourceFailure, Work
from gatepost.templates.resources.changes import Unnamed
from gatepost.wire.messages import Request, Response

ROUTE: Final = "/_gatepost/cloudformation/responses/"
RESPONSE_BYTES_MAX: Final = 4096  # AWS: the whole response object
SERVICE_TIMEOUT_S_MAX: Final = 3600  # AWS: also the default
PHYSICAL_ID_BYTES_MAX: Final = 1024
TOKEN_LENGTH: Final = 40


class CustomResponses:
    """The answers that functions owe. `handle` belongs under ROUTE on the AWS endpoint."""

    def __init__(self, endpoint_url: Callable[[], str]) -> None:
        self._endpoint_url = endpoint_url
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def expect(self) -> tuple[str, str, asyncio.Future[dict[str, Any]]]:
        """Give a token, the URL for one answer, and where the answer arrives."""
        token = random_id(TOKEN_LENGTH)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        return token, f"{self._endpoint_url().rstrip('/')}{ROUTE}{token}", answer

    def forget(self, token: str) -> None:
        """Stop to wait for an answer."""
        self._waiting.pop(token, None)

    def handle(self, request: Request) -> Response:
        """Take one answer. It needs no signature: who has the token was given it."""
        if request.method != "PUT":
            return Response(405, [(b"allow", b"PUT")], b"put the response document here\n")
        token = request.path.removeprefix(ROUTE)
        answer = self._waiting.get(token)
        if answer is None or answer.done():
            return Response(403, [], b"this address is not waited for any more\n")
        if len(request.body) > RESPONSE_BYTES_MAX:
            answer.set_result({"Status": "FAILED", "Reason": "Response object is too long."})
            return Response(400, [], b"a response document has at most 4096 bytes\n")
        try:
            document = json.loads(request.body)
        except ValueError:
            document = None
        if not isinstance(document, dict) or document.get("Status") not in ("SUCCESS", "FAILED"):
            return Response(400, [], b"a response document is JSON with Status SUCCESS or FAILED\n")
        answer.set_result(document)
        return Response(200, [], b"")


class CustomResource(Unnamed):
    """Custom::* and AWS::CloudFormation::CustomResource, backed by a Lambda function."""

    def __init__(self, responses: CustomResponses) -> None:
        self._responses = responses

    async def create(self, work: Work) -> Outcome:
        """Let the function make the resource."""
        physical_id = work.name("", length_max=128)
        await work.initiated(physical_id)
        answer = await self._ask(work, "Create", {})
        return self._outcome(answer, physical_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Let the function change the resource; another physical id means that it made a new one."""
        more = {"PhysicalResourceId": physical_id, "OldResourceProperties": _texts(await work.resolved(work.before))}
        answer = await self._ask(work, "Update", more)
        return self._outcome(answer, physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Let the function delete the resource."""
        await self._ask(work, "Delete", {"PhysicalResourceId": physical_id})

    def _outcome(self, answer: Mapping[str, Any], physical_id: str) -> Outcome:
        chosen = answer.get("PhysicalResourceId") or physical_id
        if not isinstance(chosen, str) or len(chosen.encode()) > PHYSICAL_ID_BYTES_MAX:
            raise ResourceFailure("Invalid PhysicalResourceId: a text of at most 1024 bytes was expected")
        attributes = answer.get("Data") or {}
        if not isinstance(attributes, dict):
            raise ResourceFailure("Invalid Data: a JSON object was expected")
        return Outcome(chosen, attributes)

    async def _ask(self, work: Work, request_type: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """Invoke the function and wait for its answer. Raises: ResourceFailure."""
        token_arn = str(work.properties.get("ServiceToken", ""))
        arn = parse_arn(token_arn)
        if arn is None or arn.service != "lambda":
            raise ResourceFailure(
                f"ServiceToken is {token_arn!r}: use the ARN of a Lambda function (topics are not here)"
            )
        token, url, answer = self._responses.expect()
        event = {
            "RequestType": request_type,
            "ResponseURL": url,
            "StackId": work.stack_id,
            "RequestId": request_id(),
            "ResourceType": work.type,
            "LogicalResourceId": work.logical_id,
            "ResourceProperties": _texts(await work.resolved(work.properties)),
            "ServiceToken": token_arn,
            **more,
        }
        try:
            return await self._answer(work, token_arn, event, answer)
        finally:
            self._responses.forget(token)

    async def _answer(
        self, work: Work, function: str, event: Mapping[str, Any], answer: asyncio.Future[dict[str, Any]]
    ) -> dict[str, Any]:
        payload = json.dumps(event).encode()
        invoked = await work.invoke("lambda", "Invoke", {"FunctionName": function, "Payload": payload})
        if invoked.get("FunctionError") and not answer.done():
            # AWS would wait out the time limit; the function's own error says more and sooner.
            reason = bytes(invoked.get("Payload", b"")).decode("utf-8", "replace")[:600]
            raise ResourceFailure(f"the function {function} failed without an answer: {reason}")
        limit_s = min(int(work.properties.get("ServiceTimeout", SERVICE_TIMEOUT_S_MAX)), SERVICE_TIMEOUT_S_MAX)
        done, _ = await asyncio.wait([answer], timeout=limit_s)
        if not done:
            raise ResourceFailure(
                f"CloudFormation did not receive a response from your Custom Resource within {limit_s} s"
            )
        document = answer.result()
        if document["Status"] == "FAILED":
            # Who has answered may have made something: the way back asks it to delete that.
            await work.made(str(document.get("PhysicalResourceId") or work.name("", length_max=128)))
            raise ResourceFailure(
                f"Received response status [FAILED] from custom resource. Message returned: "
                f"{document.get('Reason') or 'none'}"
            )
        return document


def _texts(value: Any) -> Any:
    """Give properties as a function receives them: scalars are texts, as AWS sends them."""
    if isinstance(value, dict):
        return {key: _texts(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_texts(child) for child in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) or value is None else str(value)
