"""Requests to the cluster, signed with the operator's key, and what its answers and its silence mean to a caller.

An error of the cluster's about the request is the caller's: it goes through as it is. One about our key, or a lost
connection, is not: the caller gets 500 or 503, and the operator finds the reason in the log. Redirects are errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from gatepost.kernel.errors import AccessDeniedException, ServiceError, ServiceUnavailable, remote_error
from gatepost.kernel.operations import Call
from gatepost.languages.item_values import native_item
from gatepost.security.sigv4 import sign
from gatepost.services.dynamodb.remote.address import Cluster, Place
from gatepost.wire.client import Client
from gatepost.wire.outgoing import (
    ConnectFailed,
    IncomingResponse,
    OutgoingRequest,
    PoolExhausted,
    UpstreamClosed,
    UpstreamError,
)

READ_MS: Final = 25_000  # a page of 1 MB, a transaction of 100 items: seconds; SDKs give up after a minute
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024  # BatchGetItem: 16 MB, with room for JSON's escapes
TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "dynamodbstreams": "DynamoDBStreams_20120810"}
# Reads may be sent again when a kept connection turns out to be closed; a write may have been done.
READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems", "GetRecords"})
_OUR_KEY: Final = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)
_MEMBERS: Final = ("CancellationReasons", "Item", "ThrottlingReasons")


class InternalServerError(ServiceError):
    """The cluster failed, or what became of the request is unknown."""

    code = "InternalServerError"
    status = 500


class ClusterClient:
    """Sends operations to one cluster."""

    def __init__(self, cluster: Cluster, client: Client) -> None:
        self._cluster = cluster
        self._client = client

    async def send(self, call: Call, params: Mapping[str, Any]) -> bytes:
        """Carry out one operation there and give its answer's body. Raises: ServiceError."""
        place = self._cluster.streams if call.service == "dynamodbstreams" else self._cluster.tables
        request = self._request(call, place, orjson.dumps(params))
        try:
            answer = await self._answer(call, request)
        except ConnectFailed as error:
            raise _lost("The cluster that holds the tables cannot be reached: nothing was changed", error) from error
        except PoolExhausted as error:
            raise _lost("All connections to the cluster that holds the tables are in use", error) from error
        except UpstreamError as error:
            message = "The cluster that holds the tables did not answer"
            if call.operation not in READS:
                message += ": whether the request was carried out is unknown"
            raise InternalServerError(message, detail=str(error)) from error
        if answer.status == 200:
            return answer.body
        raise _error(call, answer)

    async def _answer(self, call: Call, request: OutgoingRequest) -> IncomingResponse:
        try:
            return await self._client.send(request)
        except UpstreamClosed as closed:
            if not closed.is_unanswered or call.operation not in READS:
                raise
        return await self._client.send(request)

    def _request(self, call: Call, place: Place, body: bytes) -> OutgoingRequest:
        credentials = self._cluster.credentials
        signed = sign(
            "POST",
            "/",
            "",
            [
                ("Host", place.header),
                ("Content-Type", "application/x-amz-json-1.0"),
                ("X-Amz-Target", f"{TARGETS[call.service]}.{call.operation}"),
            ],
            body,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
            region=self._cluster.region,
            service="dynamodb",
            now_ms=call.now_ms,
        )
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in signed]
        return OutgoingRequest(
            "POST",
            place.host,
            place.port,
            "/",
            headers,
            body,
            is_tls=place.is_tls,
            read_ms=READ_MS,
            body_bytes_max=ANSWER_BYTES_MAX,
        )


def _lost(message: str, error: UpstreamError) -> ServiceUnavailable:
    return ServiceUnavailable(message, detail=str(error))


def _error(call: Call, answer: IncomingResponse) -> ServiceError:
    """Say to the caller what the cluster's refusal means."""
    try:
        told = orjson.loads(answer.body)
        code = str(told["__type"]).rpartition("#")[2].partition(":")[0]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        told, code = {}, ""
    detail = f"{call.operation}: {answer.status} {code} {answer.body[:512].decode('utf-8', 'replace')}"
    if code == "AccessDeniedException":
        return AccessDeniedException(
            f"The cluster that holds the tables does not let this platform's key do {call.operation}", detail=detail
        )
    if code in _OUR_KEY or not 400 <= answer.status < 600 or (answer.status < 500 and not code.isalnum()):
        message = "The cluster that holds the tables refuses this platform's key"
        if code not in _OUR_KEY:
            message = "The cluster that holds the tables gave an answer that is not DynamoDB's"
        return InternalServerError(message, detail=detail)
    message = str(told.get("message") or told.get("Message") or "")
    if answer.status == 503:
        return ServiceUnavailable("The cluster that holds the tables is not available: try again", detail=detail)
    if answer.status >= 500:
        return InternalServerError("The cluster that holds the tables failed: try again", detail=detail)
    error = remote_error(code, answer.status, message, members=_members(told))
    error.detail = detail
    return error


def _members(told: Mapping[str, Any]) -> dict[str, object]:
    """Give the members of an error beyond its message, binary values as bytes."""
    found: dict[str, object] = {name: told[name] for name in _MEMBERS if told.get(name)}
    if "Item" in found:
        found["Item"] = native_item(told["Item"])
    if "CancellationReasons" in found:
        found["CancellationReasons"] = [
            {**reason, "Item": native_item(reason["Item"])} if reason.get("Item") else reason
            for reason in told["CancellationReasons"]
        ]
    return found
