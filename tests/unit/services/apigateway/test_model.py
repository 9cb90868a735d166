from __future__ import annotations

import botocore.session
import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.apigateway import model
from gatepost.services.apigateway.deployment import ApiModel, GatewayResponse, Method, Resource, StageSettings
from gatepost.services.apigateway.model import Definition, DeploymentHead, RestApi, Stage, default_models

SHAPES = botocore.session.get_session().get_service_model("apigateway")
EXCEPTIONS = [
    each
    for each in vars(model).values()
    if isinstance(each, type) and issubclass(each, ServiceError) and each is not ServiceError
]


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_exceptions_have_the_code_and_status_of_the_service_model(exception: type[ServiceError]) -> None:
    shape = SHAPES.shape_for(exception.code)
    assert exception.__name__ == shape.name
    assert exception.status == shape.metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize(
    "value",
    [
        RestApi("a1", "shop", "r1", 5),
        RestApi(
            "a1",
            "shop",
            "r1",
            5,
            description="d",
            version="1",
            binary_media_types=("image/png",),
            minimum_compression_bytes=0,
            policy="{}",
            tags={"a": "b"},
            is_execute_api_endpoint_disabled=True,
        ),
        DeploymentHead("d1", "a1", 5, "about"),
        Stage("a1", StageSettings("prod", "d1", variables={"a": "1"}), 5, 6),
        Definition(
            resources={"r1": Resource("r1", "/", (Method("GET"),))},
            models={"Order": ApiModel("m1", "Order", "application/json", "{}")},
            gateway_responses={"THROTTLED": GatewayResponse("THROTTLED", "503")},
        ),
    ],
)
def test_records_come_back_from_json_as_they_were(value: object) -> None:
    assert type(value).from_json(value.to_json()) == value


def test_compression_from_the_first_byte_is_not_lost() -> None:
    assert RestApi("a", "n", "r", 1, minimum_compression_bytes=0).to_aws()["minimumCompressionSize"] == 0


def test_access_log_settings_are_shown_together() -> None:
    settings = StageSettings("prod", "d1", access_log_destination_arn="arn:x", access_log_format="f")
    assert Stage("a1", settings, 1, 1).to_aws()["accessLogSettings"] == {"destinationArn": "arn:x", "format": "f"}


def test_a_new_api_has_the_models_empty_and_error() -> None:
    models = default_models(lambda name: f"id-{name}")
    assert {name: each.id for name, each in models.items()} == {"Empty": "id-Empty", "Error": "id-Error"}
