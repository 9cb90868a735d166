"""Names of parameters and paths, and what is wrong with one.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.kernel.errors import AccessDeniedException, ValidationException
from gatepost.services.ssm.errors import HierarchyLevelLimitExceededException

LEVELS_MAX: Final = 15
NAME_CHARACTERS_MAX: Final = 1011
NOT_A_NAME: Final = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the "
    "following 3 symbols .-_"
)
NOT_A_PATH: Final = (  # with the backslashes, as AWS sends it
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with \\"aws\\" or \\"ssm\\" (case-insensitive). It must use only letters, numbers, or '
    "the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, "
    'if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)
_NAME: Final = re.compile(r"/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", re.ASCII)
_PATH: Final = re.compile(r"/([A-Za-z0-9_.-]+/?)*", re.ASCII)


def check_name(name: str) -> None:
    """Refuse a name that a new parameter cannot have.

    Raises: ValidationException, AccessDeniedException, HierarchyLevelLimitExceededException.
    """
    plain = name.removeprefix("/").lower()
    if plain.startswith("aws"):
        raise AccessDeniedException(f"No access to reserved parameter name: {name}.")
    is_path = "/" not in name or name.startswith("/")
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name) or not is_path or plain.startswith("ssm"):
        raise ValidationException(NOT_A_NAME)
    if name.count("/") > LEVELS_MAX:
        raise HierarchyLevelLimitExceededException(f"A parameter name has at most {LEVELS_MAX} levels.")


def check_path(path: str) -> None:
    """Refuse what is no path. Raises: ValidationException."""
    if not _PATH.fullmatch(path) or "//" in path:
        raise ValidationException(NOT_A_PATH)
