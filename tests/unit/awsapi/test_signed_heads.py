"""Requests that repeat their headers on one connection are verified by what is left to verify, and no less."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatepost.awsapi.listener import AWS_LIMITS, refuse
from gatepost.awsapi.signed_heads import SignedHead
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.ports import Identity
from gatepost.security.sigv4 import sign
from gatepost.wire.server import Server
from tests.support.aws_endpoints import an_endpoint
from tests.support.toys import ADMINISTRATOR, SECRET, KnownIdentities, a_provider
from tests.support.wire import a_connection, answers_in

TARGET = "DynamoDB_20120810.ListTables"


class Identities(KnownIdentities):
    """Keys that can be taken away, and get another owner or secret."""

    def __init__(self) -> None:
        self.is_active = True
        self.principal = ADMINISTRATOR
        self.secret = SECRET

    def find(self, access_key_id: str, session_token: str, now_ms: int) -> Identity | None:
        return Identity(self.principal, self.secret) if self.is_active else None


class Client:
    """One connection to an endpoint, and what the operation got."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.identities = Identities()
        self.calls: list[Any] = []
        provider = a_provider("dynamodb", wire_json=["ListTables"], ListTables=self._answer)
        self.endpoint = an_endpoint(provider, clock=self.clock, identities=self.identities)
        server = Server(
            self.endpoint,
            limits=AWS_LIMITS,
            refuse=refuse,
            clock=self.clock,
            body_bytes_max=self.endpoint.body_bytes_max,
            needs_tasks=False,
        )
        self.connection, self.transport = a_connection(server)

    def _answer(self, call: Any, params: Any) -> bytes:
        self.calls.append((call.principal.name, params.get("Limit")))
        return b"{}"

    def signed(self, body: bytes, *, more: tuple[tuple[str, str], ...] = (), unsigned: bytes = b"") -> bytes:
        headers = [("Host", "127.0.0.1:4566"), ("X-Amz-Target", TARGET), *more]
        found = sign(
            "POST",
            "/",
            "",
            headers,
            body,
            access_key_id="AKIATESTADMIN",
            secret_access_key=SECRET,
            region="us-east-1",
            service="dynamodb",
            now_ms=self.clock.now_ms(),
        )
        lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in found)
        return b"POST / HTTP/1.1\r\n" + unsigned + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def sends(self, data: bytes) -> tuple[int, str]:
        """Give status and error code."""
        self.transport.sent = b""
        self.connection.data_received(data)
        (answer,) = answers_in(self.transport.sent)
        told = json.loads(answer.body) if answer.body else {}
        return answer.status, str(told.get("__type", "")).rpartition("#")[2]

    @property
    def is_remembered(self) -> bool:
        block = self.connection._heads._block
        return block is not None and isinstance(block.memo, SignedHead)

    def warm(self) -> None:
        """Send until the head is remembered."""
        for limit in (1, 2, 3):
            assert self.sends(self.signed(b'{"Limit":%d}' % limit)) == (200, "")
        assert self.is_remembered


def test_requests_with_the_same_headers_are_answered_each_by_its_own_body():
    client = Client()
    client.warm()
    assert client.sends(client.signed(b'{"Limit":4}')) == (200, "")
    assert [limit for _, limit in client.calls] == [1, 2, 3, 4]


def test_a_body_that_the_signature_does_not_cover_is_refused():
    client = Client()
    client.warm()
    good = client.signed(b'{"Limit":4}')
    assert client.sends(good.replace(b'"Limit":4', b'"Limit":5')) == (400, "InvalidSignatureException")
    assert client.sends(good) == (200, "")
    assert [limit for _, limit in client.calls] == [1, 2, 3, 4]


@pytest.mark.parametrize("character", [b"0", b"g", b"F", b"\xff", b" "])
def test_another_signature_is_refused(character):
    client = Client()
    client.warm()
    good = client.signed(b'{"Limit":4}')
    at = good.index(b"Signature=") + len(b"Signature=")
    last = good[at + 63 : at + 64]
    spoiled = good[: at + 63] + (b"1" if last == character else character) + good[at + 64 :]
    status, code = client.sends(spoiled)
    assert (status, code) == (400, "InvalidSignatureException")
    assert len(client.calls) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"POST / ", b"PUT / "), (b"POST / ", b"POST /? "), (b"POST / ", b"POST /?a=b "), (b"POST / ", b"POST //x ")],
)
def test_another_method_or_target_is_not_taken_for_the_same(old, new):
    client = Client()
    client.warm()
    status, _ = client.sends(client.signed(b'{"Limit":4}').replace(old, new, 1))
    assert len(client.calls) == (4 if new == b"POST /? " else 3)
    assert (status == 200) == (len(client.calls) == 4)


def test_a_key_that_is_taken_away_or_renewed_is_noticed_at_once():
    client = Client()
    client.warm()
    client.identities.is_active = False
    assert client.sends(client.signed(b'{"Limit":4}')) == (400, "UnrecognizedClientException")
    client.identities.is_active = True
    client.identities.secret = "another"
    assert client.sends(client.signed(b'{"Limit":4}')) == (400, "InvalidSignatureException")
    client.identities.secret = SECRET
    assert client.sends(client.signed(b'{"Limit":4}')) == (200, "")


def test_the_owner_is_who_the_key_belongs_to_now():
    from dataclasses import replace

    client = Client()
    client.warm()
    client.identities.principal = replace(ADMINISTRATOR, name="anyone")
    assert client.sends(client.signed(b'{"Limit":4}')) == (200, "")
    assert client.calls[-1] == ("anyone", 4)


def test_a_signature_gets_too_old_although_its_head_is_remembered():
    client = Client()
    client.warm()
    request = client.signed(b'{"Limit":4}')
    client.clock.advance(ms=5 * 60_000 + 1_000)
    assert client.sends(request) == (400, "InvalidSignatureException")


def test_a_second_place_that_looks_like_a_signature_is_never_the_one_that_counts():
    client = Client()
    decoy = b"X-Decoy: a Signature=" + b"a" * 64 + b"\r\n"
    for limit in (1, 2, 3):
        assert client.sends(client.signed(b'{"Limit":%d}' % limit, unsigned=decoy)) == (200, "")
    assert not client.is_remembered
    request = client.signed(b'{"Limit":3}', unsigned=decoy)
    assert client.sends(request.replace(b"a" * 64, b"b" * 64)) == (200, "")
    assert not client.is_remembered


def test_headers_that_say_something_of_the_body_are_looked_at_each_time():
    import hashlib

    client = Client()
    for limit in (1, 2, 3):
        body = b'{"Limit":%d}' % limit
        digest = hashlib.sha256(body).hexdigest()
        assert client.sends(client.signed(body, more=(("X-Amz-Content-Sha256", digest),))) == (200, "")
    assert not client.is_remembered


def test_a_refusal_of_the_operation_is_told_as_ever():
    client = Client()
    client.warm()
    assert client.sends(client.signed(b'{"Limit":0}')) == (400, "ValidationException")
    assert client.sends(client.signed(b'{"Limit"==}')) == (400, "SerializationException")
