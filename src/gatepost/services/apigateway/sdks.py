"""Client code for a stage: the kinds that AWS makes, and that none is made here.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_GetSdkTypes.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.model import NotFoundException
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.support import UnsupportedSetting


def _property(name: str, friendly: str, description: str, *, default: str = "") -> dict[str, Any]:
    shape: dict[str, Any] = {"name": name, "friendlyName": friendly, "description": description, "required": True}
    return shape | ({"defaultValue": default} if default else {})


_PREFIX: Final = _property("classPrefix", "Prefix", "Prefix for the generated classes.")
# Id -> AWS's name, and what it asks for beside the stage.
TYPES: Final[Mapping[str, tuple[str, tuple[dict[str, Any], ...]]]] = {
    "android": (
        "Android",
        (
            _property("groupId", "Group Id", "Group id of the generated Maven project."),
            _property("artifactId", "Artifact Id", "Artifact id of the generated Maven project."),
            _property("artifactVersion", "Artifact Version", "Version of the generated Maven project."),
            _property("invokerPackage", "Invoker Package", "Package of the generated API client."),
        ),
    ),
    "java": (
        "Java SDK",
        (
            _property("service.name", "Service Name", "Name of the service, which starts the name of its classes."),
            _property("java.package-name", "Java Package Name", "Package of the generated code."),
            _property("java.build-system", "Java Build System", "Build system of the project.", default="maven"),
            _property("java.group-id", "Java Group Id", "Group id of the generated project."),
            _property("java.artifact-id", "Java Artifact Id", "Artifact id of the generated project."),
            _property("java.artifact-version", "Java Artifact Version", "Version of the generated project."),
        ),
    ),
    "javascript": ("JavaScript", ()),
    "objectivec": ("iOS (Objective-C)", (_PREFIX,)),
    "ruby": ("Ruby", (_property("service.name", "Service Name", "Name of the service."),)),
    "swift": ("iOS (Swift)", (_PREFIX,)),
}


class Sdks:
    """The operations on client code."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    def types(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of the kinds. Raises: BadRequestException."""
        page, position = paged({name: _to_aws(name) for name in TYPES}, params)
        answer: dict[str, Any] = {"items": page}
        return answer | position

    def type(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give one kind. Raises: NotFoundException."""
        if params["id"] not in TYPES:
            raise NotFoundException(f"Invalid SDK type identifier specified: {params['id']}")
        return _to_aws(params["id"])

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Refuse: client code is generated from an export by tools that are made for it.

        Raises: NotFoundException for a stage or kind that does not exist, BadRequestException.
        """
        await self._records.api(call, params["restApiId"])
        await self._records.stage(call, params["restApiId"], params["stageName"])
        self.type({"id": params["sdkType"]})
        given = sorted(params.get("parameters", {}))
        raise UnsupportedSetting(
            f"Gatepost does not generate {params['sdkType']} client code{f' ({given[0]}, …)' if given else ''}: export "
            "the stage with GetExport and give the document to a generator such as openapi-generator"
        )


def _to_aws(name: str) -> dict[str, Any]:
    friendly, properties = TYPES[name]
    shape: dict[str, Any] = {"id": name, "friendlyName": friendly, "description": f"Client code for {friendly}"}
    return shape | ({"configurationProperties": [dict(each) for each in properties]} if properties else {})
