"""What is written about an API: parts, each about one entity, and versions, the frozen sets of them that stages name.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_DocumentationPartLocation.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.limits import API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX
from gatepost.services.apigateway.model import BadRequestException, LimitExceededException

DOCUMENTATION: Final = "apigateway.documentation"
DOCUMENTATION_VERSION: Final = "apigateway.documentation_version"

PROPERTIES_BYTES_MAX: Final = 64 * 1024  # of one part: a bound of ours
_FIELDS: Final = ("path", "method", "statusCode", "name")
_DEFAULTS: Final = {"path": "/", "method": "*", "statusCode": "*"}
# Type -> the fields that a location of it has beside its type.
FIELDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "API": (),
    "AUTHORIZER": ("name",),
    "MODEL": ("name",),
    "RESOURCE": ("path",),
    "METHOD": ("path", "method"),
    "PATH_PARAMETER": ("path", "method", "name"),
    "QUERY_PARAMETER": ("path", "method", "name"),
    "REQUEST_HEADER": ("path", "method", "name"),
    "REQUEST_BODY": ("path", "method", "name"),
    "RESPONSE": ("path", "method", "statusCode"),
    "RESPONSE_HEADER": ("path", "method", "statusCode", "name"),
    "RESPONSE_BODY": ("path", "method", "statusCode"),
}
# A request body may go without its name: AWS's own exports leave it out (unverified).
_NAME_OPTIONAL: Final = frozenset({"REQUEST_BODY"})


@dataclass(frozen=True, slots=True)
class Location:
    """Which entity a part is about. Fields that its type does not have are empty."""

    type: str
    path: str = ""
    method: str = ""
    status_code: str = ""
    name: str = ""

    def to_aws(self) -> dict[str, str]:
        """Give the shape DocumentationPartLocation."""
        values = ("type", self.type), *zip(_FIELDS, (self.path, self.method, self.status_code, self.name), strict=True)
        return {name: value for name, value in values if value}

    def __str__(self) -> str:
        return ", ".join(f"{name} '{value}'" for name, value in self.to_aws().items())


@dataclass(frozen=True, slots=True)
class DocumentationPart:
    """What is said about one entity: `properties` is JSON text."""

    id: str
    location: Location
    properties: str

    def to_aws(self) -> dict[str, Any]:
        """Give the shape DocumentationPart."""
        return {"id": self.id, "location": self.location.to_aws(), "properties": self.properties}


@dataclass(frozen=True, slots=True)
class Documentation:
    """All parts of an API, by id: one record, so that an import is atomic."""

    parts: Mapping[str, DocumentationPart] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {"parts": [each.to_aws() for each in self.parts.values()]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Documentation:
        """Read what `to_json` wrote."""
        parts = [part_from_json(each) for each in value.get("parts", ())]
        return cls({each.id: each for each in parts})

    def with_part(self, part: DocumentationPart) -> Documentation:
        """Give the documentation with `part` added, or in place of the one with its id.

        Raises: LimitExceededException.
        """
        parts = {**self.parts, part.id: part}
        if len(parts) > API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX:
            raise LimitExceededException(
                "Maximum number of Documentation Parts for this API has been reached. Please contact AWS if you need "
                "additional Documentation Parts."
            )
        return Documentation(parts)

    def at(self, location: Location) -> DocumentationPart | None:
        """Give the part about an entity, or None."""
        return next((each for each in self.parts.values() if each.location == location), None)


@dataclass(frozen=True, slots=True)
class DocumentationVersion:
    """A frozen set of parts with a name."""

    version: str
    created_at_ms: int
    description: str = ""
    parts: tuple[DocumentationPart, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {
            "version": self.version,
            "created_at_ms": self.created_at_ms,
            "description": self.description,
            "parts": [each.to_aws() for each in self.parts],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DocumentationVersion:
        """Read what `to_json` wrote."""
        parts = tuple(part_from_json(each) for each in value.get("parts", ()))
        return cls(value["version"], value["created_at_ms"], value.get("description", ""), parts)

    def to_aws(self) -> dict[str, Any]:
        """Give the shape DocumentationVersion."""
        shape: dict[str, Any] = {"version": self.version, "createdDate": self.created_at_ms}
        return shape | ({"description": self.description} if self.description else {})


def part_from_json(value: Mapping[str, Any]) -> DocumentationPart:
    """Read what `DocumentationPart.to_aws` wrote."""
    given = value["location"]
    location = Location(given["type"], *(given.get(name, "") for name in _FIELDS))
    return DocumentationPart(value["id"], location, value["properties"])


def location_from_aws(given: Mapping[str, Any]) -> Location:
    """Read a location; fields that its type has and that are not said get AWS's default.

    Raises: BadRequestException for a field that its type does not have or that is missing.
    """
    kind = given.get("type", "")
    if kind not in FIELDS_OF:
        raise BadRequestException(f"Invalid documentation part type specified. Must be one of: {', '.join(FIELDS_OF)}")
    allowed = FIELDS_OF[kind]
    for name in given:
        if name not in ("type", *allowed) and given[name]:
            raise BadRequestException(f"Invalid documentation part location: {name} is not valid for type {kind}")
    values = {name: str(given.get(name) or _DEFAULTS.get(name, "")) if name in allowed else "" for name in _FIELDS}
    if "name" in allowed and not values["name"] and kind not in _NAME_OPTIONAL:
        raise BadRequestException(f"Invalid documentation part location: name is required for type {kind}")
    return Location(kind, *(values[name] for name in _FIELDS))


def check_properties(properties: str) -> None:
    """Check that what is said is a JSON object of at most 64 KB. Raises: BadRequestException."""
    if len(properties.encode()) > PROPERTIES_BYTES_MAX:
        raise BadRequestException(f"Documentation part properties must have at most {PROPERTIES_BYTES_MAX} bytes")
    try:
        value = json.loads(properties)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestException("Invalid documentation part properties: they must be a JSON object")
