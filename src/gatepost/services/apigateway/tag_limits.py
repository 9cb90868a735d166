"""What tags may be: AWS's limits.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.stage_extensions import stage_extensions

TAGS_MAX: Final = 50
KEY_CHARACTERS_MAX: Final = 128
VALUE_CHARACTERS_MAX: Final = 256


def check_tags(tags: Mapping[str, str]) -> None:
    """Check tags against AWS's limits. Raises: BadRequestException."""
    if len(tags) > TAGS_MAX:
        raise BadRequestException(f"Too many tags: at most {TAGS_MAX} are allowed on a resource")
    for name, value in tags.items():
        if not 1 <= len(name) <= KEY_CHARACTERS_MAX or name.lower().startswith("aws:"):
            raise BadRequestException(
                f"Invalid tag key {name!r}: use 1 to {KEY_CHARACTERS_MAX} characters that do not start with aws:"
            )
        if len(value) > VALUE_CHARACTERS_MAX:
            raise BadRequestException(f"Invalid tag value: use at most {VALUE_CHARACTERS_MAX} characters")
    try:
        stage_extensions(tags)
    except ValueError as error:
        raise BadRequestException(f"Invalid tag: {error}") from None
