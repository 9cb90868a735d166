from __future__ import annotations

from gatepost.services.apigateway.deployment import Authorizer, Deployment, Method, RequestValidator, Resource
from gatepost.services.apigateway.openapi_export_security import ExportedSecurity, request_validators


def a_deployment(*methods: Method, **more) -> Deployment:
    return Deployment("d", "a", "shop", "1", "r", "root", 0, resources=(Resource("root", "/", methods),), **more)


def test_names_of_authorizers_are_never_taken_by_iam_and_api_keys() -> None:
    signed, keyed = Method("GET", "AWS_IAM"), Method("PUT", api_key_required=True)
    taken = (Authorizer("1", "sigv4", "TOKEN"), Authorizer("2", "api_key", "TOKEN"))
    security = ExportedSecurity(a_deployment(signed, keyed, authorizers=taken))
    schemes = security.schemes(has_all=True)
    assert set(schemes) == {"sigv4", "api_key", "sigv4-2", "api_key-2"}
    assert security.of_method(signed, has_all=True) == [{"sigv4-2": []}]
    assert security.of_method(keyed, has_all=True) == [{"api_key-2": []}]


def test_without_amazons_extensions_api_keys_alone_are_left() -> None:
    method = Method("GET", "AWS_IAM", api_key_required=True)
    security = ExportedSecurity(a_deployment(method))
    assert set(security.schemes(has_all=False)) == {"api_key"}
    assert security.of_method(method, has_all=False) == [{"api_key": []}]


def test_an_authorizer_that_is_left_over_guards_nothing() -> None:
    method = Method("GET", "NONE", authorizer_id="1")
    security = ExportedSecurity(a_deployment(method, authorizers=(Authorizer("1", "old", "TOKEN"),)))
    assert security.of_method(method, has_all=True) == []


def test_validators_of_one_name_or_none_get_names_of_their_own() -> None:
    validators = (RequestValidator("1", "all"), RequestValidator("2", "all"), RequestValidator("3", ""))
    found = request_validators(a_deployment(request_validators=validators))
    assert {key: name for key, (name, _) in found.items()} == {"1": "all", "2": "all-2", "3": "3"}
