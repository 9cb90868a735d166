"""What web pages of any origin may ask of the AWS endpoint: users' own operations, and pools' public documents.

A page in a browser calls Cognito directly (Amplify, amazon-cognito-identity-js), unsigned, from an origin that nobody
here knows. So these operations are answered to every origin: exactly those that need no signature, and only without
one. A signed request, or any other operation, is refused as before.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final

from gatepost.awsapi.routing import Router, Unroutable
from gatepost.wire.messages import Request, Response

SERVICES: Final = frozenset({"cognito-idp", "cognito-identity"})
DOCUMENTS: Final = "/.well-known/"
DOCUMENT_SECONDS: Final = 3600
_PREFLIGHT: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST"),
    (
        b"access-control-allow-headers",
        b"amz-sdk-invocation-id,amz-sdk-request,authorization,cache-control,content-type,"
        b"x-amz-target,x-amz-user-agent,x-amzn-trace-id",
    ),
    (b"access-control-max-age", b"172800"),
)
_ALLOWED: Final = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"),
)
_DOCUMENT: Final = (
    (b"content-type", b"application/json"),
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"public, max-age=%d" % DOCUMENT_SECONDS),
)

Answer = Response | Coroutine[Any, Any, Response]


def preflight(request: Request, headers: Mapping[bytes, bytes]) -> Response | None:
    """Answer a browser that asks whether a page may send one of these operations; None: it asks for something else."""
    if request.method != "OPTIONS" or headers.get(b"access-control-request-method") != b"POST":
        return None
    asked = headers.get(b"access-control-request-headers", b"").lower()
    names = {name.strip() for name in asked.split(b",")}
    return Response(200, list(_PREFLIGHT), b"") if b"x-amz-target" in names else None


def is_for_everyone(router: Router, request: Request, headers: Mapping[bytes, bytes]) -> bool:
    """Say whether a request means an operation that pages of every origin may call."""
    target = headers.get(b"x-amz-target")
    if target is None or request.method != "POST" or b"authorization" in headers:
        return False
    try:
        served = router.by_target(target).served
    except Unroutable:
        return False
    return served.service in SERVICES and served.model.is_unsigned


def shown(answer: Answer) -> Answer:
    """Let the page see an answer, an error as well."""
    if isinstance(answer, Response):
        return _with_headers(answer)
    return _shown_later(answer)


async def _shown_later(answer: Coroutine[Any, Any, Response]) -> Response:
    return _with_headers(await answer)


def _with_headers(answer: Response) -> Response:
    return Response(answer.status, [*answer.headers, *_ALLOWED], answer.body)


def document(content: bytes) -> Response:
    """Give a public document; anyone may keep it for an hour."""
    return Response(200, list(_DOCUMENT), content)
