"""Signatures are verified as AWS would: botocore signs, we verify, and whoever changes anything is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock
from urllib.parse import quote, urlsplit

import botocore.auth
import botocore.compat
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.security.sigv4 import (
    Remembered,
    SignatureError,
    SignatureVerifier,
    SigningKey,
    canonical_path,
    canonical_query,
    joined_headers,
    parse_timestamp,
    sign,
)

NOW_MS = 1_795_500_000_000  # 2026-11-24T06:00:00Z
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = "AKIDEXAMPLE"
HOST = "127.0.0.1:4566"


@dataclass(frozen=True)
class Signed:
    """A request as the verifier gets it."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    extra: dict[str, Any] = field(default_factory=dict)

    def with_header(self, name: bytes, value: bytes | None) -> Signed:
        rest = tuple((n, v) for n, v in self.headers if n.lower() != name)
        return replace(self, headers=rest if value is None else (*rest, (name, value)))

    def header(self, name: bytes) -> bytes:
        return joined_headers(self.headers)[name]


def verify(
    signed: Signed,
    *,
    now_ms: int = NOW_MS,
    secret: str = SECRET,
    verifier: SignatureVerifier | None = None,
    **options: Any,
) -> Any:
    verifier = verifier or SignatureVerifier()
    headers = joined_headers(signed.headers)
    claim = verifier.read(headers, signed.query, now_ms=now_ms)
    verifier.verify(
        claim,
        secret,
        method=signed.method,
        path=signed.path,
        query=signed.query,
        headers=headers,
        body=signed.body,
        **options,
    )
    return claim


