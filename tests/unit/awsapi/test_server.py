"""The AWS endpoint: who gets in, what goes where, and what is said of what fails."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost.awsapi.own_routes import OwnRoute
from gatepost.awsapi.server import AwsEndpoint
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError, StoreUnavailable, VersionConflict
from gatepost.security.sigv4 import sign
from gatepost.wire.messages import Peer, Request, Response
from tests.support.aws_endpoints import an_endpoint, answer_of
from tests.support.toys import ADMINISTRATOR, SECRET, SESSION_TOKEN, a_provider

CLOCK = FixedClock()


class ResourceNotFoundException(ServiceError):
    code = "ResourceNotFoundException"
    status = 400


def a_request(
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    *,
    service: str = "dynamodb",
    key: str = "AKIATESTADMIN",
    secret: str = SECRET,
    token: str = "",
    host: str = "localhost:4566",
    headers: dict[str, str] | None = None,
    is_signed: bool = True,
) -> Request:
    sent = [("Host", host), *(headers or {}).items()]
    path, _, query = target.partition("?")
    if is_signed:
        sent = sign(
            method,
            path,
            query,
            sent,
            body,
            access_key_id=key,
            secret_access_key=secret,
            session_token=token,
            region="eu-west-1",
            service=service,
            now_ms=CLOCK.now_ms(),
        )
    return Request(method, target, [(name.encode(), value.encode()) for name, value in sent], body)


def a_json_request(operation: str, body: str = "{}", **options: Any) -> Request:
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", **options.pop("headers", {})}
    return a_request(body=body.encode(), headers=headers, **options)


def a_table_endpoint(
    list_tables: Any = lambda call, params: {"TableNames": [call.region]}, **options: Any
) -> AwsEndpoint:
    return an_endpoint(a_provider("dynamodb", ListTables=list_tables), clock=CLOCK, **options)


def error_of(response: Response) -> tuple[int, str, str]:
    told = json.loads(response.body)
    return (
        response.status,
        (told.get("__type") or told["code"]).rpartition("#")[2],
        told.get("message") or told["Message"],
    )


def header_of(response: Response, name: bytes) -> str:
    return next(value.decode() for key, value in response.headers if key.lower() == name)


# -- operations


def test_a_method_that_does_not_wait_is_answered_without_a_coroutine() -> None:
    answer = a_table_endpoint()(a_json_request("ListTables"))
    assert isinstance(answer, Response)
    assert json.loads(answer.body) == {"TableNames": ["eu-west-1"]}


def test_a_method_that_waits_is_answered_by_a_coroutine() -> None:
    async def list_tables(call: Any, params: Any) -> Any:
        return {"TableNames": []}

    endpoint = a_table_endpoint(list_tables)
    assert json.loads(answer_of(endpoint, a_json_request("ListTables")).body) == {"TableNames": []}


def test_the_call_says_who_calls_what_from_where() -> None:
    calls = []
    endpoint = a_table_endpoint(lambda call, params: calls.append(call) or {})
    request = a_json_request("ListTables", headers={"User-Agent": "agent/1"})
    request.peer = Peer("127.0.0.9", 0, is_tls=False)
    response = answer_of(endpoint, request)
    (call,) = calls
    assert (call.service, call.operation, call.region) == ("dynamodb", "ListTables", "eu-west-1")
    assert (call.principal, call.account_id, call.now_ms) == (ADMINISTRATOR, "000000000000", CLOCK.now_ms())
    assert (call.source_ip, call.user_agent) == ("127.0.0.9", "agent/1")
    assert header_of(response, b"x-amzn-requestid") == call.request_id


def test_parameters_are_checked_before_access_is() -> None:
    response = answer_of(a_table_endpoint(), a_json_request("ListTables", '{"Limit": 0}', key="AKIATESTSTRANGER"))
    assert error_of(response)[1] == "ValidationException"


def test_who_is_not_allowed_is_refused_before_the_method_runs() -> None:
    ran = []
    endpoint = a_table_endpoint(lambda call, params: ran.append(1) or {})
    status, code, message = error_of(answer_of(endpoint, a_json_request("ListTables", key="AKIATESTSTRANGER")))
    assert (status, code, ran) == (400, "AccessDeniedException", [])
    assert message.endswith("is not authorized to perform: dynamodb:ListTables on resource: *")


def test_an_operation_that_we_lack_says_so() -> None:
    status, code, message = error_of(answer_of(a_table_endpoint(), a_json_request("DescribeLimits")))
    assert (status, code, message) == (501, "NotImplemented", "Gatepost does not have dynamodb:DescribeLimits")


def test_an_operation_that_we_lack_tells_nothing_to_strangers() -> None:
    response = answer_of(a_table_endpoint(), a_json_request("DescribeLimits", secret="wrong"))
    assert error_of(response)[1] == "InvalidSignatureException"


def test_a_service_that_we_lack_says_so() -> None:
    request = a_request("GET", "/bucket", service="ses")
    status, _, message = error_of(answer_of(a_table_endpoint(), request))
    assert (status, message[:45]) == (501, "Gatepost does not have the service ses: start")
    assert "--service ses=http://KEY:SECRET@host:port" in message
    response = answer_of(a_table_endpoint(), a_request("GET", "/bucket", service="s3"))
    assert b"<Message>Gatepost does not have the service s3: " in response.body
    request = a_request(headers={"X-Amz-Target": "AmazonSQS.SendMessage"}, service="sqs")
    assert error_of(answer_of(a_table_endpoint(), request))[::2] == (
        501,
        "Gatepost does not have AmazonSQS.SendMessage",
    )


def test_an_operation_that_aws_lacks_is_unknown() -> None:
    status, code, _ = error_of(answer_of(a_table_endpoint(), a_json_request("MakeTable")))
    assert (status, code) == (400, "UnknownOperationException")


def test_unknown_operations_do_not_fill_the_memory() -> None:
    endpoint = a_table_endpoint()
    for n in range(100):
        answer_of(endpoint, a_json_request(f"Nonsense{n}"))
    assert len(endpoint._router._by_target) == len(endpoint._router._served) == 0


def test_a_method_may_say_that_it_does_not_do_something() -> None:
    def list_tables(call: Any, params: Any) -> Any:
        raise NotImplementedError

    assert error_of(answer_of(a_table_endpoint(list_tables), a_json_request("ListTables")))[0] == 501


@pytest.mark.parametrize("lost", [StoreUnavailable("disk full at /var/secret"), VersionConflict("key")])
def test_a_lost_store_is_503_and_tells_no_detail(lost: Exception) -> None:
    def list_tables(call: Any, params: Any) -> Any:
        raise lost

    status, code, message = error_of(answer_of(a_table_endpoint(list_tables), a_json_request("ListTables")))
    assert (status, code) == (503, "ServiceUnavailable")
    assert "secret" not in message


@pytest.mark.parametrize("is_async", [False, True])
def test_a_bug_is_an_internal_failure_that_leaks_nothing(is_async: bool, caplog: pytest.LogCaptureFixture) -> None:
    def fails(call: Any, params: Any) -> Any:
        raise KeyError("password of the database")

    async def fails_later(call: Any, params: Any) -> Any:
        raise KeyError("password of the database")

    endpoint = a_table_endpoint(fails_later if is_async else fails)
    with caplog.at_level(logging.ERROR):
        response = answer_of(endpoint, a_json_request("ListTables"))
    assert error_of(response)[:2] == (500, "InternalFailure")
    assert b"password" not in response.body
    (record,) = caplog.records
    assert record.__dict__["request_id"] == header_of(response, b"x-amzn-requestid")


def test_an_answer_that_the_model_does_not_have_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = a_table_endpoint(lambda call, params: {"Tables": []})
    assert error_of(answer_of(endpoint, a_json_request("ListTables")))[0] == 500
    assert "ListTablesOutput has no member Tables" in str(caplog.records[0].exc_info)


def test_a_body_nested_beyond_all_sense_is_refused() -> None:
    body = '{"TableName": "t", "Key": {"a": ' + '{"L": [' * 450 + '{"S": "x"}' + "]}" * 450 + "}}"
    endpoint = an_endpoint(a_provider("dynamodb", GetItem=lambda call, params: {}), clock=CLOCK)
    assert error_of(answer_of(endpoint, a_json_request("GetItem", body)))[1] == "SerializationException"


def test_a_wire_json_method_gets_jsons_own_values_and_may_answer_bytes() -> None:
    got = []

    def get_item(call: Any, params: Any) -> bytes:
        got.append(params)
        return b'{"Item":{"a":{"B":"AQ=="}}}'

    endpoint = an_endpoint(a_provider("dynamodb", wire_json=("GetItem",), GetItem=get_item), clock=CLOCK)
    response = answer_of(endpoint, a_json_request("GetItem", '{"TableName": "t", "Key": {"a": {"B": "AQ=="}}}'))
    assert got == [{"TableName": "t", "Key": {"a": {"B": "AQ=="}}}]
    assert response.body == b'{"Item":{"a":{"B":"AQ=="}}}'


# -- bodies


def test_a_gzipped_body_is_unpacked() -> None:
    request = a_json_request("ListTables", headers={"Content-Encoding": "gzip"})
    body = gzip.compress(b'{"Limit": 0}', mtime=0)
    request = a_request(body=body, headers={"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Encoding": "gzip"})
    assert error_of(answer_of(a_table_endpoint(), request))[1] == "ValidationException"


@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        ("gzip", b"no gzip", "SerializationException"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-3], "SerializationException"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more", "SerializationException"),
        ("gzip", gzip.compress(bytes(11 * 1024 * 1024)), "RequestEntityTooLargeException"),
        ("br", b"{}", "SerializationException"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(encoding: str, body: bytes, code: str) -> None:
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Encoding": encoding}
    assert error_of(answer_of(a_table_endpoint(), a_request(body=body, headers=headers)))[1] == code


@pytest.mark.parametrize(
    ("request_", "mib"),
    [
        (a_json_request("PutItem"), 16),
        (a_json_request("PutItem", is_signed=False), 10),
        (a_json_request("PutItem", key="AKIANOBODY"), 10),
        (a_request("POST", "/2015-03-31/functions", service="lambda"), 100),
        (a_request("PUT", "/2015-03-31/functions/f/code", service="lambda"), 100),
        (a_request("POST", "/2018-10-31/layers/l/versions", service="lambda"), 100),
        (a_request("POST", "/2015-03-31/functions/f/invocations", service="lambda"), 10),
        (a_request("POST", "/2015-03-31/functions", service="lambda", is_signed=False), 10),
        (a_request("POST", "/_gatepost/operations/lambda/CreateFunction", service="gatepost"), 100),
        (a_request("POST", "/restapis", service="apigateway"), 10),
        (a_request("POST", "/", service="iam"), 10),
        (a_request("PUT", "/_gatepost/assets/x", service="gatepost"), 250),
        (a_request("PUT", "/_gatepost/assets/x", is_signed=False), 10),
        (a_request("PUT", "/_gatepost/nothing", service="gatepost"), 0),
    ],
)
def test_large_bodies_are_for_operations_that_need_them_and_keys_that_are_known(request_: Request, mib: int) -> None:
    route = OwnRoute("PUT", "/_gatepost/assets/", ok, "gatepost:PutAsset", body_bytes_max=250 * 1024 * 1024)
    assert a_table_endpoint(routes=[route]).body_bytes_max(request_) == mib * 1024 * 1024


def ok(request: Request, call: Any) -> Response:
    return Response(200, [], call.principal.kind.encode())


# -- signatures, in the client's own protocol


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"is_signed": False}, "MissingAuthenticationTokenException"),
        ({"secret": "wrong"}, "InvalidSignatureException"),
        ({"key": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"key": "ASIATESTSESSION", "token": "other"}, "UnrecognizedClientException"),
        ({"token": SESSION_TOKEN}, "UnrecognizedClientException"),
        ({"service": "lambda"}, "InvalidSignatureException"),
    ],
)
def test_a_bad_signature_is_told_in_json(options: dict[str, Any], code: str) -> None:
    assert error_of(answer_of(a_table_endpoint(), a_json_request("ListTables", **options)))[:2] == (400, code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"is_signed": False}, "MissingAuthenticationToken"),
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "AKIANOBODY"}, "InvalidClientTokenId"),
        ({"service": "sts"}, "InvalidAction"),
    ],
)
def test_a_bad_signature_is_told_in_xml(options: dict[str, Any], code: str) -> None:
    body = b"Action=GetUser&Version=2010-05-08"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = a_request(body=body, headers=headers, **{"service": "iam", **options})
    response = answer_of(a_table_endpoint(), request)
    assert f"<Code>{code}</Code>".encode() in response.body
    assert header_of(response, b"content-type") == "text/xml"


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"is_signed": False}, 403, "MissingAuthenticationTokenException"),
        ({"secret": "wrong"}, 403, "InvalidSignatureException"),
        ({"key": "AKIANOBODY"}, 403, "UnrecognizedClientException"),
    ],
)
def test_a_bad_signature_is_told_in_rest(options: dict[str, Any], status: int, code: str) -> None:
    response = answer_of(a_table_endpoint(), a_request("GET", "/restapis", service="apigateway", **options))
    assert (response.status, header_of(response, b"x-amzn-errortype")) == (status, code)


def test_a_session_token_of_its_own_key_gets_in() -> None:
    request = a_json_request("ListTables", key="ASIATESTSESSION", token=SESSION_TOKEN)
    assert answer_of(a_table_endpoint(), request).status == 200


def test_any_credentials_make_an_unknown_key_the_administrator() -> None:
    endpoint = a_table_endpoint(any_credentials=ADMINISTRATOR)
    assert answer_of(endpoint, a_json_request("ListTables", key="test", secret="test")).status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "wrong"},
        {"key": "ASIATESTSESSION", "token": "other"},
        {"key": "ASIATESTSESSION"},
        {"is_signed": False},
    ],
)
def test_any_credentials_never_speak_for_a_key_that_is_known(options: dict[str, Any]) -> None:
    endpoint = a_table_endpoint(any_credentials=ADMINISTRATOR)
    assert answer_of(endpoint, a_json_request("ListTables", **options)).status == 400


def test_a_known_key_is_authorised_as_always_with_any_credentials() -> None:
    endpoint = a_table_endpoint(any_credentials=ADMINISTRATOR)
    response = answer_of(endpoint, a_json_request("ListTables", key="AKIATESTSTRANGER"))
    assert error_of(response)[1] == "AccessDeniedException"


# -- hosts and origins


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4566",
        "127.0.0.1:4566",
        "127.1.2.3",
        "[::1]:4566",
        "LOCALHOST",
        "dynamodb.localhost:4566",
        "host.docker.internal:4566",
        "dynamodb.eu-west-1.amazonaws.com",
    ],
)
def test_the_endpoint_answers_to_its_own_names(host: str) -> None:
    assert answer_of(a_table_endpoint(), a_json_request("ListTables", host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "10.0.0.1", "amazonaws.com.evil.example", "xamazonaws.com", "", "[::2]"],
)
def test_the_endpoint_does_not_answer_to_other_names(host: str) -> None:
    status, code, _ = error_of(answer_of(a_table_endpoint(), a_json_request("ListTables", host=host)))
    assert (status, code) == (403, "UntrustedHost")


@pytest.mark.parametrize("target", ["/", "/_gatepost/health", "/_gatepost/operations/dynamodb/ListTables"])
def test_web_pages_of_other_origins_get_nothing(target: str) -> None:
    endpoint = a_table_endpoint(routes=[OwnRoute("POST", "/_gatepost/health", ok, None)], any_credentials=ADMINISTRATOR)
    request = a_request("POST", target, headers={"Origin": "https://evil.example"})
    assert answer_of(endpoint, request).status == 403


FORGED_URL = (
    "/?Action=ListTables&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=any%2F{day}%2Fus-east-1%2Fdynamodb%2Faws4_request"
    "&X-Amz-Date={time}&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=" + "0" * 64
)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_of_another_page_gets_nothing(site: str) -> None:
    """A page's `<img src>` makes a GET without Origin; the browser says where it comes from."""
    endpoint = a_table_endpoint()
    request = a_json_request("ListTables", headers={"Sec-Fetch-Site": site})
    assert answer_of(endpoint, request).status == 403
    request = a_json_request("ListTables", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer_of(endpoint, request).status == 200


def test_any_credentials_never_stand_for_the_key_of_a_presigned_url() -> None:
    """Old browsers do not say where a request comes from; a URL is all that a page can make up for them."""
    time = f"{datetime.fromtimestamp(CLOCK.now_ms() / 1000, UTC):%Y%m%dT%H%M%SZ}"
    target = FORGED_URL.format(time=time, day=time[:8])
    endpoint = a_table_endpoint(any_credentials=ADMINISTRATOR)
    request = a_request("GET", target, headers={"X-Amz-Target": "DynamoDB_20120810.ListTables"}, is_signed=False)
    assert error_of(answer_of(endpoint, request))[1] == "UnrecognizedClientException"


def test_pages_of_a_trusted_origin_get_an_answer() -> None:
    endpoint = a_table_endpoint()
    request = a_json_request("ListTables", headers={"Origin": "http://127.0.0.1:4566"})
    assert answer_of(endpoint, request).status == 403
    endpoint.trust_origin("http://127.0.0.1:4566")
    assert answer_of(endpoint, request).status == 200


# -- deployed APIs


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/prod/orders", "abc.execute-api.eu-west-1.localhost:4566"),
        ("/", "abc.execute-api.eu-west-1.amazonaws.com"),
        ("/prod", "abc.execute-api.localhost"),
        ("/_aws/execute-api/abc/prod/orders", "localhost"),
        ("/restapis/abc/prod/_user_request_/orders", "localhost"),
    ],
)
def test_requests_for_deployed_apis_are_handed_on(target: str, host: str) -> None:
    endpoint = a_table_endpoint(api_requests=lambda request: Response(299, [], request.target.encode()))
    headers = {"Origin": "https://shop.example"}
    request = a_request("GET", target, host=host, is_signed=False, headers=headers)
    response = answer_of(endpoint, request)
    assert (response.status, response.body) == (299, target.encode())


