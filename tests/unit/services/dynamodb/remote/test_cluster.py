"""What a cluster's answers, and its silence, mean to a caller: against the real server on a loopback socket."""

import asyncio
import socket

import orjson
import pytest

from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call, Principal
from gatepost.services.dynamodb.remote import cluster as module
from gatepost.services.dynamodb.remote.address import parse_cluster
from gatepost.services.dynamodb.remote.cluster import ClusterClient
from gatepost.wire.client import Client
from gatepost.wire.messages import Response
from tests.support.wire import a_server, a_socket

KEY = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "tok"}


def a_call(operation="PutItem"):
    principal = Principal("root", "000000000000", "arn:aws:iam::000000000000:root", "000000000000")
    return Call("dynamodb", operation, "000000000000", "us-east-1", principal, "r", SystemClock().now_ms())


def asked(answer, *, operation="PutItem"):
    """Give what a call gets, and the requests that the cluster got, when it answers by `answer`."""
    requests = []

    def handle(request):
        requests.append(request)
        return answer(request)

    async def scenario():
        server = a_server(handle)
        listener = a_socket()
        await server.serve(listener)
        port = listener.getsockname()[1]
        client = Client(clock=SystemClock(), allow_address=AddressPolicy())
        where = parse_cluster(f"http://127.0.0.1:{port}", KEY, region="us-east-1")
        try:
            return await ClusterClient(where, client).send(a_call(operation), {"TableName": "t"})
        except ServiceError as error:
            return error
        finally:
            await client.close()
            await server.drain(0)

    return asyncio.run(scenario()), requests


def an_error(status, code, **members):
    return lambda _: Response(status, [], orjson.dumps({"__type": code, "message": "theirs", **members}))


def test_a_request_is_signed_with_the_operators_key_and_its_token():
    body, (request,) = asked(lambda _: Response(200, [], b'{"ok":1}'))
    assert body == b'{"ok":1}'
    assert request.header(b"x-amz-target") == b"DynamoDB_20120810.PutItem"
    assert b"Credential=AKIA1/" in request.header(b"authorization")
    assert request.header(b"x-amz-security-token") == b"tok"
    assert request.body == b'{"TableName":"t"}'


@pytest.mark.parametrize(
    ("status", "code", "told", "told_status"),
    [
        (400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "ResourceNotFoundException", 400),
        (400, "ValidationException", "ValidationException", 400),
        (400, "ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException", 400),
        (400, "AccessDeniedException", "AccessDeniedException", 400),
        (403, "InvalidSignatureException", "InternalServerError", 500),
        (400, "ExpiredTokenException", "InternalServerError", 500),
        (500, "InternalServerError", "InternalServerError", 500),
        (503, "ServiceUnavailable", "ServiceUnavailable", 503),
        (302, "Moved", "InternalServerError", 500),
    ],
)
def test_errors_are_told_as_whose_they_are(status, code, told, told_status):
    error, _ = asked(an_error(status, code))
    assert (error.code, error.status) == (told, told_status)
    if told in {"AccessDeniedException", "InternalServerError", "ServiceUnavailable"}:
        assert "theirs" not in error.message  # it may name the operator's key or account
        assert "theirs" in error.detail
    else:
        assert error.message == "theirs"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"message": "no type"}', b'{"__type": "a b"}'])
def test_an_answer_that_is_not_dynamodbs_is_no_fault_of_the_callers(body):
    error, _ = asked(lambda _: Response(400, [], body))
    assert (error.code, error.status) == ("InternalServerError", 500)


def test_members_of_errors_come_with_binaries_as_bytes():
    error, _ = asked(an_error(400, "ConditionalCheckFailedException", Item={"b": {"B": "AQ=="}}, Other=1))
    assert error.members == {"Item": {"b": {"B": b"\x01"}}}


@pytest.mark.parametrize(("operation", "is_told"), [("PutItem", True), ("GetItem", False)])
def test_silence_after_a_write_says_that_its_outcome_is_unknown(operation, is_told, monkeypatch):
    monkeypatch.setattr(module, "READ_MS", 50)
    waiting = asyncio.Event

    async def never(_):
        await asyncio.wait_for(waiting().wait(), 5)

    error, _ = asked(never, operation=operation)
    assert (error.code, error.status) == ("InternalServerError", 500)
    assert ("unknown" in error.message) == is_told


def test_a_cluster_that_nobody_listens_for_is_unavailable_and_nothing_was_changed():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def scenario():
        client = Client(clock=SystemClock())
        where = parse_cluster(f"http://127.0.0.1:{port}", KEY, region="us-east-1")
        try:
            await ClusterClient(where, client).send(a_call(), {})
        finally:
            await client.close()

    with pytest.raises(ServiceError, match="nothing was changed") as lost:
        asyncio.run(scenario())
    assert lost.value.status == 503
