"""Function URLs by operations. The gateway serves them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.ids import stable_id
from gatepost.kernel.operations import Call
from gatepost.services.lambda_.catalogue import Catalogue, Target
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.model import (
    FUNCTION_URL,
    FunctionUrl,
    ResourceConflictException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.shelf import Shelf

Params = Mapping[str, Any]
Answer = dict[str, Any]

URL_ID_CHARACTERS: Final = 32


class FunctionUrls:
    """CreateFunctionUrlConfig and its like.

    A URL's id is derived from the names, so that it survives redeployment. `suffix` is the gateway's `localhost:port`.
    """

    def __init__(self, catalogue: Catalogue, clock: Clock, *, suffix: str) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._suffix = suffix
        self._urls: Shelf[FunctionUrl] = Shelf(FUNCTION_URL, FunctionUrl.from_json, topic=FUNCTION_URL)
        catalogue.owns(self._urls)

    async def create(self, call: Call, params: Params) -> Answer:
        """Give a function or an alias an address. Raises: ResourceConflictException, InvalidParameterValueException."""
        target = self._target(call, params)
        if self._urls.find(target.arn) is not None:
            raise ResourceConflictException(
                f"Failed to create function url config for [functionArn = {target.arn}]. Error message:  "
                "FunctionUrlConfig exists for this Lambda function",
                members={"Type": "User"},
            )
        now_ms = self._clock.now_ms()
        url = FunctionUrl(
            arn=target.arn,
            url_id=stable_id("lambda-url", *target.arn.split(":")[3:], length=URL_ID_CHARACTERS),
            auth_type=params["AuthType"],
            created_at_ms=now_ms,
            modified_at_ms=now_ms,
            cors=_cors(params),
            invoke_mode=params.get("InvokeMode") or "BUFFERED",
        )
        await self._catalogue.commit(self._urls.adding(url))
        answer = self._to_aws(url)
        del answer["LastModifiedTime"]
        return answer

    async def update(self, call: Call, params: Params) -> Answer:
        """Change who may use an address and how; what is not given stays. Raises: ResourceNotFoundException."""
        url = self._find(call, params)
        changed = replace(
            url,
            auth_type=params.get("AuthType", url.auth_type),
            cors=_cors(params) if "Cors" in params else url.cors,
            invoke_mode=params.get("InvokeMode") or url.invoke_mode,
            modified_at_ms=self._clock.now_ms(),
        )
        await self._catalogue.commit(self._urls.replacing(url, changed))
        return self._to_aws(changed)

    def get(self, call: Call, params: Params) -> Answer:
        """Describe an address. Raises: ResourceNotFoundException."""
        return self._to_aws(self._find(call, params))

    async def delete(self, call: Call, params: Params) -> None:
        """Take an address away. Raises: ResourceNotFoundException."""
        await self._catalogue.commit(self._urls.deleting(self._find(call, params)))

    def list(self, call: Call, params: Params) -> Answer:
        """Give the addresses of a function and its aliases."""
        function = self._catalogue.named(call, params["FunctionName"])
        found = sorted(self._urls.of_function(function.arn), key=lambda one: one.arn)
        chosen, marker = page(found, params, lambda one: one.arn)
        return {"FunctionUrlConfigs": [self._to_aws(one) for one in chosen], **marker}

    def _target(self, call: Call, params: Params) -> Target:
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        if target.qualifier and target.alias is None:
            raise bad(f"{target.qualifier} is no alias: a function URL is for a function ($LATEST) or for an alias")
        return target

    def _find(self, call: Call, params: Params) -> FunctionUrl:
        found = self._urls.find(self._target(call, params).arn)
        if found is None:
            raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})
        return found

    def _to_aws(self, url: FunctionUrl) -> Answer:
        answer: Answer = {
            "FunctionUrl": f"http://{url.url_id}.lambda-url.{url.region}.{self._suffix}/",
            "FunctionArn": url.arn,
            "AuthType": url.auth_type,
            "InvokeMode": url.invoke_mode,
            "CreationTime": iso_8601(url.created_at_ms),
            "LastModifiedTime": iso_8601(url.modified_at_ms),
        }
        if url.cors:
            answer["Cors"] = dict(url.cors)
        return answer


def _cors(params: Params) -> dict[str, Any]:
    cors = {name: value for name, value in (params.get("Cors") or {}).items() if value not in (None, [], "")}
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", ()):
        raise bad("Cors: AllowCredentials cannot be used with AllowOrigins *: name the origins")
    return cors
