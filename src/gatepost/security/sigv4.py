"""AWS Signature Version 4: verify requests (header and pre-signed URL), and sign our own client's.

Pure: values in, values out. What a verification goes through:

1. `SignatureVerifier.read` takes the claim apart (who says they are whom, for which day, region and service) and checks
   its form and its time. Nothing is trusted yet.
2. The caller looks the access key up.
3. `SignatureVerifier.verify` computes the signature over what was really received, the body's hash included, and
   compares in constant time.

The canonical form is made from what this process will act on, so that nothing can be read in one way here and in
another way later: a repeated header is joined as the handler sees it, the query string is decoded and encoded again,
every `x-amz-*` header must be signed.

Signing keys (one per secret, day, region and service) and the parsed heads of Authorization headers that have been
verified are kept, at most `kept_max` each, so that strangers cannot push out what clients use.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html ,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html ("within five minutes of the time stamp").
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Generic, Literal, NamedTuple, TypeVar
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

ALGORITHM: Final = b"AWS4-HMAC-SHA256"
TERMINATOR: Final = b"aws4_request"
UNSIGNED_PAYLOAD: Final = b"UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest().encode()
SKEW_MS_MAX: Final = 5 * 60 * 1000
PRESIGNED_SECONDS_MAX: Final = 7 * 24 * 3600
SIGNED_HEADERS_MAX: Final = 100
CREDENTIAL_BYTES_MAX: Final = 512
QUERY_PARAMETERS_MAX: Final = 1_000

Kind = Literal["missing", "incomplete", "mismatch", "expired"]
Headers = Mapping[bytes, bytes]  # names in lower case; a repeated header's values joined by a comma, in order
Value = TypeVar("Value")

_BLOCK_BYTES: Final = 64
_INNER: Final = bytes([byte ^ 0x36 for byte in range(256)])
_OUTER: Final = bytes([byte ^ 0x5C for byte in range(256)])
_DATE = re.compile(rb"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_SIGNATURE = re.compile(rb"[0-9a-f]{64}", re.ASCII)
_SCOPE_PART = re.compile(rb"[A-Za-z0-9._-]{1,128}", re.ASCII)
_REGION = re.compile(rb"[a-z0-9-]{1,64}", re.ASCII)
_ACCESS_KEY = re.compile(rb"[A-Za-z0-9_.@:+=-]{1,128}", re.ASCII)
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9\-._~]*", re.ASCII)

MISMATCH: Final = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class SignatureError(Exception):
    """A signature does not prove anything. `kind` says why; each protocol has its own code for it.

    missing: there is none. incomplete: its form is wrong. mismatch: it is not the signature of this request by this
    key, or not of this time. expired: a pre-signed URL's time is over.
    """

    def __init__(self, kind: Kind, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.detail = detail


class Scope(NamedTuple):
    """What an Authorization header says before its signature."""

    access_key_id: str
    date: bytes
    region: str
    service: str
    scope: bytes  # date/region/service/aws4_request
    signed_headers: bytes  # host;x-amz-date
    names: tuple[bytes, ...]


@dataclass(slots=True)
class Claim:
    """A signature as the request carries it, its form and time checked, itself not yet verified."""

    scope: Scope
    timestamp: bytes
    signature: bytes
    session_token: str
    is_presigned: bool
    head: bytes = b""  # the Authorization header without its signature, to remember once it is verified

    @property
    def access_key_id(self) -> str:
        """Give the access key that is said to have signed."""
        return self.scope.access_key_id


class Remembered(Generic[Value]):
    """At most `size_max` values; what has not been asked for longest goes first, in halves."""

    __slots__ = ("_half", "_new", "_old")

    def __init__(self, size_max: int) -> None:
        self._half = max(1, size_max // 2)
        self._new: dict[object, Value] = {}
        self._old: dict[object, Value] = {}

    def get(self, key: object) -> Value | None:
        """Give what was put under `key`, or None."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: object, value: Value) -> None:
        """Keep `value`."""
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}
        self._new[key] = value

    def __len__(self) -> int:
        return len(self._new.keys() | self._old.keys())


class SigningKey:
    """HMAC-SHA256 under one key. Its two padded blocks are hashed once, which is most of a short text's cost."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes. Source: RFC 2104 section 4."""
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def hexdigest(self, text: bytes) -> str:
        """Give what `hmac.digest(key, text, "sha256").hex()` gives."""
        inner = self._inner.copy()
        inner.update(text)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


