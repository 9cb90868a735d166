"""ListUsers' Filter: `attribute = "value"` or `attribute ^= "prefix"`, one attribute of a short list.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/how-to-manage-user-accounts.html#cognito-user-pools-searching-for-users
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.user import User

SEARCHABLE: Final = frozenset(
    {
        "username",
        "email",
        "phone_number",
        "name",
        "given_name",
        "family_name",
        "preferred_username",
        "cognito:user_status",
        "status",
        "sub",
    }
)
_FILTER: Final = re.compile(r"\s*\"?([\w:]+)\"?\s*(\^?=)\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')\s*", re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")
_CASE_SENSITIVE: Final = frozenset({"username", "sub", "cognito:user_status", "status"})


@dataclass(frozen=True, slots=True)
class UserFilter:
    """A parsed filter."""

    attribute: str
    value: str
    is_prefix: bool

    def matches(self, user: User) -> bool:
        """Say whether a user is meant. Names and addresses are compared without regard to case (`unverified`)."""
        found = self._value_of(user)
        wanted = self.value
        if found is None:
            return False
        if self.attribute not in _CASE_SENSITIVE:
            found, wanted = found.lower(), wanted.lower()
        return found.startswith(wanted) if self.is_prefix else found == wanted

    def _value_of(self, user: User) -> str | None:
        if self.attribute == "username":
            return user.name
        if self.attribute == "cognito:user_status":
            return user.status
        if self.attribute == "status":
            return "Enabled" if user.is_enabled else "Disabled"
        return user.attributes.get(self.attribute)


def parse_filter(text: str) -> UserFilter | None:
    """Parse a filter; an empty one is none. Raises: InvalidParameterException."""
    if not text:
        return None
    found = _FILTER.fullmatch(text)
    if found is None:
        raise InvalidParameterException("Error while parsing filter.")
    attribute, sign, double, single = found.groups()
    if attribute not in SEARCHABLE:
        raise InvalidParameterException(f"Invalid search attribute: {attribute}")
    value = _ESCAPED.sub(r"\1", double if double is not None else single)
    return UserFilter(attribute, value, sign == "^=")
