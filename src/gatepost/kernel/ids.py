"""Where ids come from: random ones, and ones derived from names so that they survive redeployment."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import Final

LOWER_ALPHANUMERIC: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
UPPER_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def request_id() -> str:
    """Give a random id in the form of AWS's request ids, a version 4 UUID in lower case."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def random_id(length: int, alphabet: str = LOWER_ALPHANUMERIC) -> str:
    """Give `length` unguessable characters of `alphabet`."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def stable_id(*names: str, length: int = 10, alphabet: str = LOWER_ALPHANUMERIC) -> str:
    """Derive an id from `names`: the same names give the same id on every machine.

    The template engine hands in stack name and logical id, so that the id of an API survives
    redeployment. It is a name, not a secret. At most 40 characters.
    """
    if not 1 <= length <= 40:
        raise ValueError(f"a stable id has 1 to 40 characters, not {length}")
    number = int.from_bytes(hashlib.blake2b("\x00".join(names).encode(), digest_size=32).digest(), "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        characters.append(alphabet[index])
    return "".join(characters)


def chance() -> float:
    """Give a random number from 0.0 to below 1.0: for choices by weight, not for secrets."""
    return int.from_bytes(os.urandom(7), "big") / (1 << 56)