def signed_by_botocore(
    method: str = "POST",
    url: str = f"http://{HOST}/",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    token: str | None = None,
    service: str = "dynamodb",
    auth: Any = SigV4Auth,
    at_ms: int = NOW_MS,
    **auth_options: Any,
) -> Signed:
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {}, params=params or {})
    moment = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
        auth(Credentials(KEY, SECRET, token), service, "eu-central-1", **auth_options).add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    sent = [(n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in prepared.headers.items()]
    sent = [(n, v) for n, v in sent if n.lower() != b"host"] + [(b"Host", parts.netloc.encode())]
    return Signed(prepared.method, parts.path or "/", parts.query, tuple(sent), body)


def refused(signed: Signed, **options: Any) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        verify(signed, **options)
    return caught.value


JSON_CALL = {"headers": {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}}


def a_call(**options: Any) -> Signed:
    return signed_by_botocore(body=b'{"TableName": "t"}', **JSON_CALL, **options)


# -- what botocore signs is accepted


def test_a_json_call_is_accepted() -> None:
    claim = verify(a_call())
    assert (claim.access_key_id, claim.scope.region, claim.scope.service) == (KEY, "eu-central-1", "dynamodb")


def test_a_session_token_is_handed_on() -> None:
    assert verify(a_call(token="tok/+==")).session_token == "tok/+=="


@pytest.mark.parametrize(
    "path",
    [
        "/restapis/abc",
        "/tags/arn%3Aaws%3Alambda",
        "/a%20b",
        "/a+b",
        "/a:b@c=d",
        "/%E2%82%AC",
        "/a%2Fb/c~d",
        "/a/.b/..c/...",
        "//a//b/",
    ],
)
def test_paths_are_encoded_once_more(path: str) -> None:
    verify(signed_by_botocore("GET", f"http://{HOST}{path}", service="lambda"))


@pytest.mark.parametrize(
    "params",
    [
        {"a": "b"},
        {"b": "1", "a": "2", "A": "3"},
        {"q": "a b+c&d=e/%"},
        {"empty": ""},
        {"€": "ü"},
        {"a~b": "-._~"},
        {"key": "*!'()"},
    ],
)
def test_query_strings_are_sorted_and_encoded(params: dict[str, str]) -> None:
    verify(signed_by_botocore("GET", f"http://{HOST}/restapis", params=params, service="apigateway"))


@pytest.mark.parametrize("value", ["  padded  ", "two  spaces", "tab\tinside", "a,b , c"])
def test_header_values_are_trimmed_and_folded(value: str) -> None:
    verify(signed_by_botocore("GET", f"http://{HOST}/x", headers={"X-Amz-Meta": value}, service="lambda"))


def test_s3_paths_are_not_encoded_twice() -> None:
    signed = signed_by_botocore("PUT", f"http://{HOST}/bucket/a%20b//c/../d", body=b"x", service="s3", auth=S3SigV4Auth)
    verify(signed)


def test_presigned_urls_of_s3_leave_the_body_open() -> None:
    signed = signed_by_botocore(
        "PUT", f"http://{HOST}/b/k%20/..", service="s3", auth=botocore.auth.S3SigV4QueryAuth, expires=60
    )
    verify(replace(signed, body=b"anything"))


def test_a_presigned_url_is_accepted_until_it_expires() -> None:
    signed = presigned(expires=60)
    verify(signed, now_ms=NOW_MS + 60_000)
    assert refused(signed, now_ms=NOW_MS + 60_001).kind == "expired"


def test_a_presigned_url_outlives_the_skew_of_signed_headers() -> None:
    verify(presigned(expires=3600), now_ms=NOW_MS + 3_000_000)


def test_a_presigned_url_carries_its_session_token() -> None:
    assert verify(presigned(token="tok/+==")).session_token == "tok/+=="


def presigned(*, expires: int = 60, token: str | None = None) -> Signed:
    return signed_by_botocore(
        "GET",
        f"http://{HOST}/",
        params={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
        service="sts",
        auth=SigV4QueryAuth,
        token=token,
        expires=expires,
    )


@pytest.mark.parametrize("path", ["/secret/../public", "/./public", "/public/.", "/public/x/.."])
@pytest.mark.parametrize("auth", [SigV4Auth, SigV4QueryAuth])
def test_a_signature_does_not_cover_dot_segments(path: str, auth: Any) -> None:
    signed = signed_by_botocore("GET", f"http://{HOST}/public", service="execute-api", auth=auth)
    verify(signed)
    assert refused(replace(signed, path=path)).kind == "mismatch"


@pytest.mark.parametrize("path", ["//public", "/public//"])
def test_who_was_handed_a_url_cannot_add_empty_segments(path: str) -> None:
    signed = signed_by_botocore("GET", f"http://{HOST}/public", service="execute-api", auth=SigV4QueryAuth)
    assert refused(replace(signed, path=path)).kind == "mismatch"


def test_a_date_header_does_where_there_is_no_x_amz_date() -> None:
    signed = signed_by_botocore("GET", f"http://{HOST}/", headers={"Date": "x"}, service="sts")
    assert b"x-amz-date" not in joined_headers(signed.headers)
    verify(signed)


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=12)
segment_texts = texts.filter(lambda text: text not in {".", ".."})  # no client sends them, and they are refused


@settings(max_examples=150, deadline=None)
@given(
    params=st.dictionaries(texts, texts, max_size=5),
    segments=st.lists(segment_texts, max_size=4),
    body=st.binary(max_size=40),
)
def test_whatever_botocore_signs_is_accepted(params: dict[str, str], segments: list[str], body: bytes) -> None:
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    verify(signed_by_botocore("PUT", f"http://{HOST}{path}", params=params, body=body, service="lambda"))


# -- whoever changes anything is refused


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"path": "/other"},
        {"query": "a=b"},
        {"body": b'{"TableName": "T"}'},
        {"body": b""},
    ],
)
def test_a_changed_request_is_refused(change: dict[str, Any]) -> None:
    assert refused(replace(a_call(), **change)).kind == "mismatch"


@pytest.mark.parametrize("name", [b"host", b"x-amz-target", b"content-type", b"x-amz-security-token"])
def test_a_changed_or_missing_signed_header_is_refused(name: bytes) -> None:
    signed = a_call(token="tok")
    assert refused(signed.with_header(name, b"other")).kind == "mismatch"
    assert refused(signed.with_header(name, None)).kind == "mismatch"


def test_a_signed_header_that_is_repeated_is_refused() -> None:
    signed = a_call()
    doubled = replace(signed, headers=(*signed.headers, (b"X-Amz-Target", b"DynamoDB_20120810.DeleteTable")))
    assert refused(doubled).kind == "mismatch"


