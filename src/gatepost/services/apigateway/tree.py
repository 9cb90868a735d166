"""The path tree of an API as a value: where a resource may stand, which method it has, and changes of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import stable_id
from gatepost.kernel.limits import API_GATEWAY_RESOURCES_PER_API_MAX
from gatepost.services.apigateway.deployment import Method, Resource
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    Definition,
    LimitExceededException,
    NotFoundException,
)

NO_IDS: Final[Mapping[str, str]] = {}

_PART: Final = re.compile(r"[a-zA-Z0-9._\-:,*]+|\{[a-zA-Z0-9._\-:]+\+?\}")
_PART_REFUSED: Final = (
    "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
    "beginning and the end."
)


def resource_of(definition: Definition, resource_id: str) -> Resource:
    """Give a resource by id. Raises: NotFoundException."""
    resource = definition.resources.get(resource_id)
    if resource is None:
        raise NotFoundException("Invalid Resource identifier specified")
    return resource


def add_resource(
    definition: Definition,
    api_id: str,
    parent: Resource,
    path_part: str,
    *,
    resources_max: int = API_GATEWAY_RESOURCES_PER_API_MAX,
    known_ids: Mapping[str, str] = NO_IDS,
) -> tuple[Definition, Resource]:
    """Hang a new resource named `path_part` under `parent`.

    Unless `known_ids` has one for the path, its id is derived from the API and the path: the same template
    gives the same ids everywhere.

    Raises: BadRequestException, ConflictException, LimitExceededException.
    """
    check_place(definition, parent, path_part)
    if len(definition.resources) >= resources_max:
        raise LimitExceededException(
            "Maximum number of Resources for this API has been reached. Please contact AWS if you need additional "
            "Resources."
        )
    path = join_path(parent.path, path_part)
    resource = Resource(id=known_ids.get(path) or _free_id(definition, api_id, path, known_ids), path=path)
    return with_resource(definition, resource), resource


def check_place(definition: Definition, parent: Resource, path_part: str, *, moved: str = "") -> None:
    """Check that a resource named `path_part` may stand under `parent`; `moved` is the id of one that is there.

    Raises: BadRequestException, ConflictException.
    """
    if not _PART.fullmatch(path_part):  # 1. the part by itself
        raise BadRequestException(_PART_REFUSED)
    if parent.path.endswith("+}"):  # 2. the parent
        raise BadRequestException(f"Cannot create a child of a resource with a greedy path variable: {parent.path}")
    siblings = [each for each in definition.resources.values() if parent_path(each.path) == parent.path]
    for sibling in siblings:  # 3. those beside it
        if sibling.id == moved or sibling.path == "/":
            continue
        name = last_part(sibling.path)
        if name == path_part:
            raise ConflictException(f"Another resource with the same parent already has this name: {path_part}")
        if name.startswith("{") and path_part.startswith("{"):
            raise BadRequestException(
                f"A sibling ({name}) of this resource already has a variable path part -- only one is allowed"
            )


def with_resource(definition: Definition, resource: Resource) -> Definition:
    """Give `definition` with `resource` added, or put in place of the one with its id."""
    return replace(definition, resources={**definition.resources, resource.id: resource})


def move_resource(definition: Definition, resource: Resource, parent: Resource, part: str) -> Definition:
    """Hang `resource`, with everything below it, under `parent` as `part`.

    Raises: BadRequestException, ConflictException.
    """
    if resource.path == "/":
        raise BadRequestException("Root resource cannot be changed")
    if is_within(parent, resource):
        raise BadRequestException("A resource cannot be moved below itself")
    check_place(definition, parent, part, moved=resource.id)
    path = join_path(parent.path, part)
    if path.endswith("+}") and any(parent_path(each.path) == resource.path for each in definition.resources.values()):
        raise BadRequestException(f"A resource with a greedy path variable cannot have children: {path}")
    moved = {
        key: replace(each, path=path + each.path[len(resource.path) :]) if is_within(each, resource) else each
        for key, each in definition.resources.items()
    }
    return replace(definition, resources=moved)


def delete_resource(definition: Definition, resource: Resource) -> Definition:
    """Take `resource` away with everything below it. Raises: BadRequestException for the root."""
    if resource.path == "/":
        raise BadRequestException("Root resource cannot be deleted")
    kept = {key: each for key, each in definition.resources.items() if not is_within(each, resource)}
    return replace(definition, resources=kept)


def find_method(resource: Resource, http_method: str) -> Method | None:
    """Give the method for a verb, or None."""
    return next((each for each in resource.methods if each.http_method == http_method), None)


def method_of(definition: Definition, resource_id: str, http_method: str) -> Method:
    """Give a method by resource and verb. Raises: NotFoundException."""
    method = find_method(resource_of(definition, resource_id), http_method)
    if method is None:
        raise NotFoundException("Invalid Method identifier specified")
    return method


def with_method(definition: Definition, resource_id: str, method: Method) -> Definition:
    """Give `definition` with `method` on a resource, added or in place of the one for its verb."""
    resource = resource_of(definition, resource_id)
    others = [each for each in resource.methods if each.http_method != method.http_method]
    methods = tuple(sorted([*others, method], key=lambda each: each.http_method))
    return with_resource(definition, replace(resource, methods=methods))


def without_method(definition: Definition, resource_id: str, http_method: str) -> Definition:
    """Give `definition` without a method. Raises: NotFoundException."""
    method_of(definition, resource_id, http_method)
    resource = resource_of(definition, resource_id)
    kept = tuple(each for each in resource.methods if each.http_method != http_method)
    return with_resource(definition, replace(resource, methods=kept))


def parent_path(path: str) -> str:
    """Give the path above: `/` for `/orders`, and "" for `/` itself."""
    return path.rpartition("/")[0] or ("/" if path != "/" else "")


def last_part(path: str) -> str:
    """Give the last part of a path: `{id}` for `/orders/{id}`."""
    return path.rpartition("/")[2]


def join_path(above: str, part: str) -> str:
    """Put a path together."""
    return f"{above}{part}" if above == "/" else f"{above}/{part}"


def is_within(each: Resource, top: Resource) -> bool:
    """Say whether `each` is `top` or stands below it."""
    return top.path in (each.path, "/") or each.path.startswith(f"{top.path}/")


def _free_id(definition: Definition, api_id: str, path: str, known_ids: Mapping[str, str]) -> str:
    candidate, salt = stable_id(api_id, path, length=6), 0
    while candidate in definition.resources or candidate in known_ids.values():
        salt += 1
        candidate = stable_id(api_id, path, str(salt), length=6)
    return candidate
