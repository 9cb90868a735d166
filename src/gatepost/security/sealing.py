"""Sealing: secrets that are kept in files and records, encrypted and bound to what they are for.

AES-256-GCM with a random nonce for each seal. `purpose` ("function-environment", "session-token") is authenticated with
the content: what was sealed for one purpose does not open for another. The key lies in a file of its own, mode 0600,
made once; whoever has a copy of the records without that file has nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatepost.kernel.errors import SettingsError

KEY_BYTES: Final = 32
KEYS_MAX: Final = 16
KEY_VARIABLE: Final = "GATEPOST_SEAL_KEY"
"""The environment variable that gives the key, in hexadecimal digits, instead of a file."""
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
VERSION: Final = b"\x01"
PLAIN_BYTES_MAX: Final = 64 * 1024 * 1024


class NotSealed(Exception):
    """What should be opened was not sealed with this key for this purpose, or was changed since."""


class Seal:
    """Seals and opens bytes with one key of 32 bytes."""

    __slots__ = ("_cipher", "_digest_key", "_older")

    def __init__(self, key: bytes) -> None:
        """Take a key, or several after a rotation, the newest first: it seals, and all of them open.

        Digests are by the oldest: they stay what they are.
        """
        if not key or len(key) % KEY_BYTES or len(key) > KEY_BYTES * KEYS_MAX:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes, and there are at most {KEYS_MAX}: {len(key)} bytes")
        newest, *older = (key[at : at + KEY_BYTES] for at in range(0, len(key), KEY_BYTES))
        self._cipher = AESGCM(newest)
        self._older = tuple(AESGCM(each) for each in older)
        oldest = older[-1] if older else newest
        self._digest_key = hashlib.blake2b(b"gatepost digests 1", key=oldest, digest_size=32).digest()

    def __repr__(self) -> str:
        return "Seal(...)"

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Encrypt `plain`, at most 64 MiB; the result is 29 bytes longer."""
        if len(plain) > PLAIN_BYTES_MAX:
            raise ValueError(f"{len(plain)} bytes are too many to seal: at most {PLAIN_BYTES_MAX}")
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, plain, _bound_to(purpose))

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt what `seal` made for the same purpose. Raises: NotSealed."""
        if len(sealed) < 1 + NONCE_BYTES + TAG_BYTES or sealed[:1] != VERSION:
            raise NotSealed("this is no sealed content of a version that we know")
        nonce, content = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        bound = _bound_to(purpose)
        for cipher in (self._cipher, *self._older):
            try:
                return cipher.decrypt(nonce, content, bound)
            except InvalidTag:
                continue
        raise NotSealed(f"this was not sealed with our key for {purpose!r}, or was changed since")

    def digester(self, purpose: str) -> Callable[[bytes], str]:
        """Give a function from a secret to 32 hexadecimal digits, by which it is found and not known.

        The digest is keyed (BLAKE2b): nobody can try secrets against it without the platform's key. 0.7 us a secret.
        """
        keyed = hashlib.blake2b(_bound_to(purpose), key=self._digest_key, digest_size=16)

        def digest(secret: bytes) -> str:
            state = keyed.copy()
            state.update(secret)
            return state.hexdigest()

        return digest


def _bound_to(purpose: str) -> bytes:
    if not purpose:
        raise ValueError("a seal needs a purpose")
    return b"gatepost seal 1\x00" + purpose.encode()


def load_key(path: Path, given: str = "") -> bytes:
    """Read the sealing key at `path`, or make it: 32 random bytes, mode 0600, durable once this returns.

    `given` is the key in hexadecimal digits: then no file is read or made. Several processes may ask at once: one
    makes the file, all get the same. After rotations there are several keys in it, the newest first.

    Raises: SettingsError when the key is of another length or others may read the file; OSError.
    """
    if given:
        return _given_key(given)
    if not path.exists():
        _make_key(path)
    status = path.stat()
    if status.st_mode & 0o077:
        raise SettingsError(f"{path} can be read by others (mode {status.st_mode & 0o777:04o}): chmod 600 {path}")
    key = path.read_bytes()
    if not key or len(key) % KEY_BYTES or len(key) > KEY_BYTES * KEYS_MAX:
        raise SettingsError(f"{path} has {len(key)} bytes, a sealing key has {KEY_BYTES}: restore it from a backup")
    return key


def rotated(key: bytes) -> bytes:
    """Give the keys after a rotation: a new one before the others. Raises: SettingsError when there are too many."""
    if len(key) >= KEY_BYTES * KEYS_MAX:
        raise SettingsError(
            f"there are {KEYS_MAX} sealing keys already, and each is still needed to open what it sealed"
        )
    return os.urandom(KEY_BYTES) + key


def _given_key(given: str) -> bytes:
    try:
        key = bytes.fromhex(given.strip())
    except ValueError:
        key = b""
    if not key or len(key) % KEY_BYTES or len(key) > KEY_BYTES * KEYS_MAX:
        raise SettingsError(
            f"{KEY_VARIABLE} is no sealing key: use {KEY_BYTES * 2} hexadecimal digits (openssl rand -hex 32)"
        )
    return key


def _make_key(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            os.write(descriptor, os.urandom(KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)  # unlike a rename, this never replaces a key that exists
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
