"""Requests of APIs' integrations to AWS services: `arn:aws:apigateway:REGION:SERVICE:action/Op` and `…:path/…`.

They come over the link, with a session that the gateway holds (of the integration's role, or the caller's own), and
are answered as if that session had signed them: same protocols, same checks, same authorization, same bytes.

An `action` is written in the service's own protocol: X-Amz-Target for JSON, `Action` and `Version` for query services.
Where a service has both, API Gateway speaks query ("sqs:action/SendMessage" with parameters in the query string).
Source: https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html (uri).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gatepost.awsapi.authentication import Caller
from gatepost.awsapi.errors import UnknownOperationException, UnrecognizedClientException
from gatepost.awsapi.protocols.query import FORM_TYPE
from gatepost.awsapi.server import AwsEndpoint
from gatepost.awsapi.shapes import signing_name
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import Identities, ServiceAnswer, ServiceRequest
from gatepost.wire.messages import Headers, Request, Response

SOURCE: Final = "apigateway.amazonaws.com"
"""Where such requests come from, in place of an IP address: as in CloudTrail, and no condition on addresses matches."""

_FIELDS_END: Final = re.compile(rb"[&;]")  # some servers take a semicolon for the end of a field


class Wording(NamedTuple):
    """How a service is told an action: by a target's prefix (JSON) or a version (query)."""

    target_prefix: str = ""
    json_version: str = ""
    api_version: str = ""


# Services that we do not have, but that an operator may name with --service. From their models in botocore.
_ELSEWHERE: Final[Mapping[str, Wording]] = {
    "events": Wording("AWSEvents", "1.1"),
    "firehose": Wording("Firehose_20150804", "1.1"),
    "kinesis": Wording("Kinesis_20131202", "1.1"),
    "kms": Wording("TrentService", "1.1"),
    "secretsmanager": Wording("secretsmanager", "1.1"),
    "sns": Wording(api_version="2010-03-31"),
    "sqs": Wording(api_version="2012-11-05"),
    "ssm": Wording("AmazonSSM", "1.1"),
    "states": Wording("AWSStepFunctions", "1.0"),
}


def wording_of(metadata: Mapping[str, Any]) -> Wording | None:
    """Give how a service with this model is told an action; None when its operations have paths."""
    protocols = metadata.get("protocols") or (metadata.get("protocol"),)
    if "query" in protocols:
        return Wording(api_version=metadata["apiVersion"])
    if "json" in protocols:
        return Wording(metadata["targetPrefix"], metadata["jsonVersion"])
    return None


class IntegrationRequests:
    """Implements `kernel.ports.ServiceRequests` on the AWS endpoint."""

    def __init__(
        self, endpoint: AwsEndpoint, identities: Identities, clock: Clock, index: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Take the endpoint, who has which session, and the models' metadata by service."""
        self._endpoint = endpoint
        self._identities = identities
        self._clock = clock
        self._wordings: dict[str, Wording | None] = dict(_ELSEWHERE)
        for metadata in index.values():  # its host name is what a URI says; several may be signed for by one name
            self._wordings[str(metadata["endpointPrefix"])] = wording_of(metadata)
        for metadata in index.values():
            self._wordings.setdefault(signing_name(metadata), wording_of(metadata))
        self._signing_names = {str(each["endpointPrefix"]): signing_name(each) for each in index.values()}

    async def send(self, request: ServiceRequest) -> ServiceAnswer:
        """Answer a request as whom its session proves. Raises: ServiceError when that is nobody."""
        identity = self._identities.find(request.access_key_id, request.session_token, self._clock.now_ms())
        if identity is None:
            raise UnrecognizedClientException("The security token included in the request is invalid.")
        service = self._signing_names.get(request.service, request.service)
        caller = Caller(identity.principal, request.region, service)
        answer = self._endpoint.answer_for(caller, self._worded(request))
        response = answer if isinstance(answer, Response) else await answer
        return ServiceAnswer(response.status, response.headers, response.body)

    def _worded(self, request: ServiceRequest) -> Request:
        """Give the HTTP request that the service would get. Raises: UnknownOperationException."""
        headers: Headers = list(request.headers)
        method, path, query, body = request.method, request.path, request.query, request.body
        if request.action:
            wording = self._wordings.get(request.service)
            if wording is None:
                raise UnknownOperationException(
                    f"{request.service} knows no actions: use path/… in the integration's URI"
                )
            path = "/"
            if wording.target_prefix:
                headers = _without(headers, b"x-amz-target", b"content-type")
                headers.append((b"X-Amz-Target", f"{wording.target_prefix}.{request.action}".encode()))
                headers.append((b"Content-Type", f"application/x-amz-json-{wording.json_version}".encode()))
            else:
                method, query, body = "POST", "", _form(request, wording)
                headers = [*_without(headers, b"content-type"), (b"Content-Type", FORM_TYPE)]
        target = f"{path}?{query}" if query else path
        return Request(method, target, headers, body, client_ip=SOURCE, is_tls=True)


def _form(request: ServiceRequest, wording: Wording) -> bytes:
    """Give Action and Version, what the query string holds, and the body when it is a form.

    A client whose form is passed through must not choose another action: fields of those names are dropped.
    """
    parts = [f"Action={request.action}&Version={wording.api_version}".encode()]
    given = request.query.encode()
    content_type = next((value for name, value in request.headers if name.lower() == b"content-type"), b"")
    if request.body and content_type.lower().startswith(FORM_TYPE):
        given += b"&" + request.body
    parts += [field for field in _FIELDS_END.split(given) if field and not _is_ours(field)]
    return b"&".join(parts)


def _is_ours(field: bytes) -> bool:
    return unquote_to_bytes(field.partition(b"=")[0]) in (b"Action", b"Version")


def _without(headers: Headers, *names: bytes) -> Headers:
    return [pair for pair in headers if pair[0].lower() not in names]
