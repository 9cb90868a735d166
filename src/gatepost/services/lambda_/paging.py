"""Pages of Lambda's lists: `Marker`, `MaxItems` (at most 50), `NextMarker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

PAGE_MAX: Final = 50


def page(
    items: Sequence[T], params: Mapping[str, Any], name: Callable[[T], str], *, key: Callable[[str], Any] = str
) -> tuple[list[T], dict[str, str]]:
    """Give one page of `items`, which are in the order of `key(name(item))`, and the marker of the next, if any.

    The marker is the name of the last item that was given. One that cannot be read is taken for none.
    """
    after = params.get("Marker") or ""
    count = min(params.get("MaxItems") or PAGE_MAX, PAGE_MAX)
    if after:
        try:
            items = [item for item in items if key(name(item)) > key(after)]
        except ValueError:
            after = ""
    chosen = list(items[:count])
    return chosen, {"NextMarker": name(chosen[-1])} if len(items) > count else {}
