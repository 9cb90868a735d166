"""Which secrets a list is about, in which order, and which page of them.

Filters: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.paging import page_token, place_of
from gatepost.services.secretsmanager.errors import InvalidNextTokenException
from gatepost.services.secretsmanager.model import Secret

PAGE_MAX: Final = 100
_WORDS: Final = re.compile(r"[\s/_+=.@:-]+")


def _begins(texts: Sequence[str], prefix: str) -> bool:
    return any(text.startswith(prefix) for text in texts)


def _everywhere(secret: Secret, wanted: str) -> bool:
    """Say whether every word of `wanted` begins one of the secret's words, in any case."""
    texts = [secret.name, secret.description, secret.region, *secret.tags, *secret.tags.values()]
    words = [word for text in texts for word in [text.lower(), *_WORDS.split(text.lower())]]
    return all(_begins(words, word) for word in wanted.lower().split())


_MATCHES: Final[Mapping[str, Callable[[Secret, str], bool]]] = {
    "name": lambda secret, value: secret.name.startswith(value),
    "description": lambda secret, value: any(
        _begins([word], value.lower()) for word in [secret.description.lower(), *secret.description.lower().split()]
    ),
    "tag-key": lambda secret, value: _begins(list(secret.tags), value),
    "tag-value": lambda secret, value: _begins(list(secret.tags.values()), value),
    "primary-region": lambda _secret, value: value == "",  # only replicated secrets have one
    "owning-service": lambda _secret, value: value == "",  # no service makes secrets here
    "all": _everywhere,
}


def matching(secret: Secret, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a secret passes every filter: one of its values, and none of those after an exclamation mark."""
    return all(_passes(secret, each) for each in filters)


def _passes(secret: Secret, one: Mapping[str, Any]) -> bool:
    match = _MATCHES[one.get("Key", "all")]
    values = one.get("Values", ())
    wanted = [value for value in values if not value.startswith("!")]
    unwanted = [value[1:] for value in values if value.startswith("!")]
    if any(match(secret, value) for value in unwanted):
        return False
    return not wanted or any(match(secret, value) for value in wanted)


_ORDERS: Final[Mapping[str, Callable[[Secret], int | str]]] = {
    "created-date": lambda secret: secret.created_at_ms,
    "last-accessed-date": lambda secret: secret.accessed_at_ms,
    "last-changed-date": lambda secret: secret.changed_at_ms,
    "name": lambda secret: secret.name,
}


def sorted_secrets(secrets: Sequence[Secret], *, by: str, is_ascending: bool) -> list[Secret]:
    """Give secrets in order; those that are alike by their names."""
    order = _ORDERS[by]
    return sorted(sorted(secrets, key=lambda one: one.name), key=order, reverse=not is_ascending)


def page_of(
    found: Sequence[Any], params: Mapping[str, Any], size: int = PAGE_MAX
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Give one page and the token of the next. Raises: InvalidNextTokenException."""
    refusal = InvalidNextTokenException("The NextToken value is invalid.")
    (start,) = place_of(params.get("NextToken"), refusal, 0)
    end = start + min(params.get("MaxResults", size), size)
    return found[start:end], {"NextToken": page_token(end)} if end < len(found) else {}
