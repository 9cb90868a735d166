"""The API that every gateway serves in the HTTP suite: forty routes, half answered at once, half proxied."""

from __future__ import annotations

import json
from typing import Any, Final

STAGE: Final = "prod"
SHOPS: Final = 20  # routes of each kind
ITEMS: Final = 50  # different ids in the requests for each route
BODY: Final = json.dumps(
    {
        "product": "walnut serving board",
        "price": "39.90",
        "currency": "EUR",
        "stock": 17,
        "vendor": "northwind",
        "tags": ["kitchen", "oak", "handmade"],
        "rating": 4.6,
        "delivery": {"days": 2, "express": True},
    }
)


def mock_path(shop: int) -> str:
    """Give a MOCK route's path before the id."""
    return f"/shop{shop}/items/"


def proxy_path(shop: int) -> str:
    """Give an HTTP_PROXY route's path before the id."""
    return f"/vendor{shop}/items/"


def request_paths(kind: str) -> list[str]:
    """Give the paths that the load asks for, every route in turn."""
    path = mock_path if kind == "mock" else proxy_path
    return [f"/{STAGE}{path(shop)}{item:04d}" for item in range(ITEMS) for shop in range(SHOPS)]


def openapi_document(upstream_port: int) -> dict[str, Any]:
    """Give the API as OpenAPI with API Gateway's extensions."""
    paths: dict[str, Any] = {}
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    for shop in range(SHOPS):
        paths[mock_path(shop) + "{id}"] = {
            "get": {
                "parameters": parameters,
                "responses": {"200": {"description": "an item"}},
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "requestTemplates": {"application/json": '{"statusCode": 200}'},
                    "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": BODY}}},
                },
            }
        }
        paths[proxy_path(shop) + "{id}"] = {
            "get": {
                "parameters": parameters,
                "responses": {"200": {"description": "an item"}},
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy",
                    "httpMethod": "GET",
                    "uri": f"http://127.0.0.1:{upstream_port}{proxy_path(shop)}{{id}}",
                    "requestParameters": {"integration.request.path.id": "method.request.path.id"},
                },
            }
        }
    return {"openapi": "3.0.1", "info": {"title": "forty-routes", "version": "1"}, "paths": paths}