class Proof:
    """What is left to verify of requests that differ from a verified one in nothing but their body and signature."""

    __slots__ = ("_canonical", "_key", "_secret_access_key", "_to_sign", "at_ms")

    def __init__(self, canonical: bytes, to_sign: bytes, key: SigningKey, secret_access_key: str, at_ms: int) -> None:
        """Take the canonical request up to the body's hash, and the text to sign up to the canonical request's."""
        self._canonical = hashlib.sha256(canonical)
        self._to_sign = to_sign
        self._key = key
        self._secret_access_key = secret_access_key
        self.at_ms = at_ms  # when the requests say that they were signed

    def holds(self, secret_access_key: str, body: bytes, signature: bytes) -> bool:
        """Say whether `signature` is that of a request with this body, by this key."""
        if secret_access_key != self._secret_access_key:
            return False
        canonical = self._canonical.copy()
        canonical.update(hashlib.sha256(body).hexdigest().encode())
        found = self._key.hexdigest(self._to_sign + canonical.hexdigest().encode())
        return hmac.compare_digest(found.encode(), signature)


class SignatureVerifier:
    """Verifies signatures. One per listener; holds only caches, each of at most `kept_max` entries."""

    def __init__(self, *, kept_max: int = 2_048, skew_ms_max: int = SKEW_MS_MAX) -> None:
        self._skew_ms_max = skew_ms_max
        self._scopes: Remembered[Scope] = Remembered(kept_max)
        self._signing_keys: Remembered[SigningKey] = Remembered(kept_max)
        self._last_timestamp: tuple[bytes, int] = (b"", 0)

    def read(self, headers: Headers, query: str, *, now_ms: int) -> Claim:
        """Take the claim apart and check its form and its time. Raises: SignatureError."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            if "X-Amz-" in query and "X-Amz-Algorithm=" in query:
                return self._read_presigned(query, now_ms)
            raise SignatureError("missing", "Missing Authentication Token")
        head, separator, signature = authorization.rpartition(b"Signature=")
        scope = self._scopes.get(head) if separator else None
        if scope is None:
            scope, signature = _read_authorization(authorization)
        else:
            head = b""  # it is remembered
        if len(signature) != 64 or not _SIGNATURE.fullmatch(signature):
            raise SignatureError("mismatch", MISMATCH, detail="the signature is not 64 hexadecimal digits")
        timestamp = headers.get(b"x-amz-date") or _date_header(headers, scope)
        self._check_time(timestamp, scope, now_ms)
        token = headers.get(b"x-amz-security-token")
        return Claim(scope, timestamp, signature, token.decode("latin-1") if token else "", False, head)

    def verify(
        self,
        claim: Claim,
        secret_access_key: str,
        *,
        method: str,
        path: str,
        query: str,
        headers: Headers,
        body: bytes,
        unsigned_payload_allowed: bool = False,
    ) -> None:
        """Check that `claim` is the signature of exactly this request. `path` and `query` as received.

        Raises: SignatureError.
        """
        scope = claim.scope
        if path != "/" and scope.service != "s3":
            _check_path(path, is_presigned=claim.is_presigned)
        if claim.is_presigned and scope.service == "s3" and b"x-amz-content-sha256" not in headers:
            payload_hash = UNSIGNED_PAYLOAD  # S3's pre-signed URLs never cover a body
        else:
            payload_hash = _payload_hash(headers, body, unsigned_payload_allowed=unsigned_payload_allowed)
        canonical = canonical_request(
            method,
            path,
            query,
            headers,
            scope,
            payload_hash,
            is_presigned=claim.is_presigned,
        )
        digest = hashlib.sha256(canonical).hexdigest()
        to_sign = b"%b\n%b\n%b\n%b" % (ALGORITHM, claim.timestamp, scope.scope, digest.encode())
        key = self._signing_keys.get((secret_access_key, scope.scope))
        is_new = key is None
        if key is None:
            key = SigningKey(signing_key(secret_access_key, scope.date, scope.region, scope.service))
        if not hmac.compare_digest(key.hexdigest(to_sign).encode(), claim.signature):
            raise SignatureError("mismatch", MISMATCH, detail=f"the canonical request's SHA-256 is {digest}")
        if is_new:
            self._signing_keys.put((secret_access_key, scope.scope), key)
        if claim.head:
            self._scopes.put(claim.head, scope)

    def is_current(self, at_ms: int, now_ms: int) -> bool:
        """Say whether what was signed at a time is still, and already, to be taken."""
        return -self._skew_ms_max <= now_ms - at_ms <= self._skew_ms_max

    def proof(
        self, claim: Claim, secret_access_key: str, *, method: str, path: str, query: str, headers: Headers
    ) -> Proof | None:
        """Give what is left to verify of further requests with these headers, once one with them was verified.

        None where that cannot be told beforehand: pre-signed ones, and those whose headers say something of the body.
        """
        scope = claim.scope
        key = self._signing_keys.get((secret_access_key, scope.scope))
        if claim.is_presigned or b"x-amz-content-sha256" in headers or key is None:
            return None
        canonical = canonical_request(method, path, query, headers, scope, b"")
        to_sign = b"%b\n%b\n%b\n" % (ALGORITHM, claim.timestamp, scope.scope)
        return Proof(canonical, to_sign, key, secret_access_key, parse_timestamp(claim.timestamp))

    def _read_presigned(self, query: str, now_ms: int) -> Claim:
        found: dict[str, str] = {}
        for name, value in _query_pairs(query):
            if name.startswith("X-Amz-"):
                if name in found:
                    raise SignatureError("incomplete", f"Query string parameter {name} occurs more than once.")
                found[name] = value
        for name in ("Credential", "Signature", "SignedHeaders", "Date"):
            if not found.get(f"X-Amz-{name}"):
                raise SignatureError(
                    "incomplete",
                    f"AWS query-string parameters must include 'X-Amz-{name}'. Re-examine the query-string parameters.",
                )
        if found["X-Amz-Algorithm"].encode() != ALGORITHM:
            raise SignatureError("incomplete", f"Unsupported AWS 'algorithm': '{found['X-Amz-Algorithm'][:64]}'.")
        signature = found["X-Amz-Signature"].encode()
        if not _SIGNATURE.fullmatch(signature):
            raise SignatureError("mismatch", MISMATCH, detail="the signature is not 64 hexadecimal digits")
        scope = _read_scope(found["X-Amz-Credential"].encode(), found["X-Amz-SignedHeaders"].encode())
        timestamp = found["X-Amz-Date"].encode()
        expires = found.get("X-Amz-Expires", "")
        lifetime_s = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 8 else 0
        if not 1 <= lifetime_s <= PRESIGNED_SECONDS_MAX:
            raise SignatureError("incomplete", f"X-Amz-Expires must be from 1 to {PRESIGNED_SECONDS_MAX} seconds.")
        self._check_time(timestamp, scope, now_ms, lifetime_ms=lifetime_s * 1000)
        return Claim(scope, timestamp, signature, found.get("X-Amz-Security-Token", ""), True)

    def _check_time(self, timestamp: bytes, scope: Scope, now_ms: int, *, lifetime_ms: int | None = None) -> None:
        last, at_ms = self._last_timestamp
        if timestamp != last:
            at_ms = parse_timestamp(timestamp)
            self._last_timestamp = (timestamp, at_ms)
        if timestamp[:8] != scope.date:
            told = f"'{scope.date.decode()}' != '{timestamp[:8].decode()}', from '{timestamp.decode()}'"
            raise SignatureError(
                "mismatch",
                f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: {told}.",
            )
        skew_ms = self._skew_ms_max
        if at_ms > now_ms + skew_ms:
            told = f"Signature not yet current: {timestamp.decode()} is still later than {_compact(now_ms + skew_ms)}"
            raise SignatureError("mismatch", f"{told} ({_compact(now_ms)} + {skew_ms // 60_000} min.)")
        if lifetime_ms is not None:
            if now_ms > at_ms + lifetime_ms:
                raise SignatureError(
                    "expired",
                    f"Signature expired: {_compact(at_ms + lifetime_ms)} is now earlier than {_compact(now_ms)}",
                )
        elif at_ms < now_ms - skew_ms:
            told = f"Signature expired: {timestamp.decode()} is now earlier than {_compact(now_ms - skew_ms)}"
            raise SignatureError("mismatch", f"{told} ({_compact(now_ms)} - {skew_ms // 60_000} min.)")


def parse_timestamp(timestamp: bytes) -> int:
    """Read `20261124T055638Z` as milliseconds. Raises: SignatureError."""
    if not _DATE.fullmatch(timestamp):
        raise SignatureError("incomplete", "Date must be in ISO-8601 'basic format'. Got a date in another form.")
    year, month, day = int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8])
    hour, minute, second = int(timestamp[9:11]), int(timestamp[11:13]), int(timestamp[13:15])
    is_real = year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]
    if not is_real or hour > 23 or minute > 59 or second > 59:
        raise SignatureError("incomplete", "Date must be in ISO-8601 'basic format'. Got a date that does not exist.")
    return calendar.timegm((year, month, day, hour, minute, second)) * 1000


def _date_header(headers: Headers, scope: Scope) -> bytes:
    """Give the Date header's time where a request has no X-Amz-Date; it must be signed."""
    date = headers.get(b"date")
    if date is None or b"date" not in scope.names:
        told = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        raise SignatureError("incomplete", told)
    if _DATE.fullmatch(date):
        return date
    try:
        at = parsedate_to_datetime(date.decode("latin-1"))
        return _compact(round(at.timestamp() * 1000)).encode()
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise SignatureError("incomplete", "Date must be in ISO-8601 'basic format' or RFC 822.") from error