def test_without_a_gateway_they_are_not_found() -> None:
    request = a_request("GET", "/_aws/execute-api/abc/prod", is_signed=False)
    assert answer_of(a_table_endpoint(), request).status == 404


def test_the_control_plane_of_rest_apis_is_not_handed_on() -> None:
    endpoint = a_table_endpoint(api_requests=lambda request: Response(299))
    assert answer_of(endpoint, a_request("GET", "/restapis/abc/stages", service="apigateway")).status == 501


# -- own paths


def test_an_open_path_needs_no_signature() -> None:
    endpoint = a_table_endpoint(routes=[OwnRoute("GET", "/_gatepost/health", ok, None)])
    for method in ("GET", "HEAD"):
        response = answer_of(endpoint, a_request(method, "/_gatepost/health", is_signed=False))
        assert (response.status, response.body) == (200, b"anonymous")
    assert answer_of(endpoint, a_request("POST", "/_gatepost/health", is_signed=False)).status == 404


def test_a_guarded_path_needs_a_signature_and_its_action() -> None:
    endpoint = a_table_endpoint(routes=[OwnRoute("POST", "/_gatepost/reset", ok, "gatepost:Reset")])

    def status(**options: Any) -> int:
        return answer_of(endpoint, a_request("POST", "/_gatepost/reset", **options)).status

    assert status(service="gatepost") == 200
    assert status(service="dynamodb") == 403
    assert status(service="gatepost", key="AKIATESTSTRANGER") == 403
    assert status(is_signed=False) == 403


