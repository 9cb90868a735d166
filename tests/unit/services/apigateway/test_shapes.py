from __future__ import annotations

from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, MethodResponse, Resource
from gatepost.services.apigateway.model import Definition
from gatepost.services.apigateway.shapes import integration_to_aws, method_to_aws, resource_to_aws


def test_everything_of_an_integration_is_shown() -> None:
    integration = Integration(
        type="HTTP_PROXY",
        http_method="GET",
        uri="http://example.com",
        credentials_arn="arn:aws:iam::0:role/r",
        connection_type="INTERNET",
        connection_id="c",
        request_parameters={"integration.request.header.A": "'a'"},
        request_templates={"a/b": "t"},
        content_handling="CONVERT_TO_TEXT",
        timeout_ms=50,
        cache_namespace="n",
        cache_key_parameters=("k",),
        is_tls_verification_skipped=True,
        responses=(IntegrationResponse("200", "2..", {"h": "'v'"}, {"a/b": "t"}, "CONVERT_TO_TEXT"),),
    )
    assert integration_to_aws(integration) == {
        "type": "HTTP_PROXY",
        "httpMethod": "GET",
        "uri": "http://example.com",
        "credentials": "arn:aws:iam::0:role/r",
        "connectionType": "INTERNET",
        "connectionId": "c",
        "requestParameters": {"integration.request.header.A": "'a'"},
        "requestTemplates": {"a/b": "t"},
        "passthroughBehavior": "WHEN_NO_MATCH",
        "contentHandling": "CONVERT_TO_TEXT",
        "timeoutInMillis": 50,
        "cacheNamespace": "n",
        "cacheKeyParameters": ["k"],
        "tlsConfig": {"insecureSkipVerification": True},
        "integrationResponses": {
            "200": {
                "statusCode": "200",
                "selectionPattern": "2..",
                "responseParameters": {"h": "'v'"},
                "responseTemplates": {"a/b": "t"},
                "contentHandling": "CONVERT_TO_TEXT",
            }
        },
    }


def test_a_method_shows_its_responses_by_status() -> None:
    method = Method("GET", responses=(MethodResponse("200", {"method.response.header.A": True}),))
    assert method_to_aws(method)["methodResponses"] == {
        "200": {"statusCode": "200", "responseParameters": {"method.response.header.A": True}}
    }


def test_the_root_has_neither_parent_nor_part() -> None:
    root, orders = Resource("r", "/"), Resource("o", "/orders")
    definition = Definition(resources={"r": root, "o": orders})
    assert resource_to_aws(definition, root) == {"id": "r", "path": "/"}
    assert resource_to_aws(definition, orders) == {"id": "o", "path": "/orders", "parentId": "r", "pathPart": "orders"}