def _compact(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y%m%dT%H%M%SZ}"


def _read_authorization(authorization: bytes) -> tuple[Scope, bytes]:
    algorithm, _, rest = authorization.partition(b" ")
    if algorithm != ALGORITHM:
        raise SignatureError(
            "incomplete" if algorithm.startswith(b"AWS") else "missing",
            "Missing Authentication Token" if not algorithm.startswith(b"AWS") else "Unsupported AWS 'algorithm'.",
        )
    found: dict[bytes, bytes] = {}
    for part in rest.split(b","):
        name, separator, value = part.strip().partition(b"=")
        if not separator or name in found or len(found) > 3:
            raise SignatureError(
                "incomplete", "Authorization header has a part that is no 'key=value' pair, or one twice."
            )
        found[name] = value
    for name in (b"Credential", b"Signature", b"SignedHeaders"):
        if not found.get(name):
            raise SignatureError("incomplete", f"Authorization header requires '{name.decode()}' parameter.")
    return _read_scope(found[b"Credential"], found[b"SignedHeaders"]), found[b"Signature"]


def _read_scope(credential: bytes, signed_headers: bytes) -> Scope:
    parts = credential.split(b"/")
    if len(parts) != 5 or len(credential) > CREDENTIAL_BYTES_MAX:
        raise SignatureError(
            "incomplete",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
        )
    key, date, region, service, terminator = parts
    if terminator != TERMINATOR:
        raise SignatureError("mismatch", "Credential should be scoped with a valid terminator: 'aws4_request'.")
    if not (_ACCESS_KEY.fullmatch(key) and _REGION.fullmatch(region) and _SCOPE_PART.fullmatch(service)):
        raise SignatureError(
            "incomplete", "Credential has an element that is empty or has characters that none can have."
        )
    names = tuple(signed_headers.split(b";"))
    if len(names) > SIGNED_HEADERS_MAX or list(names) != sorted(set(names)) or signed_headers != signed_headers.lower():
        raise SignatureError("mismatch", MISMATCH, detail="signed headers are not sorted, unique and in lower case")
    if b"host" not in names:
        raise SignatureError("mismatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    scope = credential[len(key) + 1 :]
    return Scope(key.decode(), date, region.decode(), service.decode(), scope, signed_headers, names)


def _payload_hash(headers: Headers, body: bytes, *, unsigned_payload_allowed: bool) -> bytes:
    declared = headers.get(b"x-amz-content-sha256")
    if declared == UNSIGNED_PAYLOAD and unsigned_payload_allowed:
        return declared
    actual = hashlib.sha256(body).hexdigest().encode() if body else EMPTY_SHA256
    if declared is not None and declared != actual:
        raise SignatureError("mismatch", MISMATCH, detail="x-amz-content-sha256 is not the body's hash")
    return actual


def _check_path(path: str, *, is_presigned: bool) -> None:
    """Refuse a path that its signature does not cover as it stands. Raises: SignatureError.

    The canonical path has no dot segments and no empty ones, and our routers know both: with a URL signed for `/public`
    its holder could ask for `/secret/../public`, which is the route `/secret/{proxy+}`. No client sends dot segments.
    Empty segments are taken from who signed the request himself; who was handed a URL uses it as it was signed.
    """
    if ("/." in path and not {".", ".."}.isdisjoint(path.split("/"))) or (is_presigned and "//" in path):
        raise SignatureError("mismatch", MISMATCH, detail="the path has segments that a signature does not cover")


def canonical_request(
    method: str,
    path: str,
    query: str,
    headers: Headers,
    scope: Scope,
    payload_hash: bytes,
    *,
    is_presigned: bool = False,
) -> bytes:
    """Put the canonical request together. Raises: SignatureError when a header that must be signed is not."""
    names = scope.names
    try:
        signed = b"\n".join([name + b":" + headers[name] for name in names])
    except KeyError as error:
        raise SignatureError("mismatch", MISMATCH, detail=f"signed header {error} is not there") from error
    # Few signed headers have any space, and that is found out faster than whether it is one to be folded.
    if (b" " in signed or b"\t" in signed) and _needs_folding(signed):
        signed = b"\n".join([name + b":" + b" ".join(headers[name].split()) for name in names])
    for name in headers:
        if name.startswith(b"x-amz-") and name not in names:
            raise SignatureError(
                "mismatch", f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization."
            )
    return b"%b\n%b\n%b\n%b\n\n%b\n%b" % (
        method.encode(),
        b"/" if path == "/" else canonical_path(path, is_s3=scope.service == "s3").encode(),
        canonical_query(query, is_presigned=is_presigned).encode() if query else b"",
        signed,
        scope.signed_headers,
        payload_hash,
    )


def _needs_folding(lines: bytes) -> bool:
    return b"  " in lines or b": " in lines or b" \n" in lines or b"\t" in lines or lines.endswith(b" ")


def canonical_path(path: str, *, is_s3: bool = False) -> str:
    """Encode a path as received once more (S3: only what is not encoded yet), dot segments resolved (not for S3)."""
    if is_s3:
        return quote(path, safe="/~%") or "/"
    if "/." in path or "//" in path:
        segments: list[str] = []
        for segment in path.split("/"):
            if segment == "..":
                if segments:
                    segments.pop()
            elif segment not in {"", "."}:
                segments.append(segment)
        ending = "/" if segments and path.endswith("/") else ""
        path = "/" + "/".join(segments) + ending
    return quote(path, safe="/~") or "/"


def canonical_query(query: str, *, is_presigned: bool = False) -> str:
    """Decode and encode a query string again, sorted, without the signature when the URL is pre-signed."""
    pairs = [
        (_encoded(name), _encoded(value))
        for name, value in _query_pairs(query)
        if not (is_presigned and name == "X-Amz-Signature")
    ]
    pairs.sort()
    return "&".join(f"{name}={value}" for name, value in pairs)


def _query_pairs(query: str) -> list[tuple[str, str]]:
    parts = query.split("&")
    if len(parts) > QUERY_PARAMETERS_MAX:
        raise SignatureError("incomplete", f"A query string has at most {QUERY_PARAMETERS_MAX} parameters.")
    pairs = []
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    """Decode as our handlers do: `+` is a space; bytes that are not UTF-8 survive."""
    if "%" not in text and "+" not in text:
        return text
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _encoded(text: str) -> str:
    if _PLAIN_QUERY.fullmatch(text):
        return text
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe="-._~")