def test_a_path_that_ends_in_a_slash_means_all_below_it() -> None:
    endpoint = a_table_endpoint(routes=[OwnRoute("GET", "/_gatepost/console/", ok, None)])
    assert answer_of(endpoint, a_request("GET", "/_gatepost/console/a/b.js", is_signed=False)).status == 200
    assert answer_of(endpoint, a_request("GET", "/_gatepost/consoles", is_signed=False)).status == 404


def test_an_own_route_that_fails_leaks_nothing() -> None:
    async def fails(request: Request, call: Any) -> Response:
        raise RuntimeError("secret")

    endpoint = a_table_endpoint(routes=[OwnRoute("GET", "/_gatepost/health", fails, None)])
    response = answer_of(endpoint, a_request("GET", "/_gatepost/health", is_signed=False))
    assert error_of(response)[:2] == (500, "InternalFailure")
    assert b"secret" not in response.body


@pytest.mark.parametrize("path", ["/health", "/_gatepost/operations/x"])
def test_own_routes_lie_below_their_prefix(path: str) -> None:
    with pytest.raises(ValueError, match="use a path below"):
        a_table_endpoint(routes=[OwnRoute("GET", path, ok, None)])


# -- operations as JSON


def plain(endpoint: AwsEndpoint, path: str, body: str = "{}", **options: Any) -> Response:
    options.setdefault("service", "gatepost")
    return answer_of(endpoint, a_request("POST", f"/_gatepost/operations/{path}", body.encode(), **options))


