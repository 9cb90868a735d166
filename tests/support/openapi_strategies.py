"""OpenAPI documents of every shape that an import takes and an export gives back, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.rest_apis import FUNCTION_URI

names = st.text("abcdefgXYZ019", min_size=1, max_size=6)
words = st.text(min_size=1, max_size=12).filter(str.strip)
media_types = st.sampled_from(["application/json", "text/plain", "image/png"])
statuses = st.sampled_from(["200", "201", "400", "404", "500"])
literals = st.text("abc XYZ-", max_size=5).map(lambda text: f"'{text}'")
POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"
VALIDATORS = "x-amazon-apigateway-request-validators"
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTH_TYPE = "x-amazon-apigateway-authtype"

SCHEMES: dict[str, dict[str, Any]] = {
    "sigv4": {"type": "apiKey", "name": "Authorization", "in": "header", AUTH_TYPE: "awsSigv4"},
    "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
}


def schemes() -> st.SearchStrategy[dict[str, Any]]:
    """Authorizers of all three types, beside IAM and API keys."""
    ttl = st.integers(0, 3_600)
    header = st.sampled_from(["Authorization", "X-Token"])

    def a_scheme(kind: str, name: str, **extension: Any) -> dict[str, Any]:
        auth_type = kind if kind == "cognito_user_pools" else "custom"
        authorizer = {"type": kind, **extension}
        return {"type": "apiKey", "name": name, "in": "header", AUTH_TYPE: auth_type, AUTHORIZER: authorizer}

    token = st.builds(
        lambda name, ttl_s: a_scheme("token", name, authorizerUri=FUNCTION_URI, authorizerResultTtlInSeconds=ttl_s),
        header,
        ttl,
    )
    source = st.sampled_from(["method.request.header.A", "method.request.querystring.b, context.stage"])
    request = st.builds(
        lambda source, ttl_s: a_scheme(
            "request",
            "Unused",
            authorizerUri=FUNCTION_URI,
            identitySource=source,
            authorizerResultTtlInSeconds=ttl_s,
        ),
        source,
        ttl,
    )
    cognito = st.builds(lambda name: a_scheme("cognito_user_pools", name, providerARNs=[POOL]), header)
    return st.dictionaries(names, token | request | cognito, max_size=3).map(lambda made: {**SCHEMES, **made})


def integrations() -> st.SearchStrategy[dict[str, Any]]:
    """Integrations of every type that needs nothing of its method."""
    templates = st.dictionaries(media_types, st.sampled_from(["{}", '{"statusCode": 200}', "$input.body"]), max_size=2)
    mapped = st.dictionaries(names.map(lambda name: f"integration.request.header.{name}"), literals, max_size=2)
    behavior = st.sampled_from(["when_no_match", "when_no_templates", "never"])
    timeout = st.integers(50, 29_000)
    answers = st.dictionaries(
        st.sampled_from(["default", "4\\d\\d", "5.."]),
        st.fixed_dictionaries({"statusCode": statuses}, optional={"responseTemplates": templates}),
        max_size=3,
    ).map(lambda given: {key: each for key, each in given.items() if _is_first(given, key)})
    common = {"passthroughBehavior": behavior, "requestTemplates": templates, "responses": answers}
    mock = st.fixed_dictionaries({"type": st.just("mock")}, optional=common)
    http = st.fixed_dictionaries(
        {"type": st.just("http"), "httpMethod": st.just("GET"), "uri": st.just("https://example.com/a")},
        optional={**common, "requestParameters": mapped, "timeoutInMillis": timeout, "cacheNamespace": names},
    )
    function = st.fixed_dictionaries(
        {"type": st.just("aws_proxy"), "httpMethod": st.just("POST"), "uri": st.just(FUNCTION_URI)},
        optional={"timeoutInMillis": timeout, "cacheKeyParameters": st.just(["method.request.querystring.q"])},
    )
    return mock | http | function


def _is_first(given: dict[str, Any], key: str) -> bool:
    """Statuses are there once: of two answers with one, the first stays."""
    earlier = list(given)[: list(given).index(key)]
    return all(given[each]["statusCode"] != given[key]["statusCode"] for each in earlier)


def operations(guards: list[str], validators: list[str], models: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Operations that name what the document declares."""
    parameter = st.builds(
        lambda place, name, needed: {"in": place, "name": name, "required": needed, "schema": {"type": "string"}},
        st.sampled_from(["query", "header"]),
        names,
        st.booleans(),
    )
    body = st.sampled_from(models).map(
        lambda model: {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}}
    )
    header = {"schema": {"type": "string"}}
    answer = st.fixed_dictionaries(
        {"description": words}, optional={"headers": st.dictionaries(names, st.just(header), max_size=2)}
    )
    guard = st.sampled_from([*guards, ""]).map(lambda name: [{name: []}] if name else [])
    key = st.sampled_from([[], [{"api_key": []}]])
    return st.fixed_dictionaries(
        {
            "responses": st.dictionaries(statuses, answer, max_size=2),
            "security": st.builds(lambda a, b: [*a, *(each for each in b if each not in a)], guard, key),
            "x-amazon-apigateway-integration": integrations(),
        },
        optional={
            "operationId": names,
            "summary": words,
            "parameters": st.lists(parameter, max_size=3, unique_by=lambda each: (each["in"], each["name"])),
            "requestBody": body,
            "x-amazon-apigateway-request-validator": st.sampled_from(validators) if validators else st.nothing(),
        },
    )


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an OpenAPI 3.0 document."""
    guards = draw(schemes())
    flags = st.fixed_dictionaries({"validateRequestBody": st.booleans(), "validateRequestParameters": st.booleans()})
    validators = draw(st.dictionaries(names, flags, max_size=2))
    reference = {"$ref": "#/components/schemas/Item"}
    schema = st.sampled_from(
        [{"type": "object"}, {"type": "array", "items": reference}, {"properties": {"a": reference}}]
    )
    models = draw(st.dictionaries(names, schema, max_size=2)) | {"Item": {"type": "string", "description": "one"}}
    verbs = st.sampled_from(["get", "post", "delete", "x-amazon-apigateway-any-method"])
    one = operations(list(guards), list(validators), list(models))
    item = st.dictionaries(verbs, one, max_size=2)
    paths = draw(
        st.dictionaries(st.lists(names, max_size=3).map(lambda parts: "/" + "/".join(parts)), item, max_size=3)
    )
    parts = draw(st.dictionaries(names, words, max_size=2))
    responses = st.fixed_dictionaries(
        {"responseTemplates": st.just({"application/json": "{}"})},
        optional={
            "statusCode": st.sampled_from(["403", "418"]),
            "responseParameters": st.dictionaries(
                names.map(lambda name: f"gatewayresponse.header.{name}"), literals, max_size=2
            ),
        },
    )
    return {
        "openapi": "3.0.1",
        "info": {"title": "shop", "version": "1"},
        "paths": paths,
        "components": {"schemas": models, "securitySchemes": guards},
        VALIDATORS: validators,
        "x-amazon-apigateway-gateway-responses": draw(
            st.dictionaries(st.sampled_from(["DEFAULT_4XX", "THROTTLED", "UNAUTHORIZED"]), responses, max_size=2)
        ),
        "x-amazon-apigateway-binary-media-types": draw(st.lists(media_types, max_size=2, unique=True)),
        "x-amazon-apigateway-documentation": {
            "version": "1",
            "documentationParts": [
                {"location": {"type": "MODEL", "name": name}, "properties": {"description": said}}
                for name, said in parts.items()
            ],
        },
    }
