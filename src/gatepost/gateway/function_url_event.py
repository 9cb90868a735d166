"""The event that a function gets from its URL (payload format 2.0), and the response that it makes of its result.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (format 2.0)
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from gatepost.gateway.clf import request_time
from gatepost.gateway.headers import FORWARDED_NAMES, forwarded, is_field_value, is_token, media_type, response_name
from gatepost.gateway.trace import TRACE_HEADER
from gatepost.kernel.operations import Principal
from gatepost.services.lambda_.model import FunctionUrl
from gatepost.wire.messages import Headers, Request, Response

JSON: Final = (b"content-type", b"application/json")
# unverified: which media types arrive as text; everything else is base64.
_TEXT: Final = frozenset({"application/json", "application/javascript", "application/xml", "application/vnd.api+json"})


class MalformedResponse(Exception):
    """What the function returned is no HTTP response. The text is for our log."""


def render_event(
    url: FunctionUrl,
    request: Request,
    *,
    path: str,
    domain: str,
    request_id: str,
    trace_root: str,
    time_ms: int,
    caller: Principal | None,
) -> bytes:
    """Give the event as JSON. `path` is as the client wrote it, below the URL's root; `caller` who has signed.

    unverified: that AWS leaves percent signs in the path as they are.
    """
    headers, cookies = _headers(request, trace_root)
    event: dict[str, Any] = {"version": "2.0", "routeKey": "$default", "rawPath": path}
    event["rawQueryString"] = request.query
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    if query := _query(request.query):
        event["queryStringParameters"] = query
    event["requestContext"] = {
        "accountId": url.account_id if caller is not None else "anonymous",
        "apiId": url.url_id,
        **({"authorizer": {"iam": _iam(caller)}} if caller is not None else {}),
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": request_time(time_ms),
        "timeEpoch": time_ms,
    }
    if request.body:
        is_text = _is_text(media_type(request.header(b"content-type") or b"application/octet-stream"))
        event["body"] = (
            request.body.decode("utf-8", "replace") if is_text else base64.b64encode(request.body).decode("ascii")
        )
        event["isBase64Encoded"] = not is_text
    else:
        event["isBase64Encoded"] = False
    return orjson.dumps(event)


def _headers(request: Request, trace_root: str) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for key, raw in request.headers:
        name, value = key.decode("latin-1").lower(), raw.decode("utf-8", "replace")
        if name == "cookie":
            cookies += [part.strip() for part in value.split(";") if part.strip()]
        elif key.lower() not in FORWARDED_NAMES and key.lower() != TRACE_HEADER:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    chain, port, scheme = forwarded(request)
    headers |= {"x-forwarded-for": chain, "x-forwarded-port": port, "x-forwarded-proto": scheme}
    headers["x-amzn-trace-id"] = trace_root
    return headers, cookies


def _query(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        if part:
            name, _, value = part.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _iam(caller: Principal) -> dict[str, Any]:
    return {
        "accessKey": caller.access_key_id,
        "accountId": caller.account_id,
        "callerId": caller.principal_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.principal_id,
    }


def _is_text(media: str) -> bool:
    return media.startswith("text/") or media in _TEXT


def response_of(payload: bytes) -> Response:
    """Make the response of what a function returned.

    JSON without `statusCode` is the body itself. Raises: MalformedResponse.
    """
    try:
        returned = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise MalformedResponse(f"not JSON: {error}") from error
    if not isinstance(returned, dict) or "statusCode" not in returned:
        return Response(200, [JSON], payload)
    status, headers = head_of(returned)
    return Response(status, headers, _body(returned))


def head_of(returned: dict[str, Any]) -> tuple[int, Headers]:
    """Give status and headers of what a function returned, or of its metadata. Raises: MalformedResponse."""
    status = returned["statusCode"]
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise MalformedResponse(f"statusCode is {status!r}")
    return status, _response_headers(returned)


def _response_headers(returned: dict[str, Any]) -> Headers:
    given, cookies = returned.get("headers"), returned.get("cookies")
    given, cookies = {} if given is None else given, [] if cookies is None else cookies
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise MalformedResponse("headers is no object, or cookies no list")
    pairs = [*given.items(), *(("set-cookie", cookie) for cookie in cookies)]
    sent: Headers = []
    for name, value in pairs:
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise MalformedResponse(f"header {name} is {type(value).__name__}, not a string")
        raw_name, raw_value = str(name).encode("utf-8"), str(value).encode("utf-8").strip(b" \t")
        if not is_token(raw_name) or not is_field_value(raw_value):
            raise MalformedResponse(f"header {name!r} cannot be sent")
        sent_name = response_name(raw_name)
        if sent_name is not None:
            sent.append((sent_name, raw_value))
    if not any(name.lower() == b"content-type" for name, _ in sent):
        sent.append(JSON)
    return sent


def _body(returned: dict[str, Any]) -> bytes:
    body = returned.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse(f"body is {type(body).__name__}, not a string")
    if not returned.get("isBase64Encoded"):
        return body.encode("utf-8")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResponse(f"the body is not base64: {error}") from error