def sha256_hex(body: bytes) -> str:
    """Give a body's hash as `x-amz-content-sha256` has it."""
    return hashlib.sha256(body).hexdigest()


def signing_key(secret_access_key: str, date: bytes, region: str, service: str) -> bytes:
    """Derive the key of a day, region and service."""
    key = hmac.digest(b"AWS4" + secret_access_key.encode(), date, "sha256")
    for part in (region.encode(), service.encode(), TERMINATOR):
        key = hmac.digest(key, part, "sha256")
    return key


def sign(
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    access_key_id: str,
    secret_access_key: str,
    session_token: str = "",
    region: str,
    service: str,
    now_ms: int,
) -> list[tuple[str, str]]:
    """Give the headers that sign a request: `headers` (Host among them) and those that this adds.

    `path` and `query` are as they go over the wire. Every given header is signed.
    """
    timestamp = _compact(now_ms)
    all_headers = [*headers, ("X-Amz-Date", timestamp)]
    if session_token:
        all_headers.append(("X-Amz-Security-Token", session_token))
    lowered = joined_headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in all_headers])
    names = tuple(sorted(lowered))
    credential = f"{access_key_id}/{timestamp[:8]}/{region}/{service}/{TERMINATOR.decode()}"
    scope = _read_scope(credential.encode(), b";".join(names))
    canonical = canonical_request(method, path, query, lowered, scope, hashlib.sha256(body).hexdigest().encode())
    digest = hashlib.sha256(canonical).hexdigest().encode()
    to_sign = b"\n".join((ALGORITHM, timestamp.encode(), scope.scope, digest))
    key = signing_key(secret_access_key, scope.date, region, service)
    signature = hmac.digest(key, to_sign, "sha256").hex()
    signed = f"Credential={credential}, SignedHeaders={';'.join(n.decode() for n in names)}, Signature={signature}"
    return [*all_headers, ("Authorization", f"{ALGORITHM.decode()} {signed}")]


def joined_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give headers by lower-case name; the values of a repeated one joined by a comma, in order."""
    found = {name.lower(): value for name, value in headers}
    if len(found) == len(headers):
        return found
    found = {}
    for name, value in headers:
        lower = name.lower()
        found[lower] = found[lower] + b"," + value if lower in found else value
    return found
