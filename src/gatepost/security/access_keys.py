"""Access key ids and secret access keys: made, and taken apart.

An id is a prefix (AKIA: long-term, ASIA: of a session) and 16 base32 characters. As AWS's do, the first of them carry
the account: the 48 bits of the first six bytes are a one, 40 bits of account number and 7 random bits (`unverified`:
AWS does not document the form; sts:GetAccessKeyInfo needs it).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id

SECRET_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # noqa: S105
SECRET_CHARACTERS: Final = 40
LONG_TERM: Final = "AKIA"
SESSION: Final = "ASIA"
_ACCESS_KEY_ID: Final = re.compile(r"A[KS]IA[A-Z2-7]{16}", re.ASCII)


def new_access_key_id(prefix: str, account_id: str) -> str:
    """Make an id for a key of `account_id` (12 digits)."""
    random_bits = base64.b32decode(random_id(8, UPPER_BASE32))
    head = (1 << 47) | (int(account_id) << 7) | (random_bits[4] & 0x7F)
    return prefix + base64.b32encode(head.to_bytes(6, "big") + random_bits[:4]).decode()


def new_secret_access_key() -> str:
    """Make 40 unguessable characters (240 bits)."""
    return random_id(SECRET_CHARACTERS, SECRET_ALPHABET)


def account_of(access_key_id: str) -> str | None:
    """Give the account that an id was made for, or None when it is no access key id."""
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        return None
    try:
        head = int.from_bytes(base64.b32decode(access_key_id[4:])[:6], "big")
    except binascii.Error:  # pragma: no cover - the pattern lets nothing else through
        return None
    account = (head & ((1 << 47) - 1)) >> 7
    return f"{account:012d}" if head >> 47 and account < 10**12 else None
