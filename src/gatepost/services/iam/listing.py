"""Lists in pages (Marker, MaxItems, IsTruncated), and the rules of tags: what every IAM entity shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from gatepost.kernel.paging import page_token, place_of
from gatepost.services.iam.errors import InvalidInputException, LimitExceededException, ValidationError
from gatepost.services.iam.model import Tags

PAGE_ITEMS: Final = 100  # AWS's default for MaxItems
TAGS_MAX: Final = 50

Item = TypeVar("Item")


def paged(
    items: Sequence[Item], params: Mapping[str, Any], *, name_of: Callable[[Item], str]
) -> tuple[Sequence[Item], dict[str, object]]:
    """Cut one page out of `items`, which are in order of `name_of`; give it and the members that tell of the rest.

    The marker is the last name of the page, so that a list may change between its pages.

    Raises: ValidationError for a marker that we did not give.
    """
    marker = params.get("Marker")
    if marker is not None:
        (after,) = place_of(marker, ValidationError(f"Invalid Marker: {marker[:64]}"), "")
        items = [item for item in items if name_of(item) > after]
    count_max = params.get("MaxItems", PAGE_ITEMS)
    if len(items) <= count_max:
        return items, {"IsTruncated": False}
    page = items[:count_max]
    return page, {"IsTruncated": True, "Marker": page_token(name_of(page[-1]))}


def new_tags(tags: Sequence[Mapping[str, str]]) -> Tags:
    """Check the tags of a request.

    Raises: InvalidInputException for a key that is there twice (without regard to case) or begins with `aws:`.
    """
    keys = [tag["Key"].lower() for tag in tags]
    if len(set(keys)) != len(keys):
        raise InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise InvalidInputException("aws: prefixed tag key names are not allowed for external use.")
    return tuple((tag["Key"], tag["Value"]) for tag in tags)


def tagged(before: Tags, tags: Sequence[Mapping[str, str]]) -> Tags:
    """Give `before` with `tags` added; a key that is there already, in any case, is replaced.

    Raises: InvalidInputException, LimitExceededException.
    """
    added = new_tags(tags)
    replaced = {key.lower() for key, _ in added}
    after = tuple(tag for tag in before if tag[0].lower() not in replaced) + added
    if len(after) > TAGS_MAX:
        raise LimitExceededException(f"The number of tags has reached the maximum limit: {TAGS_MAX}.")
    return after


def untagged(before: Tags, keys: Sequence[str]) -> Tags:
    """Give `before` without the tags of `keys`; keys that are not there are no fault."""
    gone = {key.lower() for key in keys}
    return tuple(tag for tag in before if tag[0].lower() not in gone)


def list_tags(tags: Tags, params: Mapping[str, Any]) -> dict[str, object]:
    """Answer a List…Tags operation."""
    page, rest = paged(sorted(tags), params, name_of=lambda tag: tag[0])
    return {"Tags": [{"Key": key, "Value": value} for key, value in page], **rest}
