from __future__ import annotations

import re

import botocore.session
import pytest

from gatepost.kernel.operations import Access, operations_of
from gatepost.services.apigateway.access import PATHS, access_of
from gatepost.services.apigateway.provider import ApiGateway
from tests.support.rest_apis import a_call

MODEL = botocore.session.get_session().get_service_model("apigateway")
ARN = "arn:aws:apigateway:us-east-1::"


@pytest.mark.parametrize("operation", sorted(PATHS))
def test_verbs_and_paths_are_those_of_the_service_model(operation: str) -> None:
    model = MODEL.operation_model(operation)
    verb, template = PATHS[operation]
    assert verb == model.http["method"]
    uri_names = {
        shape.serialization["name"]: name
        for name, shape in (model.input_shape.members.items() if model.input_shape else ())
        if shape.serialization.get("location") == "uri"
    }
    uri = model.http["requestUri"].partition("?")[0]
    assert template == re.sub(r"\{(\w+)\}", lambda found: f"{{{uri_names[found[1]]}}}", uri)


def test_every_operation_has_its_path() -> None:
    assert set(operations_of(ApiGateway.__new__(ApiGateway))) == set(PATHS)


def test_an_operation_is_a_verb_on_a_path_with_its_ids() -> None:
    params = {"restApiId": "abc", "resourceId": "r1", "httpMethod": "GET", "authorizationType": "NONE"}
    assert access_of(a_call("PutMethod"), params) == [
        Access("apigateway:PUT", f"{ARN}/restapis/abc/resources/r1/methods/GET")
    ]


def test_creating_an_api_is_a_post_with_its_tags() -> None:
    (access,) = access_of(a_call("CreateRestApi"), {"name": "shop", "tags": {"Team": "a"}})
    assert access == Access(
        "apigateway:POST", f"{ARN}/restapis", {"aws:requesttag/team": "a", "aws:tagkeys": ("Team",)}
    )


def test_a_tagged_arn_stands_escaped_in_the_path() -> None:
    arn = "arn:aws:apigateway:us-east-1::/restapis/abc"
    (access,) = access_of(a_call("UntagResource"), {"resourceArn": arn, "tagKeys": ["a"]})
    assert access.resource == f"{ARN}/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabc"
    assert access.context == {"aws:tagkeys": ("a",)}


def test_an_id_cannot_reach_another_path() -> None:
    (access,) = access_of(a_call("GetRestApi"), {"restApiId": "a/stages/*"})
    assert access.resource == f"{ARN}/restapis/a%2Fstages%2F%2A"


ROLE = "arn:aws:iam::000000000000:role/caller"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        (
            "PutIntegration",
            {"restApiId": "a", "resourceId": "r", "httpMethod": "GET", "type": "AWS_PROXY", "credentials": ROLE},
        ),
        (
            "UpdateIntegration",
            {
                "restApiId": "a",
                "resourceId": "r",
                "httpMethod": "GET",
                "patchOperations": [{"op": "replace", "path": "/credentials", "value": ROLE}],
            },
        ),
        ("UpdateAccount", {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}]}),
    ],
)
def test_a_role_that_is_handed_over_must_be_passable(operation: str, params: dict) -> None:
    assert Access("iam:PassRole", ROLE, {"iam:passedtoservice": "apigateway.amazonaws.com"}) in access_of(
        a_call(operation), params
    )


@pytest.mark.parametrize(
    ("operation", "params", "path"),
    [
        ("CreateRestApi", {"name": "a", "policy": "{}"}, "/restapis"),
        ("UpdateRestApi", {"restApiId": "a", "patchOperations": [{"op": "replace", "path": "/policy"}]}, "/restapis/a"),
    ],
)
def test_a_resource_policy_needs_its_own_permission(operation: str, params: dict, path: str) -> None:
    actions = {each.action: each.resource for each in access_of(a_call(operation), params)}
    assert actions["apigateway:UpdateRestApiPolicy"] == f"{ARN}{path}"


def test_who_clones_an_api_has_to_be_let_at_its_source() -> None:
    touched = access_of(a_call("CreateRestApi"), {"name": "mine", "cloneFrom": "a/b"})
    assert [(each.action, each.resource) for each in touched] == [
        ("apigateway:POST", f"{ARN}/restapis"),
        ("apigateway:GET", f"{ARN}/restapis/a%2Fb"),
    ]
