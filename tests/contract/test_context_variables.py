"""AWS's variables, row by row: everything that its pages list for REST APIs is known in templates and in access logs.

The pages: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

from __future__ import annotations

import pytest

from gatepost.gateway.access_log_format import compile_access_log_format
from gatepost.gateway.template_scope import TemplateScope
from gatepost.services.apigateway.support import check_template
from tests.support.gateways import a_stage

EVERYWHERE = [
    "accountId",
    "apiId",
    "authorizer.claims.email",
    "authorizer.principalId",
    "authorizer.key",
    "awsEndpointRequestId",
    "customDomain.basePathMatched",
    "customDomain.routingRuleIdMatched",
    "deploymentId",
    "domainName",
    "domainPrefix",
    "error.message",
    "error.messageString",
    "error.responseType",
    "error.validationErrorString",
    "extendedRequestId",
    "httpMethod",
    "identity.accountId",
    "identity.apiKey",
    "identity.apiKeyId",
    "identity.caller",
    "identity.clientCert.clientCertPem",
    "identity.clientCert.issuerDN",
    "identity.clientCert.serialNumber",
    "identity.clientCert.subjectDN",
    "identity.clientCert.validity.notAfter",
    "identity.clientCert.validity.notBefore",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
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
]
IN_TEMPLATES = [
    "requestOverride.header.a",
    "requestOverride.path.a",
    "requestOverride.querystring.a",
    "responseOverride.header.a",
    "responseOverride.status",
]
IN_LOGS = [
    "authenticate.error",
    "authenticate.latency",
    "authenticate.status",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "authorizer.error",
    "authorizer.integrationLatency",
    "authorizer.integrationStatus",
    "authorizer.latency",
    "authorizer.requestId",
    "authorizer.status",
    "cipherSuite",
    "integration.error",
    "integration.integrationStatus",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "responseLatency",
    "responseLength",
    "status",
    "tlsVersion",
    "waf.error",
    "waf.latency",
    "waf.status",
]


@pytest.mark.parametrize("name", [*EVERYWHERE, *IN_TEMPLATES])
def test_a_template_may_name_it(name: str) -> None:
    text = f'#set($context.{name} = "1")' if "Override" in name else f"$context.{name}"
    check_template("requestTemplates", "application/json", text)
    TemplateScope(a_stage()).compile(text, "a template")


@pytest.mark.parametrize("name", [*EVERYWHERE, *IN_LOGS])
def test_an_access_log_may_name_it(name: str) -> None:
    assert compile_access_log_format(f"$context.requestId $context.{name}", a_stage()).unknown == ()