def test_an_amz_header_that_is_not_signed_is_refused() -> None:
    error = refused(a_call().with_header(b"x-amz-security-token", b"mine"))
    assert error.message == "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."


def test_other_headers_need_not_be_signed() -> None:
    verify(a_call().with_header(b"accept-encoding", b"gzip").with_header(b"x-amzn-trace-id", b"Root=1"))


def test_another_secret_is_refused() -> None:
    error = refused(a_call(), secret=SECRET + "x")
    assert error.message.startswith("The request signature we calculated does not match the signature you provided.")
    assert SECRET not in error.message + error.detail


def test_no_signature_at_all_is_missing() -> None:
    error = refused(a_call().with_header(b"authorization", None))
    assert (error.kind, error.message) == ("missing", "Missing Authentication Token")


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA1", "incomplete"),
        (b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256", "incomplete"),
        (b"AWS4-HMAC-SHA256", b"Bearer", "missing"),
        (b"Credential=", b"Kredential=", "incomplete"),
        (b"SignedHeaders=", b"Signed=", "incomplete"),
        (b"/aws4_request", b"/aws5_request", "mismatch"),
        (b"/aws4_request", b"", "incomplete"),
        (b"/eu-central-1/", b"//", "incomplete"),
        (b"/eu-central-1/", b"/eu/central/", "incomplete"),
        (b"/dynamodb/", b"/lambda/", "mismatch"),
        (b"/eu-central-1/", b"/us-east-1/", "mismatch"),
        (b"/20261124/", b"/20261125/", "mismatch"),
        (b"AKIDEXAMPLE", b"", "incomplete"),
        (b"AKIDEXAMPLE", b"AKID EXAMPLE", "incomplete"),
        (b"content-type;host", b"host;content-type", "mismatch"),
        (b"content-type;host", b"content-type;host;host", "mismatch"),
        (b"content-type;host", b"Content-Type;host", "mismatch"),
        (b"content-type;host;", b"content-type;", "mismatch"),
        (b"content-type;host", b"content-type;gone;host", "mismatch"),
        (b", SignedHeaders", b"; SignedHeaders", "incomplete"),
        (b", Signature=", b", Signature=a, Signature=", "incomplete"),
        (b", Signature=", b", Signature=0", "mismatch"),
        (b", SignedHeaders", b", Credential=x, SignedHeaders", "incomplete"),
    ],
)
def test_a_malformed_authorization_is_refused(old: bytes, new: bytes, kind: str) -> None:
    signed = a_call()
    authorization = signed.header(b"authorization")
    assert old in authorization
    assert refused(signed.with_header(b"authorization", authorization.replace(old, new, 1))).kind == kind


def test_an_authorization_without_spaces_after_its_commas_is_accepted() -> None:
    signed = a_call()
    verify(signed.with_header(b"authorization", signed.header(b"authorization").replace(b", ", b",")))


def test_a_signature_in_capitals_is_refused() -> None:
    signed = a_call()
    head, _, signature = signed.header(b"authorization").rpartition(b"=")
    assert refused(signed.with_header(b"authorization", head + b"=" + signature.upper())).kind == "mismatch"


def test_two_authorization_headers_are_refused() -> None:
    signed = a_call()
    twice = replace(signed, headers=(*signed.headers, (b"Authorization", signed.header(b"authorization"))))
    assert refused(twice).kind == "incomplete"


@pytest.mark.parametrize(
    ("skew_ms", "is_accepted"),
    [(300_000, True), (301_000, False), (-300_000, True), (-301_000, False)],  # five minutes either way
)
def test_a_signature_is_good_for_five_minutes(skew_ms: int, is_accepted: bool) -> None:
    signed = a_call()
    if is_accepted:
        verify(signed, now_ms=NOW_MS + skew_ms)
    else:
        assert refused(signed, now_ms=NOW_MS + skew_ms).kind == "mismatch"


