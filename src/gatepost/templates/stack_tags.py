"""Stack tags by which a client tells the engine what AWS's operations have no parameter for.

They stay with the stack, so that the next deployment by any tool is judged alike; resources do not get them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TAG_PREFIX: Final = "gatepost:"
FILE_TAG: Final = "gatepost:template"  # the template's file, for refusals
ACCEPT_TAG: Final = "gatepost:accept"  # the gatepost.accept file beside it, by SHA-256 among the assets
LENIENT_TAG: Final = "gatepost:lenient"  # true: what cannot be enforced is a warning
TAG_VALUE_CHARACTERS_MAX: Final = 256


def own_tags(*, file: str, accept_sha256: str = "", is_lenient: bool = False) -> dict[str, str]:
    """Give the tags of a deployment from a file, whose name may be no UTF-8, which no JSON can say."""
    tags = {FILE_TAG: file[-TAG_VALUE_CHARACTERS_MAX:].encode(errors="replace").decode()}
    if accept_sha256:
        tags[ACCEPT_TAG] = accept_sha256
    if is_lenient:
        tags[LENIENT_TAG] = "true"
    return tags


def resource_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Give the stack tags that its resources get."""
    return {key: value for key, value in tags.items() if not key.startswith(TAG_PREFIX)}


def nested_tags(tags: Mapping[str, str], *, file: str) -> dict[str, str]:
    """Give what a nested stack inherits: what is accepted, with its own file."""
    inherited = {key: value for key, value in tags.items() if key in (ACCEPT_TAG, LENIENT_TAG)}
    return {**inherited, FILE_TAG: file[-TAG_VALUE_CHARACTERS_MAX:]} if file else inherited