def test_any_operation_can_be_called_as_json() -> None:
    def get_function(call: Any, params: Any) -> Any:
        assert params == {"FunctionName": "f", "Payload": b"\x01"}
        return {"StatusCode": 200, "Payload": b"\x02"}

    endpoint = an_endpoint(a_provider("lambda", Invoke=get_function), clock=CLOCK)
    response = plain(endpoint, "lambda/Invoke", '{"FunctionName": "f", "Payload": "AQ=="}')
    assert (response.status, json.loads(response.body)) == (200, {"StatusCode": 200, "Payload": "Ag=="})
    response = plain(endpoint, "lambda/Invoke", '{"FunctionName": "f", "Payload": "AQ=="}', service="lambda")
    assert response.status == 200


def test_times_are_milliseconds_in_this_form() -> None:
    def list_backups(call: Any, params: Any) -> Any:
        return {"BackupSummaries": [{"BackupCreationDateTime": params["TimeRangeLowerBound"] + 1}]}

    endpoint = an_endpoint(a_provider("dynamodb", ListBackups=list_backups), clock=CLOCK)
    response = plain(endpoint, "dynamodb/ListBackups", '{"TimeRangeLowerBound": 1760000000123}')
    assert json.loads(response.body) == {"BackupSummaries": [{"BackupCreationDateTime": 1760000000124}]}


