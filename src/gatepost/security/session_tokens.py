"""Session tokens: everything about a temporary access key, sealed into the token that its holder sends along.

Nothing is stored: whoever has the sealing key can verify a token after any restart, in either role. The secret access
key travels inside, encrypted and authenticated by the seal; a token that was changed, cut or made by someone else does
not open. Long ones are deflated before sealing.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gatepost.security.sealing import NotSealed

PURPOSE: Final = "session-token"
TOKEN_CHARACTERS_MAX: Final = 6_144  # what we accept; AWS says only that the size is not fixed
_PLAIN_BYTES_MAX: Final = 65_536
_DEFLATE_FROM_BYTES: Final = 256


class Sealing(Protocol):
    """Authenticated encryption with the platform's key (`security.sealing.Seal`)."""

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Encrypt; `purpose` keeps one use's values from being taken for another's."""
        ...

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt. Raises: NotSealed when it was not sealed with this key for this purpose."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says. `name` is a user's, role's or federated user's name."""

    kind: str  # "assumed-role", "user", "root", "federated"
    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    issued_at_ms: int
    expires_at_ms: int
    name: str = ""
    owner_id: str = ""  # AIDA… or AROA…: a session ends with its user or role, even when one of that name comes back
    session_name: str = ""
    role_arn: str = ""
    policies: tuple[str, ...] = ()  # JSON documents, or ARNs of managed policies
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    provider_keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()  # condition keys of a web identity's provider
    mfa_at_ms: int = 0  # when a second factor was shown; 0: none was


_MEMBERS: Final = (
    "kind",
    "account_id",
    "access_key_id",
    "secret_access_key",
    "issued_at_ms",
    "expires_at_ms",
    "name",
    "owner_id",
    "session_name",
    "role_arn",
    "policies",
    "tags",
    "transitive_tag_keys",
    "source_identity",
    "provider_keys",
    "mfa_at_ms",
)


class SessionTokens:
    """Makes and opens tokens with one sealing key."""

    def __init__(self, seal: Sealing) -> None:
        self._seal = seal

    def issue(self, session: Session) -> str:
        """Give the token of a session, as base64."""
        values = [getattr(session, member) for member in _MEMBERS]
        plain = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
        packed = b"z" + zlib.compress(plain, 9) if len(plain) >= _DEFLATE_FROM_BYTES else b"j" + plain
        return base64.b64encode(self._seal.seal(packed, purpose=PURPOSE)).decode()

    def open(self, token: str) -> Session | None:
        """Give the session of a token, or None when it is not one of ours. Does not look at its time."""
        if not token or len(token) > TOKEN_CHARACTERS_MAX:
            return None
        try:
            packed = self._seal.open(base64.b64decode(token, validate=True), purpose=PURPOSE)
        except (NotSealed, ValueError, binascii.Error):
            return None
        plain = _inflated(packed[1:]) if packed[:1] == b"z" else packed[1:]
        return _session(json.loads(plain))


def _inflated(packed: bytes) -> bytes:
    unpack = zlib.decompressobj()
    return unpack.decompress(packed, _PLAIN_BYTES_MAX)


def _session(values: list[Any]) -> Session | None:
    if len(values) != len(_MEMBERS):
        return None  # of a version with other members
    members = dict(zip(_MEMBERS, values, strict=True))
    for member in ("policies", "transitive_tag_keys"):
        members[member] = tuple(members[member])
    members["provider_keys"] = tuple(
        (key, tuple(value) if isinstance(value, list) else value) for key, value in members["provider_keys"]
    )
    members["tags"] = tuple((key, value) for key, value in members["tags"])
    return Session(**members)
