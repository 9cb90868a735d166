"""Our errors are AWS's: every ServiceError of a service has the code and status that botocore's model gives it."""

from __future__ import annotations

import gzip
import importlib.util
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import botocore
import pytest

import gatepost.services
from gatepost.awsapi.shapes import ServiceModels
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import MARK

# What AWS's services answer and no model lists.
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
COMMON = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidParameterValue",
    "Throttling",
    "ThrottlingException",
    "ValidationError",
    "ValidationException",
}
FOLDERS = {"lambda_": "lambda", "cognito_idp": "cognito-idp", "cognito_identity": "cognito-identity"}


def service_errors() -> list[Any]:
    found = []
    for folder in pkgutil.iter_modules(gatepost.services.__path__):
        if not folder.ispkg:
            continue
        package = f"gatepost.services.{folder.name}"
        for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
            if module_info.ispkg:
                continue
            module = importlib.import_module(f"{package}.{module_info.name}")
            for name, kind in inspect.getmembers(module, inspect.isclass):
                if issubclass(kind, ServiceError) and kind.__module__ == module.__name__:
                    service = FOLDERS.get(folder.name, folder.name)
                    found.append(pytest.param(service, kind, id=f"{service}.{name}"))
    return found


def providers() -> list[Any]:
    found = []
    for folder in pkgutil.iter_modules(gatepost.services.__path__):
        package = f"gatepost.services.{folder.name}"
        if folder.ispkg and importlib.util.find_spec(f"{package}.provider") is not None:
            module = importlib.import_module(f"{package}.provider")
            for name, kind in inspect.getmembers(module, inspect.isclass):
                if kind.__module__ == module.__name__ and isinstance(getattr(kind, "service", None), str):
                    found.append(pytest.param(kind, id=f"{kind.service}.{name}"))
    return found


@pytest.mark.parametrize("kind", providers())
def test_every_operation_of_a_provider_is_one_of_awss(kind: Any) -> None:
    names = {
        mark.name for attribute in dir(kind) if (mark := getattr(getattr(kind, attribute), MARK, None)) is not None
    }
    model = ServiceModels().get(kind.service)
    assert model is not None
    assert names
    assert names - set(model.operations) == set()


def exceptions_of(service: str) -> dict[str, tuple[str, int]]:
    """Give status by wire code from botocore's own file."""
    versions = sorted((Path(botocore.__file__).parent / "data" / service).iterdir())
    model = json.loads(gzip.decompress((versions[-1] / "service-2.json.gz").read_bytes()))
    found = {}
    for name, shape in model["shapes"].items():
        if shape.get("exception"):
            error = shape.get("error", {})
            code = error.get("code", name)
            found[code] = (name, error.get("httpStatusCode", 500 if shape.get("fault") else 400))
    return found


@pytest.mark.parametrize(("service", "kind"), service_errors())
def test_code_and_status_are_the_models(service: str, kind: type[ServiceError]) -> None:
    modelled = exceptions_of(service)
    if kind.code not in modelled:
        assert kind.code in COMMON, f"{service} has no exception with the code {kind.code}: {sorted(modelled)}"
        return
    assert kind.status == modelled[kind.code][1]


def test_our_models_are_those_of_the_installed_botocore() -> None:
    index = json.loads((Path(gatepost.services.__file__).parent.parent / "awsapi/models/index.json").read_bytes())
    for service, metadata in index["services"].items():
        versions = sorted((Path(botocore.__file__).parent / "data" / service).iterdir())
        assert metadata["apiVersion"] == versions[-1].name, f"run tools/refresh_models {service}"
