"""Pages of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

PAGE_MAX: Final = 100


def page(names: Sequence[str], params: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Give one page of sorted names and, when more follow, the member that says so. A token is the last name given."""
    after = params.get("NextToken") or ""
    count = min(params.get("Limit") or PAGE_MAX, PAGE_MAX)
    rest = [name for name in names if name > after]
    return rest[:count], {"NextToken": rest[count - 1]} if len(rest) > count else {}
