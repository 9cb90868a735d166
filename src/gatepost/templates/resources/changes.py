"""Steps that handlers of several services take: deletions of what may be gone, tags, differences of lists."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import ServiceError

GONE_CODES: Final = frozenset(
    {"NotFoundException", "ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException"}
)


async def unless_gone(step: Awaitable[Any]) -> bool:
    """Await a deletion; say False when there was nothing to delete. Raises: ServiceError of every other kind."""
    try:
        await step
    except ServiceError as fault:
        if fault.code in GONE_CODES:
            return False
        raise
    return True


def tag_map(properties: Mapping[str, Any]) -> dict[str, str]:
    """Give a resource's Tags as a mapping."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags", [])}


def tag_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Give the tags to set and the keys to remove."""
    old, new = tag_map(before), tag_map(after)
    return {key: value for key, value in new.items() if old.get(key) != value}, [key for key in old if key not in new]


def added_and_gone(before: Sequence[Any], after: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Give what `after` has more, and what it has no longer, each in its order."""
    return [item for item in after if item not in before], [item for item in before if item not in after]


def json_text(value: Any) -> str:
    """Render a policy document or a schema: text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def present(**parameters: Any) -> dict[str, Any]:
    """Give the parameters that are not None."""
    return {name: value for name, value in parameters.items() if value is not None}


class Unnamed:
    """What handlers share: by default a type has no name of its own and no replacements beyond the specification."""

    name_property = ""

    def is_named(self, properties: Mapping[str, Any]) -> bool:
        """Say whether the template gives the resource's name or id, so that it may be someone else's too."""
        return bool(self.name_property and self.name_property in properties)

    def replacing(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
        """Give nothing more."""
        del before, after
        return ()
