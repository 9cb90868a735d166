"""What a template may say to Gatepost alone: `Metadata: Gatepost:`, keyed by logical id. CloudFormation ignores it.

    Metadata:
      Gatepost:
        ShopApi:
          Try:
            - { Title: Find coffee, Path: "/products?category=coffee" }
          RateLimitHeaders: true
          AddressThrottle: { RateLimit: 10, BurstLimit: 20 }
          CollapseCacheMisses: true

`RateLimitHeaders` (`RateLimit-*` and `Retry-After` on answers), `AddressThrottle` (what an address may send without
credentials) and `CollapseCacheMisses` (one integration call for simultaneous misses of the stage's cache) belong to a
stage, or to the SAM API whose stage it is; they become tags of the stage (`services/apigateway/stage_extensions.py`).
What is written there is checked like everything else: an unknown key fails the deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.services.apigateway.stage_extensions import (
    ADDRESS_THROTTLE,
    COLLAPSE_CACHE_MISSES,
    RATE_LIMIT_HEADERS,
    stage_extensions,
)
from gatepost.templates.problems import Path

TRY_MAX: Final = 20
TRY_KEYS: Final = ("Title", "Method", "Path", "Body")
STAGE_TYPES: Final = ("AWS::Serverless::Api", "AWS::ApiGateway::Stage")
TRY_TYPES: Final = ("AWS::Serverless::Api", "AWS::ApiGateway::RestApi")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class RequestToTry:
    """A request that a person is shown as a line to paste once an API runs."""

    logical_id: str
    title: str
    method: str
    path: str
    body: str = ""


def requests_to_try(raw: Mapping[str, Any]) -> list[RequestToTry]:
    """Give what a checked template names under `Try`."""
    return [
        RequestToTry(logical_id, item["Title"], item.get("Method", "GET"), item["Path"], item.get("Body", ""))
        for logical_id, keys in _declared(raw)
        for item in keys.get("Try", [])
    ]


def _declared(raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    metadata = raw.get("Metadata")
    declared = metadata.get("Gatepost") if isinstance(metadata, dict) else None
    for logical_id, keys in declared.items() if isinstance(declared, dict) else ():
        if isinstance(keys, dict):
            yield str(logical_id), keys


def extension_faults(declared: Any, resource_types: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Give (path below Gatepost, sentence) for everything that is wrong. `resource_types` are the author's."""
    if declared is None:
        return
    if not isinstance(declared, dict):
        yield (), "Gatepost takes a mapping of logical ids"
        return
    for logical_id, keys in declared.items():
        path: Path = (logical_id,)
        type_name = resource_types.get(logical_id)
        if type_name is None:
            yield path, f"there is no resource {logical_id} to extend"
        elif not isinstance(keys, dict):
            yield path, f"{logical_id} takes a mapping of extensions: {', '.join(EXTENSIONS)}"
        else:
            yield from _keys(keys, type_name, path)


def _keys(keys: Mapping[str, Any], type_name: str, path: Path) -> Iterator[tuple[Path, str]]:
    for key, value in keys.items():
        check = EXTENSIONS.get(key)
        if check is None:
            yield (*path, key), f"{key!r} is no extension of Gatepost: use one of {', '.join(EXTENSIONS)}"
        else:
            for inner, sentence in check(value, type_name):
                yield (*path, key, *inner), sentence


def _try(value: Any, type_name: str) -> Iterator[tuple[Path, str]]:
    if type_name not in TRY_TYPES:
        yield (), f"Try belongs to an API, not to {type_name}"
        return
    if not isinstance(value, list) or len(value) > TRY_MAX:
        yield (), f"Try takes a list of at most {TRY_MAX} requests"
        return
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            yield (index,), f"a request is a mapping of {', '.join(TRY_KEYS)}"
            continue
        for key, text in item.items():
            if key not in TRY_KEYS:
                yield (index, key), f"{key!r} is no part of a request: use {', '.join(TRY_KEYS)}"
            elif not isinstance(text, str):
                yield (index, key), f"{key} takes a text"
        if not isinstance(item.get("Title"), str) or not str(item.get("Path", "")).startswith("/"):
            yield (index,), "a request needs a Title, and a Path that begins with /"
        if item.get("Method", "GET") not in METHODS:
            yield (index, "Method"), f"Method is {item.get('Method')!r}: use one of {', '.join(METHODS)}"


def _rate_limit_headers(value: Any, type_name: str) -> Iterator[tuple[Path, str]]:
    if type_name not in STAGE_TYPES:
        yield (), f"RateLimitHeaders belongs to a stage or a SAM API, not to {type_name}"
    elif not isinstance(value, bool):
        yield (), "RateLimitHeaders is true or false"


def _collapse_cache_misses(value: Any, type_name: str) -> Iterator[tuple[Path, str]]:
    if type_name not in STAGE_TYPES:
        yield (), f"CollapseCacheMisses belongs to a stage or a SAM API, not to {type_name}"
    elif not isinstance(value, bool):
        yield (), "CollapseCacheMisses is true or false"


def _address_throttle(value: Any, type_name: str) -> Iterator[tuple[Path, str]]:
    if type_name not in STAGE_TYPES:
        yield (), f"AddressThrottle belongs to a stage or a SAM API, not to {type_name}"
        return
    if not isinstance(value, dict) or set(value) != {"RateLimit", "BurstLimit"}:
        yield (), "AddressThrottle takes RateLimit and BurstLimit"
        return
    try:
        stage_extensions({ADDRESS_THROTTLE: f"{value['RateLimit']}/{value['BurstLimit']}"})
    except ValueError as error:
        yield (), str(error)


def with_stage_tags(raw: Mapping[str, Any], owner_of: Callable[[str], str]) -> Mapping[str, Any]:
    """Give a checked template in which stages have their extensions as tags.

    `owner_of` gives the resource of the author's that a resource comes from: a SAM API for its stage.
    """
    declared = {name: tags for name, keys in _declared(raw) if (tags := _stage_tags(keys))}
    if not declared or not isinstance(raw.get("Resources"), dict):
        return raw
    resources = dict(raw["Resources"])
    for name, resource in raw["Resources"].items():
        own = declared.get(name) or declared.get(owner_of(name))
        if own and isinstance(resource, dict) and resource.get("Type") == "AWS::ApiGateway::Stage":
            properties = dict(resource.get("Properties") or {})
            properties["Tags"] = [*(properties.get("Tags") or []), *own]
            resources[name] = {**resource, "Properties": properties}
    return {**raw, "Resources": resources}


def _stage_tags(keys: Mapping[str, Any]) -> list[dict[str, str]]:
    tags = []
    throttle = keys.get("AddressThrottle")
    if isinstance(throttle, dict):
        value = f"{throttle.get('RateLimit')}/{throttle.get('BurstLimit')}"
        tags.append({"Key": ADDRESS_THROTTLE, "Value": value})
    if keys.get("RateLimitHeaders") is True:
        tags.append({"Key": RATE_LIMIT_HEADERS, "Value": "true"})
    if keys.get("CollapseCacheMisses") is True:
        tags.append({"Key": COLLAPSE_CACHE_MISSES, "Value": "true"})
    return tags


EXTENSIONS: Final[Mapping[str, Callable[[Any, str], Iterator[tuple[Path, str]]]]] = {
    "Try": _try,
    "RateLimitHeaders": _rate_limit_headers,
    "AddressThrottle": _address_throttle,
    "CollapseCacheMisses": _collapse_cache_misses,
}