def test_an_expired_signature_says_when_it_expired() -> None:
    error = refused(a_call(), now_ms=NOW_MS + 400_000)
    assert error.message == (
        "Signature expired: 20261124T060000Z is now earlier than 20261124T060140Z (20261124T060640Z - 5 min.)"
    )


def test_a_signature_from_the_future_says_so() -> None:
    error = refused(a_call(), now_ms=NOW_MS - 400_000)
    assert error.message == (
        "Signature not yet current: 20261124T060000Z is still later than 20261124T055820Z (20261124T055320Z + 5 min.)"
    )


@pytest.mark.parametrize(
    "date", [b"", b"20261124", b"2026-11-24T06:00:00Z", b"20261324T060000Z", b"20261131T060000Z", b"20261124T246060Z"]
)
def test_a_malformed_date_is_refused(date: bytes) -> None:
    assert refused(a_call().with_header(b"x-amz-date", date)).kind == "incomplete"


def test_a_body_hash_that_is_not_the_bodys_is_refused() -> None:
    wrong = hashlib.sha256(b"another").hexdigest()
    signed = signed_by_botocore(body=b"{}", headers={"X-Amz-Content-SHA256": wrong})
    assert refused(signed).kind == "mismatch"


def test_an_unsigned_payload_is_refused_unless_the_operation_takes_it() -> None:
    signed = signed_by_botocore(
        body=b"x", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, auth=UnsignedPayloadAuth, service="s3"
    )
    assert refused(signed).kind == "mismatch"
    verify(signed, unsigned_payload_allowed=True)
    verify(replace(signed, body=b"another"), unsigned_payload_allowed=True)


class UnsignedPayloadAuth(SigV4Auth):
    def payload(self, request: Any) -> str:
        return "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("Action=GetCallerIdentity", "Action=GetSessionToken", "mismatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", "mismatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=0", "incomplete"),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", "incomplete"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "incomplete"),
        ("X-Amz-Expires=60", "X-Amz-Expires=6e1", "incomplete"),
        ("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=600", "incomplete"),
        ("&X-Amz-Expires=60", "", "incomplete"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=", "incomplete"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date", "mismatch"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1", "incomplete"),
        ("X-Amz-Signature=", "X-Amz-Signature=0", "mismatch"),
        ("X-Amz-Signature=", "X-Amz-Signature=a&X-Amz-Signature=", "incomplete"),
        ("Version=2011-06-15", "Version=2011-06-15&Extra=1", "mismatch"),
    ],
)
def test_a_changed_presigned_url_is_refused(old: str, new: str, kind: str) -> None:
    signed = presigned()
    assert old in signed.query
    assert refused(replace(signed, query=signed.query.replace(old, new, 1))).kind == kind


def test_a_presigned_url_with_a_body_is_refused() -> None:
    assert refused(replace(presigned(), body=b"Action=DeleteUser")).kind == "mismatch"


def test_a_query_string_of_thousands_of_parameters_is_refused() -> None:
    signed = replace(a_call(), query="&".join(f"p{n}=1" for n in range(1_001)))
    assert refused(signed).kind == "incomplete"


# -- what is remembered


def test_only_verified_requests_are_remembered() -> None:
    verifier = SignatureVerifier()
    for n in range(50):
        signed = a_call()
        authorization = signed.header(b"authorization").replace(b"AKIDEXAMPLE", b"AKID%d" % n)
        refused(signed.with_header(b"authorization", authorization), verifier=verifier, secret="wrong")
    assert len(verifier._scopes) == len(verifier._signing_keys) == 0
    verify(a_call(), verifier=verifier)
    assert len(verifier._scopes) == len(verifier._signing_keys) == 1


def test_a_remembered_head_is_still_verified() -> None:
    verifier = SignatureVerifier()
    verify(a_call(), verifier=verifier)
    assert refused(replace(a_call(), body=b"{}"), verifier=verifier).kind == "mismatch"
    assert refused(a_call(), verifier=verifier, secret="rotated").kind == "mismatch"
    verify(a_call(), verifier=verifier)


