from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.services.apigateway import deployment as shapes
from gatepost.services.apigateway.deployment import (
    ApiModel,
    Authorizer,
    CanarySettings,
    Deployment,
    GatewayResponse,
    Integration,
    IntegrationResponse,
    Method,
    MethodResponse,
    RequestValidator,
    Resource,
    StageSettings,
    deployment_from_json,
    deployment_to_json,
    stage_from_json,
    stage_to_json,
)

texts = st.text(max_size=6)
maps = st.dictionaries(texts, texts, max_size=2)
small = st.integers(0, 3_600)
flags = st.dictionaries(texts, st.booleans(), max_size=2)
tuples = st.lists(texts, max_size=2).map(tuple)
integration_responses = st.builds(IntegrationResponse, texts, texts, maps, maps, texts)
integrations = st.builds(
    Integration,
    type=texts,
    http_method=texts,
    uri=texts,
    credentials_arn=texts,
    request_parameters=maps,
    request_templates=maps,
    passthrough_behavior=texts,
    timeout_ms=st.integers(50, 29_000),
    cache_key_parameters=tuples,
    is_tls_verification_skipped=st.booleans(),
    responses=st.lists(integration_responses, max_size=2).map(tuple),
)
methods = st.builds(
    Method,
    http_method=texts,
    authorization_type=st.sampled_from(["NONE", "AWS_IAM"]),
    authorization_scopes=tuples,
    api_key_required=st.booleans(),
    request_parameters=flags,
    integration=st.none() | integrations,
    responses=st.lists(st.builds(MethodResponse, texts, flags, maps), max_size=2).map(tuple),
)
deployments = st.builds(
    Deployment,
    id=texts,
    api_id=texts,
    api_name=texts,
    account_id=texts,
    region=texts,
    root_resource_id=texts,
    created_at_ms=st.integers(0, 2**53),
    description=texts,
    endpoint_types=tuples,
    is_execute_api_endpoint_disabled=st.booleans(),
    binary_media_types=tuples,
    minimum_compression_bytes=st.none() | st.integers(0, 10),
    resource_policy=texts,
    resources=st.lists(st.builds(Resource, texts, texts, st.lists(methods, max_size=2).map(tuple)), max_size=2).map(
        tuple
    ),
    gateway_responses=st.lists(st.builds(GatewayResponse, texts, texts, maps, maps), max_size=2).map(tuple),
    request_validators=st.lists(
        st.builds(RequestValidator, texts, texts, st.booleans(), st.booleans()), max_size=2
    ).map(tuple),
    authorizers=st.lists(
        st.builds(Authorizer, texts, texts, texts, tuples, texts, texts, identity_source=texts, result_ttl_s=small),
        max_size=2,
    ).map(tuple),
    models=st.lists(st.builds(ApiModel, texts, texts, texts, texts, texts), max_size=2).map(tuple),
)
settings = st.dictionaries(texts, st.booleans() | st.integers(0, 9) | texts, max_size=2)
stages = st.builds(
    StageSettings,
    stage_name=texts,
    deployment_id=texts,
    variables=maps,
    method_settings=st.dictionaries(texts, settings, max_size=2),
    access_log_format=texts,
    is_tracing_enabled=st.booleans(),
    tags=maps,
    canary=st.none() | st.builds(CanarySettings, texts, st.floats(0, 100), maps, st.booleans()),
    is_cache_cluster_enabled=st.booleans(),
    cache_flushes=small,
)


@given(deployments)
def test_a_deployment_comes_back_from_json_as_it_was(deployment: Deployment) -> None:
    assert deployment_from_json(json.loads(json.dumps(deployment_to_json(deployment)))) == deployment


@given(stages)
def test_a_stage_comes_back_from_json_as_it_was(stage: StageSettings) -> None:
    assert stage_from_json(json.loads(json.dumps(stage_to_json(stage)))) == stage


def test_fields_that_an_older_version_did_not_write_get_their_default() -> None:
    needed = {
        "id": "d1",
        "api_id": "a1",
        "api_name": "shop",
        "account_id": "1",
        "region": "r",
        "root_resource_id": "x",
        "created_at_ms": 1,
        "resources": [{"id": "x", "path": "/", "methods": [{"http_method": "GET", "integration": {"type": "MOCK"}}]}],
    }
    deployment = deployment_from_json(needed)
    assert deployment.endpoint_types == ("EDGE",)
    assert deployment.resources[0].methods[0].integration == Integration("MOCK")
    assert stage_from_json({"stage_name": "prod", "deployment_id": "d1"}) == StageSettings("prod", "d1")


def test_fields_that_a_newer_version_wrote_are_passed_over() -> None:
    assert stage_from_json({"stage_name": "prod", "deployment_id": "d1", "colour": "red"}).stage_name == "prod"


def test_what_holds_its_default_is_not_written() -> None:
    assert stage_to_json(StageSettings("prod", "d1")) == {"stage_name": "prod", "deployment_id": "d1"}


@pytest.mark.parametrize(
    "shape", [each for each in vars(shapes).values() if isinstance(each, type) and is_dataclass(each)]
)
def test_the_defaults_never_change_for_they_are_part_of_the_stored_format(shape: type) -> None:
    defaults = {each.name: each.default for each in fields(shape) if each.default is not MISSING}
    expected = {
        "IntegrationResponse": {"selection_pattern": "", "content_handling": ""},
        "Integration": {
            "http_method": "",
            "uri": "",
            "credentials_arn": "",
            "connection_type": "",
            "connection_id": "",
            "passthrough_behavior": "WHEN_NO_MATCH",
            "content_handling": "",
            "timeout_ms": 29_000,
            "cache_namespace": "",
            "cache_key_parameters": (),
            "is_tls_verification_skipped": False,
            "response_transfer_mode": "BUFFERED",
            "responses": (),
        },
        "MethodResponse": {},
        "Method": {
            "authorization_type": "NONE",
            "authorizer_id": "",
            "authorization_scopes": (),
            "api_key_required": False,
            "operation_name": "",
            "request_validator_id": "",
            "integration": None,
            "responses": (),
        },
        "Resource": {"methods": ()},
        "GatewayResponse": {"status_code": ""},
        "Deployment": {
            "description": "",
            "endpoint_types": ("EDGE",),
            "is_execute_api_endpoint_disabled": False,
            "api_key_source": "HEADER",
            "binary_media_types": (),
            "minimum_compression_bytes": None,
            "resource_policy": "",
            "resources": (),
            "gateway_responses": (),
            "request_validators": (),
            "authorizers": (),
            "models": (),
        },
        "RequestValidator": {"validates_body": False, "validates_parameters": False},
        "Authorizer": {
            "provider_arns": (),
            "auth_type": "",
            "uri": "",
            "credentials_arn": "",
            "identity_source": "",
            "identity_validation_expression": "",
            "result_ttl_s": 300,
        },
        "ApiModel": {"schema": "", "description": ""},
        "CanarySettings": {"percent_traffic": 0.0, "uses_stage_cache": False},
        "StageSettings": {
            "access_log_destination_arn": "",
            "access_log_format": "",
            "is_tracing_enabled": False,
            "description": "",
            "canary": None,
            "is_cache_cluster_enabled": False,
            "cache_cluster_size": "",
            "client_certificate_id": "",
            "documentation_version": "",
            "cache_flushes": 0,
            "authorizer_cache_flushes": 0,
        },
    }[shape.__name__]
    assert {name: value for name, value in defaults.items() if name in expected} == expected
