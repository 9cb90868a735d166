"""Claims are read, keys looked up and signatures verified; each failure has AWS's code."""

from __future__ import annotations

import pytest

from gatepost.awsapi.authentication import Authenticator, as_service_error
from gatepost.awsapi.errors import InvalidSignatureException, UnrecognizedClientException
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Principal
from gatepost.kernel.ports import Identity
from gatepost.security.sigv4 import Kind, SignatureError, SignatureVerifier, joined_headers, sign
from gatepost.wire.messages import Request
from tests.support.toys import ADMINISTRATOR, SECRET, KnownIdentities

NOW_MS = FixedClock().now_ms()


class ExpiredToken(ServiceError):
    code = "ExpiredToken"
    status = 403


class Expired(KnownIdentities):
    def find(self, access_key_id: str, session_token: str, now_ms: int) -> Identity | None:
        raise ExpiredToken("The security token included in the request is expired")


def a_request(key: str = "AKIATESTADMIN", secret: str = SECRET) -> Request:
    headers = sign(
        "GET",
        "/",
        "",
        [("Host", "localhost")],
        b"",
        access_key_id=key,
        secret_access_key=secret,
        region="us-east-1",
        service="sts",
        now_ms=NOW_MS,
    )
    return Request("GET", "/", [(name.encode(), value.encode()) for name, value in headers])


def caller_of(authenticator: Authenticator, request: Request) -> Principal:
    headers = joined_headers(request.headers)
    claim = authenticator.read(request, headers, NOW_MS)
    return authenticator.caller(claim, request, headers, NOW_MS).principal


def an_authenticator(
    identities: KnownIdentities | None = None, *, any_credentials: Principal | None = None
) -> Authenticator:
    return Authenticator(identities or KnownIdentities(), verifier=SignatureVerifier(), any_credentials=any_credentials)


def test_a_signature_proves_its_principal() -> None:
    assert caller_of(an_authenticator(), a_request()) == ADMINISTRATOR


def test_a_wrong_secret_proves_nothing() -> None:
    with pytest.raises(InvalidSignatureException):
        caller_of(an_authenticator(), a_request(secret="wrong"))


def test_an_unknown_key_proves_nothing() -> None:
    with pytest.raises(UnrecognizedClientException, match="security token included in the request is invalid"):
        caller_of(an_authenticator(), a_request(key="AKIANOBODY"))


def test_an_expired_token_is_told_as_such_even_with_any_credentials() -> None:
    with pytest.raises(ExpiredToken):
        caller_of(an_authenticator(Expired(), any_credentials=ADMINISTRATOR), a_request())


@pytest.mark.parametrize(
    ("key", "any_credentials", "known"),
    [("AKIATESTADMIN", None, True), ("AKIANOBODY", None, False), ("AKIANOBODY", ADMINISTRATOR, True)],
)
def test_only_keys_that_may_get_anywhere_are_known(key: str, any_credentials: Principal | None, known: bool) -> None:
    authenticator = an_authenticator(any_credentials=any_credentials)
    request = a_request(key=key)
    claim = authenticator.read(request, joined_headers(request.headers), NOW_MS)
    assert authenticator.knows(claim, NOW_MS) is known


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", "MissingAuthenticationTokenException"),
        ("incomplete", "IncompleteSignatureException"),
        ("mismatch", "InvalidSignatureException"),
        ("expired", "InvalidSignatureException"),
    ],
)
def test_each_kind_of_failure_has_its_code(kind: Kind, code: str) -> None:
    assert as_service_error(SignatureError(kind, "m")).code == code