def test_a_wire_json_operation_converts_both_ways_in_this_form() -> None:
    def get_item(call: Any, params: Any) -> Any:
        assert params["Key"] == {"a": {"B": "AQ=="}}
        return b'{"Item":{"a":{"B":"Ag=="}}}'

    endpoint = an_endpoint(a_provider("dynamodb", wire_json=("GetItem",), GetItem=get_item), clock=CLOCK)
    response = plain(endpoint, "dynamodb/GetItem", '{"TableName": "t", "Key": {"a": {"B": "AQ=="}}}')
    assert json.loads(response.body) == {"Item": {"a": {"B": "Ag=="}}}


@pytest.mark.parametrize(
    ("path", "body", "options", "expected"),
    [
        ("dynamodb/ListTables", '{"Limit": 0}', {}, (400, "ValidationException")),
        ("dynamodb/ListTables", '{"Limits": 1}', {}, (400, "ValidationException")),
        ("dynamodb/ListTables", "[]", {}, (400, "SerializationException")),
        ("dynamodb/ListTables", "{}", {"key": "AKIATESTSTRANGER"}, (403, "AccessDeniedException")),
        ("dynamodb/ListTables", "{}", {"secret": "wrong"}, (403, "InvalidSignatureException")),
        ("dynamodb/ListTables", "{}", {"service": "lambda"}, (403, "InvalidSignatureException")),
        ("dynamodb/ListTables", "{}", {"is_signed": False}, (403, "MissingAuthenticationTokenException")),
        ("dynamodb/MakeTable", "{}", {}, (404, "UnknownOperationException")),
        ("dynamodb/DescribeLimits", "{}", {}, (501, "NotImplemented")),
        ("nothing/Nothing", "{}", {}, (404, "UnknownOperationException")),
        ("", "{}", {}, (404, "UnknownOperationException")),
    ],
)
def test_errors_in_this_form_are_code_and_message(path: str, body: str, options: dict[str, Any], expected: Any) -> None:
    response = plain(a_table_endpoint(), path, body, **options)
    assert error_of(response)[:2] == expected
    assert set(json.loads(response.body)) == {"code", "message"}
