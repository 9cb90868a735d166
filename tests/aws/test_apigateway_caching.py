"""boto3 against a running platform: a stage's cache, switched on, keyed, made anew and flushed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.platform import RunningPlatform, ask


def a_cached_api(platform: RunningPlatform, *patches: tuple[str, str]) -> tuple[Any, str, str]:
    """Build a MOCK whose answers differ, keyed by `page`, on a stage with a cache; give client, API id and URL."""
    apigateway = platform.client("apigateway")
    api = apigateway.create_rest_api(name="cached", endpointConfiguration={"types": ["REGIONAL"]})
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    page = "method.request.querystring.page"
    apigateway.put_method(**named, authorizationType="NONE", requestParameters={page: False})
    apigateway.put_method_response(**named, statusCode="200")
    apigateway.put_integration(
        **named,
        type="MOCK",
        requestTemplates={"application/json": '{"statusCode": 200}'},
        cacheKeyParameters=[page],
        cacheNamespace="pages",
    )
    apigateway.put_integration_response(
        **named, statusCode="200", responseTemplates={"application/json": "$context.requestId"}
    )
    apigateway.create_deployment(
        restApiId=api["id"], stageName="prod", cacheClusterEnabled=True, cacheClusterSize="0.5"
    )
    wanted = (("/*/*/caching/enabled", "true"), *patches)
    stage = apigateway.update_stage(
        restApiId=api["id"],
        stageName="prod",
        patchOperations=[{"op": "replace", "path": path, "value": value} for path, value in wanted],
    )
    assert stage["methodSettings"]["*/*"]["cachingEnabled"] is True
    assert (stage["cacheClusterStatus"], stage["cacheClusterSize"]) == ("AVAILABLE", "0.5")
    return apigateway, api["id"], platform.stage_url(api["id"], "prod") + "/"


def test_a_cached_answer_stays_until_its_stage_is_flushed(platform: RunningPlatform) -> None:
    apigateway, api_id, url = a_cached_api(platform)
    first = ask("GET", url + "?page=1").body
    assert ask("GET", url + "?page=1&other=x").body == first
    assert ask("GET", url + "?page=2").body != first
    apigateway.flush_stage_cache(restApiId=api_id, stageName="prod")
    assert ask("GET", url + "?page=1").body != first


@pytest.mark.parametrize(
    ("patch", "status", "is_new", "warns"),
    [
        (("/*/*/caching/requireAuthorizationForCacheControl", "false"), 200, True, False),
        (("/*/*/caching/requireAuthorizationForCacheControl", "true"), 200, False, True),
        (("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "SUCCEED_WITHOUT_RESPONSE_HEADER"), 200, False, False),
        (("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"), 403, True, False),
    ],
)
def test_a_client_asks_for_a_new_answer(
    platform: RunningPlatform, patch: tuple[str, str], status: int, is_new: bool, warns: bool
) -> None:
    _, _, url = a_cached_api(platform, patch)
    first = ask("GET", url).body
    answer = ask("GET", url, headers={"Cache-Control": "max-age=0"})
    assert (answer.status, answer.body != first, "Warning" in answer.headers) == (status, is_new, warns)


def test_a_time_to_live_of_nothing_and_a_cluster_switched_off_cache_nothing(platform: RunningPlatform) -> None:
    apigateway, api_id, url = a_cached_api(platform, ("/*/*/caching/ttlInSeconds", "0"))
    assert ask("GET", url).body != ask("GET", url).body
    patches = [
        {"op": "replace", "path": "/*/*/caching/ttlInSeconds", "value": "60"},
        {"op": "replace", "path": "/*/*/caching/dataEncrypted", "value": "true"},
    ]
    apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=patches)
    assert ask("GET", url).body == ask("GET", url).body
    patches = [{"op": "replace", "path": "/cacheClusterEnabled", "value": "false"}]
    apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=patches)
    assert ask("GET", url).body != ask("GET", url).body