def test_what_is_remembered_is_bounded_and_keeps_what_is_used() -> None:
    kept: Remembered[int] = Remembered(10)
    for n in range(100):
        kept.put(n, n)
        assert kept.get(0) == 0
    assert len(kept) <= 10
    assert kept.get(50) is None


# -- signing


@pytest.mark.parametrize("token", ["", "tok/+=="])
def test_what_we_sign_is_accepted_and_is_what_botocore_signs(token: str) -> None:
    headers = sign(
        "POST",
        "/tags/a%20b",
        "x=1&y=%2F",
        [("Host", HOST), ("Content-Type", "application/json")],
        b"{}",
        access_key_id=KEY,
        secret_access_key=SECRET,
        session_token=token,
        region="eu-central-1",
        service="lambda",
        now_ms=NOW_MS,
    )
    ours = Signed("POST", "/tags/a%20b", "x=1&y=%2F", tuple((n.encode(), v.encode()) for n, v in headers), b"{}")
    verify(ours)
    theirs = signed_by_botocore(
        "POST",
        f"http://{HOST}/tags/a%20b?x=1&y=%2F",
        headers={"Content-Type": "application/json"},
        body=b"{}",
        token=token or None,
        service="lambda",
    )
    assert theirs.header(b"authorization") == ours.header(b"authorization")


# -- canonical forms


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1", "a=1&a=2"),
        ("a", "a="),
        ("a=b=c", "a=b%3Dc"),
        ("a=%2f", "a=%2F"),
        ("a=x+y", "a=x%20y"),
        ("a=%7E%41", "a=~A"),
        ("a=%zz", "a=%25zz"),
        ("a=%ff", "a=%FF"),
        ("&&a=1&", "a=1"),
        ("A=1&a=1", "A=1&a=1"),
    ],
)
def test_the_query_string_means_what_handlers_read(query: str, canonical: str) -> None:
    assert canonical_query(query) == canonical


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a%20b", "/a%2520b"),
        ("/a/../b", "/b"),
        ("/../..", "/"),
        ("/a//b/", "/a/b/"),
        ("/a:b", "/a%3Ab"),
    ],
)
def test_the_path_is_normalized_and_encoded(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical


def test_a_timestamp_is_read_in_milliseconds() -> None:
    assert parse_timestamp(b"20261124T060000Z") == NOW_MS


# -- what a holder of the key signs rightly, but may not sign


def freely_signed(
    *,
    names: str = "host;x-amz-date",
    date: str = "20261124",
    timestamp: str = "20261124T060000Z",
    terminator: str = "aws4_request",
    declared_hash: str | None = None,
) -> Signed:
    """Sign by hand, so that everything but the one odd thing is right."""
    headers = {"host": HOST, "x-amz-date": timestamp}
    if declared_hash is not None:
        headers["x-amz-content-sha256"] = declared_hash
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(b"{}").hexdigest()])
    scope = f"{date}/us-east-1/dynamodb/{terminator}"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Signed("POST", "/", "", (*sent, (b"authorization", authorization.encode())), b"{}")


def test_what_is_signed_by_hand_is_accepted_when_nothing_is_odd() -> None:
    verify(freely_signed())
    names = "host;x-amz-content-sha256;x-amz-date"
    verify(freely_signed(names=names, declared_hash=hashlib.sha256(b"{}").hexdigest()))


@pytest.mark.parametrize(
    "odd",
    [
        {"names": "x-amz-date"},
        {"names": "x-amz-date;host"},
        {"date": "20261123"},
        {"terminator": "aws5_request"},
        {"names": "host;x-amz-content-sha256;x-amz-date", "declared_hash": hashlib.sha256(b"other").hexdigest()},
        {"names": "host;x-amz-content-sha256;x-amz-date", "declared_hash": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"declared_hash": hashlib.sha256(b"{}").hexdigest()},
    ],
)
def test_an_odd_claim_is_refused_although_its_signature_is_right(odd: dict[str, Any]) -> None:
    assert refused(freely_signed(**odd)).kind == "mismatch"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_a_signing_key_computes_hmac_sha_256(key: bytes, text: bytes) -> None:
    assert SigningKey(key).hexdigest(text) == hmac.digest(key, text, "sha256").hex()
