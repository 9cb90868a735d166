"""Pages: a cursor is the key after which the next page begins, opaque to clients."""

import base64
import binascii
import json
from typing import Any

from aws_lambda_powertools.event_handler.exceptions import BadRequestError

LIMIT_DEFAULT = 20
LIMIT_MAX = 100
DIGITS_MAX = 3


def read_limit(text: str | None) -> int:
    """Read a page's size. Raises: BadRequestError."""
    if text is None:
        return LIMIT_DEFAULT
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS_MAX or not 1 <= int(text) <= LIMIT_MAX:
        raise BadRequestError(f"limit is {text!r}: use 1 to {LIMIT_MAX}")
    return int(text)


def write_cursor(last_key: dict[str, Any] | None) -> str | None:
    """Make a cursor of DynamoDB's LastEvaluatedKey."""
    if not last_key:
        return None
    return base64.urlsafe_b64encode(json.dumps(last_key, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> dict[str, Any] | None:
    """Read what `write_cursor` wrote. Raises: BadRequestError."""
    if text is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadRequestError("cursor is not one that this API gave") from error
    if not isinstance(key, dict) or not all(isinstance(value, str) for value in key.values()):
        raise BadRequestError("cursor is not one that this API gave")
    return key
