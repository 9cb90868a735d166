"""Paths find the operation that the model means, labels decoded."""

from __future__ import annotations

import pytest

from gatepost.awsapi.protocols.uri_templates import UriRouter
from gatepost.awsapi.shapes import ServiceModels

ROUTER = UriRouter(
    {
        "List": ("GET", "/things"),
        "Import": ("POST", "/things?mode=import"),
        "Create": ("POST", "/things"),
        "Get": ("GET", "/things/{Id}"),
        "Default": ("GET", "/things/default"),
        "GetPart": ("GET", "/things/{Id}/parts/{Part}"),
        "GetKey": ("GET", "/keys/{Key+}"),
        "GetKeyTags": ("GET", "/keys/{Key+}/tags"),
    }
)


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/things", "", ("List", {})),
        ("GET", "/things/", "", ("List", {})),
        ("GET", "/things", "limit=1", ("List", {})),
        ("POST", "/things", "mode=import&x=y", ("Import", {})),
        ("POST", "/things", "mode=other", ("Create", {})),
        ("GET", "/things/default", "", ("Default", {})),
        ("GET", "/things/a%2Fb%20c", "", ("Get", {"Id": "a/b c"})),
        ("GET", "/things/default/parts/1", "", ("GetPart", {"Id": "default", "Part": "1"})),
        ("GET", "/keys/a/b/c", "", ("GetKey", {"Key": "a/b/c"})),
        ("GET", "/keys/a/b/tags", "", ("GetKeyTags", {"Key": "a/b"})),
        ("GET", "/keys/tags", "", ("GetKey", {"Key": "tags"})),
    ],
)
def test_a_path_means_an_operation(method: str, path: str, query: str, expected: object) -> None:
    assert ROUTER.find(method, path, query) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/things"),
        ("GET", "/"),
        ("GET", "/thing"),
        ("GET", "/things//parts/1"),
        ("GET", "/things/a/b"),
        ("GET", "/keys/"),
    ],
)
def test_other_paths_mean_nothing(method: str, path: str) -> None:
    assert ROUTER.find(method, path, "") is None


def test_a_path_of_thousands_of_segments_is_refused_at_once() -> None:
    assert ROUTER.find("GET", "/keys" + "/a" * 100_000, "") is None


@pytest.mark.parametrize("service", ["apigateway", "lambda"])
def test_every_operation_of_a_model_is_found_by_its_own_path(service: str) -> None:
    model = ServiceModels().get(service)
    assert model is not None
    uris = {name: (raw["http"]["method"], raw["http"]["requestUri"]) for name, raw in model.operations.items()}
    router = UriRouter(uris)
    for name, (method, uri) in uris.items():
        path, _, query = uri.partition("?")
        match = router.find(method, path.replace("{", "%7B").replace("}", "%7D"), query)
        assert match is not None
        assert match.operation == name
