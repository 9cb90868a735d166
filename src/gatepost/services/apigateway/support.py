"""What Gatepost does not do yet of REST APIs, in one table: whoever builds it deletes its line.

Nothing is accepted and ignored: a request that names one of these is refused, with what works instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gatepost.languages.json_path import JsonPaths
from gatepost.languages.vtl_api_gateway import compile_mapping_template
from gatepost.languages.vtl_tree import TemplateError
from gatepost.services.apigateway.model import BadRequestException


class UnsupportedSetting(BadRequestException):
    """AWS acts on this and Gatepost does not yet: never wrong in itself, so a template may accept the gap."""


ANY: Final = "*"
TEMPLATE_BYTES_MAX: Final = 300 * 1024

_LATER: Final = "leave it out"

# (AWS's name of the setting, value or ANY) -> what works instead.
UNSUPPORTED: Final[Mapping[tuple[str, str], str]] = {
    ("uri of AWS without credentials", ANY): "give credentials: the ARN of a role that API Gateway may assume",
    ("subdomain in the uri of AWS", ANY): "use arn:aws:apigateway:REGION:SERVICE:path/… without a subdomain",
    ("credentials of the caller without AWS_IAM", ANY): "use authorizationType AWS_IAM, or a role's ARN",
    ("Qualifier", ANY): "put it into the function's ARN",
    ("contentHandling of HTTP_PROXY", ANY): "leave it out: API Gateway knows binary media types by the API's list",
    ("contentHandling of MOCK", ANY): _LATER,
    ("connectionType", "VPC_LINK"): "use INTERNET",
    ("integrationTarget", ANY): _LATER,
    ("responseTransferMode of AWS", "STREAM"): "only proxies stream: use BUFFERED",
    ("responseTransferMode of HTTP", "STREAM"): "only proxies stream: use BUFFERED",
    ("responseTransferMode of MOCK", "STREAM"): "only proxies stream: use BUFFERED",
    ("authorizationType", "JWT"): "use COGNITO_USER_POOLS, CUSTOM, AWS_IAM or NONE",
    ("authorizer type", "JWT"): "use COGNITO_USER_POOLS, TOKEN or REQUEST",
    ("jwtConfiguration", ANY): "use an authorizer of type COGNITO_USER_POOLS, TOKEN or REQUEST",
    ("managementPolicy", ANY): "domain names are not shared between accounts: " + _LATER,
    ("credentials of HTTP", ANY): _LATER,
    ("credentials of HTTP_PROXY", ANY): _LATER,
    ("credentials of MOCK", ANY): _LATER,
    ("tlsConfig.insecureSkipVerification of AWS", "true"): "it is for HTTP and HTTP_PROXY: use false",
    ("tlsConfig.insecureSkipVerification of AWS_PROXY", "true"): "it is for HTTP and HTTP_PROXY: use false",
    ("tlsConfig.insecureSkipVerification of MOCK", "true"): "it is for HTTP and HTTP_PROXY: use false",
    ("accessLogSettings.destinationArn of Firehose", ANY): "use the ARN of a log group",
    ("webAclArn", ANY): _LATER,
    ("labels of API keys", ANY): "no operation gives them: use tags",
    ("methodSettings as a whole", ANY): "use /{resourcePath}/{httpMethod}/…, one path for each setting",
}

# The variables of `$context` that the gateway knows when it maps parameters and answers refusals.
CONTEXT_VARIABLES: Final = frozenset(
    {
        "accountId",
        "apiId",
        "awsEndpointRequestId",
        "customDomain.basePathMatched",
        "customDomain.routingRuleIdMatched",
        "deploymentId",
        "domainName",
        "domainPrefix",
        "extendedRequestId",
        "httpMethod",
        "identity.accessKey",
        "identity.accountId",
        "identity.apiKey",
        "identity.apiKeyId",
        "identity.caller",
        "identity.cognitoAuthenticationProvider",
        "identity.cognitoAuthenticationType",
        "identity.cognitoIdentityId",
        "identity.cognitoIdentityPoolId",
        "identity.principalOrgId",
        "identity.clientCert.clientCertPem",
        "identity.clientCert.issuerDN",
        "identity.clientCert.serialNumber",
        "identity.clientCert.subjectDN",
        "identity.clientCert.validity.notAfter",
        "identity.clientCert.validity.notBefore",
        "identity.sourceIp",
        "identity.user",
        "identity.userAgent",
        "identity.userArn",
        "identity.vpcId",
        "identity.vpceId",
        "isCanaryRequest",
        "path",
        "protocol",
        "requestId",
        "requestTime",
        "requestTimeEpoch",
        "resourceId",
        "resourcePath",
        "stage",
        "wafResponseCode",
        "webaclArn",
        "xrayTraceId",
    }
)
# Of AWS's list, what is null on AWS too where there are no authorizers, API keys, canaries, domains of one's own, VPC
# endpoints or firewalls; and what templates write. A name stands for all that begins with it.
NULL_VARIABLES: Final = frozenset(
    {
        "authorizer",
        "error",
        "requestOverride",
        "responseOverride",
    }
)
ERROR_VARIABLES: Final = frozenset({"message", "messageString", "responseType", "validationErrorString"})

_JSON_PATH: Final = re.compile(r"(?:\.?[A-Za-z_][\w-]*|\[\d{1,6}\])+")


def check_supported(setting: str, value: object) -> None:
    """Refuse a value of a setting that Gatepost does not act on. None, "", False and empty ones say nothing.

    Raises: BadRequestException.
    """
    if value is None or value is False or value == "" or value in ({}, [], ()):
        return
    text = "true" if value is True else str(value)
    named = UNSUPPORTED.get((setting, text))
    instead = named or UNSUPPORTED.get((setting, ANY))
    if instead is not None:
        what = f"{setting} {text}" if named else setting
        raise UnsupportedSetting(f"Gatepost does not support {what} yet: {instead}")


def check_context(name: str) -> None:
    """Refuse a `$context` variable that the gateway does not know. Raises: BadRequestException."""
    if name not in CONTEXT_VARIABLES and not name.startswith("authorizer."):
        raise BadRequestException(
            f"Gatepost does not support context.{name} yet: it knows {', '.join(sorted(CONTEXT_VARIABLES))}"
        )


def check_json_path(path: str) -> None:
    """Refuse a JSONPath into a body that is more than names and indexes. Raises: BadRequestException."""
    if path and not _JSON_PATH.fullmatch(path):
        raise BadRequestException(f"Gatepost does not support the JSONPath {path} yet: use names and [index]")


def check_template_size(setting: str, content_type: str, template: str) -> None:
    """Refuse a mapping template of more than 300 KB, AWS's limit. Raises: BadRequestException."""
    if len(template.encode()) > TEMPLATE_BYTES_MAX:
        raise BadRequestException(f"{setting} for {content_type} must have at most {TEMPLATE_BYTES_MAX} bytes")


def check_template(setting: str, content_type: str, template: str) -> None:
    """Refuse a mapping template that cannot be compiled, or that names a `$context` variable we do not have.

    Raises: BadRequestException.
    """
    try:
        names = compile_mapping_template(template, paths=JsonPaths()).context_names
    except TemplateError as error:
        raise BadRequestException(
            f"Invalid mapping template specified: {setting} for {content_type}: {error}"
        ) from error
    for name in sorted(names):
        if not is_template_variable(name):
            check_context(name)


def is_template_variable(name: str) -> bool:
    """Say whether templates may name `$context.{name}`: a variable, a group of them, or one that is null here."""
    return any(
        name == known or name.startswith(f"{known}.") or known.startswith(f"{name}.")
        for known in CONTEXT_VARIABLES | NULL_VARIABLES
    )
