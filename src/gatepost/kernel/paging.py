"""Page tokens: opaque texts by which a list says where its next page starts."""

from __future__ import annotations

import base64
import json
from typing import Final, TypeVarTuple

PLACE_MAX: Final = 1 << 53

Place = TypeVarTuple("Place")


def page_token(*place: str | int) -> str:
    """Give a token for a place: names, or numbers from 0 to below 2^53."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()


def place_of(token: str | None, refusal: Exception, *first: *Place) -> tuple[*Place]:
    """Give the place that `page_token` made `token` of, or `first` without a token.

    Raises: `refusal` for a text that is no token of as many values of the same types as `first`.
    """
    if token is None:
        return first
    try:
        place = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(place, list) or [type(value) for value in place] != [type(value) for value in first]:
        raise refusal
    if not all(0 <= value < PLACE_MAX for value in place if isinstance(value, int)):
        raise refusal
    return tuple(place)
