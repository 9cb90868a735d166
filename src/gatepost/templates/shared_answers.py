"""A warning where callers who have shown who they are would get each other's answers from a stage's cache.

AWS caches by the cache key parameters alone: whoever is authorised gets what the first caller was answered. That is
enforced as it is on AWS, and said aloud.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatepost.templates.document import ActiveResource, Whereabouts
from gatepost.templates.ledger import Finding

TRUE: Final = (True, "true")
TELLING: Final = ("method.request.header.", "context.authorizer", "context.identity")
API_KEYS: Final = frozenset({"api_key"})  # the name under which SAM and AWS's exports declare API keys


def shared_answers(resources: Mapping[str, ActiveResource], where: Whereabouts) -> Iterator[Finding]:
    """Give a finding for each guarded operation of an OpenAPI body whose cached answers its callers would share."""
    cached = [setting for resource in resources.values() for setting in _cached(resource)]
    for name, resource in resources.items() if cached else ():
        body = resource.properties.get("Body") if resource.declaration.type == "AWS::ApiGateway::RestApi" else None
        paths = body.get("paths") if isinstance(body, dict) else None
        for path, verb, operation in _operations(paths):
            if _is_cached(path, verb, cached) and _is_guarded(operation) and not _tells_callers_apart(operation):
                sentence = (
                    f"callers of {verb} {path} share its cached answers, as on AWS: name what tells them apart "
                    f"in cacheKeyParameters, such as method.request.header.Authorization"
                )
                yield Finding("enforced", where.problem(("Resources", name), sentence), warns=True)


def _cached(resource: ActiveResource) -> Iterator[tuple[str, str]]:
    """Give path and verb of the method settings of a stage that cache."""
    properties = resource.properties
    if resource.declaration.type != "AWS::ApiGateway::Stage" or properties.get("CacheClusterEnabled") not in TRUE:
        return
    settings = properties.get("MethodSettings")
    for setting in settings if isinstance(settings, list) else ():
        if isinstance(setting, dict) and setting.get("CachingEnabled") in TRUE:
            yield str(setting.get("ResourcePath", "")), str(setting.get("HttpMethod", ""))


def _operations(paths: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for verb, operation in item.items() if isinstance(item, dict) else ():
            if isinstance(operation, dict):
                yield str(path), "ANY" if verb == "x-amazon-apigateway-any-method" else str(verb).upper(), operation


def _is_cached(path: str, verb: str, cached: list[tuple[str, str]]) -> bool:
    """Say whether an operation is cached: settings of all methods count for GET only."""
    if (path, verb) in cached:
        return True
    return verb in {"GET", "ANY"} and any(place in {"/*", "*"} and each in {"*", "GET"} for place, each in cached)


def _is_guarded(operation: Mapping[str, Any]) -> bool:
    security = operation.get("security")
    items = security if isinstance(security, list) else []
    return any(name not in API_KEYS for item in items if isinstance(item, dict) for name in item)


def _tells_callers_apart(operation: Mapping[str, Any]) -> bool:
    integration = operation.get("x-amazon-apigateway-integration")
    if not isinstance(integration, dict):
        return False
    keys, mapped = integration.get("cacheKeyParameters"), integration.get("requestParameters")
    sources = mapped if isinstance(mapped, dict) else {}
    return any(str(sources.get(key, key)).startswith(TELLING) for key in (keys if isinstance(keys, list) else ()))
