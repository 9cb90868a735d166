"""Random passwords, as GetRandomPassword makes them.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.services.secretsmanager.errors import InvalidParameterException

LENGTH: Final = 32
SPACE: Final = " "
# AWS's list: ! " # $ % & ' ( ) * + , - . / : ; < = > ? @ [ \ ] ^ _ ` { | } ~
_TYPES: Final = (
    ("ExcludeUppercase", string.ascii_uppercase),
    ("ExcludeLowercase", string.ascii_lowercase),
    ("ExcludeNumbers", string.digits),
    ("ExcludePunctuation", string.punctuation),
)


def random_password(params: Mapping[str, Any]) -> str:
    """Make a password of `PasswordLength` characters; each type that is included is there at least once.

    With RequireEachIncludedType false any character may be of any type. Raises: InvalidParameterException.
    """
    length = params.get("PasswordLength", LENGTH)
    excluded = params.get("ExcludeCharacters", "")
    types = [characters for name, characters in _TYPES if not params.get(name)]
    if params.get("IncludeSpace"):
        types.append(SPACE)
    alphabets = ["".join(one for one in characters if one not in excluded) for characters in types]
    alphabets = [alphabet for alphabet in alphabets if alphabet]
    if not alphabets:
        raise InvalidParameterException("There are no characters left to make a password of.")
    everything = "".join(alphabets)
    if not params.get("RequireEachIncludedType", True):
        return random_id(length, everything)
    if length < len(alphabets):
        raise InvalidParameterException(
            f"PasswordLength is {length}: at least {len(alphabets)} are needed for one of each included type."
        )
    while True:  # drawing again keeps every password that fits equally likely; a few rounds, even for 4 of 4 types
        password = random_id(length, everything)
        if length < 16:
            password = _with_each_type(password, alphabets)
        if all(any(one in alphabet for one in password) for alphabet in alphabets):
            return password


def _with_each_type(password: str, alphabets: list[str]) -> str:
    """Put one character of each type at places of their own, chosen at random."""
    characters = list(password)
    places = list(range(len(characters)))
    for alphabet in alphabets:
        place = places.pop(_below(len(places)))
        characters[place] = random_id(1, alphabet)
    return "".join(characters)


def _below(count: int) -> int:
    """Give a random number below `count` (at most 16)."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:count]
    return digits.index(random_id(1, digits))
