"""Sealing keeps content secret, bound to its purpose, and its key file private and unique."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatepost.kernel.errors import SettingsError
from gatepost.security.sealing import NotSealed, Seal, load_key, rotated

KEY = bytes(range(32))


def test_what_was_sealed_opens_again() -> None:
    assert Seal(KEY).open(Seal(KEY).seal(b"secret", purpose="environment"), purpose="environment") == b"secret"


def test_the_same_content_is_sealed_differently_each_time() -> None:
    seal = Seal(KEY)
    assert seal.seal(b"secret", purpose="p") != seal.seal(b"secret", purpose="p")


def test_content_does_not_open_for_another_purpose() -> None:
    sealed = Seal(KEY).seal(b"secret", purpose="environment")
    with pytest.raises(NotSealed):
        Seal(KEY).open(sealed, purpose="session")


def test_content_does_not_open_with_another_key() -> None:
    with pytest.raises(NotSealed):
        Seal(KEY[::-1]).open(Seal(KEY).seal(b"secret", purpose="p"), purpose="p")


@pytest.mark.parametrize("position", [0, 1, 12, 13, -1])
def test_content_that_was_changed_does_not_open(position: int) -> None:
    sealed = bytearray(Seal(KEY).seal(b"secret", purpose="p"))
    sealed[position] ^= 1
    with pytest.raises(NotSealed):
        Seal(KEY).open(bytes(sealed), purpose="p")


@pytest.mark.parametrize("length", [0, 1, 28])
def test_content_that_is_too_short_does_not_open(length: int) -> None:
    with pytest.raises(NotSealed):
        Seal(KEY).open(Seal(KEY).seal(b"", purpose="p")[:length], purpose="p")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seal(bytes(length))


def test_a_seal_does_not_show_its_key() -> None:
    assert repr(Seal(KEY)) == "Seal(...)"


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    key = load_key(path)
    assert len(key) == 32
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["seal.key"]


def test_all_who_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_key(tmp_path / "seal.key"), range(32)))
    assert len(keys) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    load_key(path)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_key(path)


def test_a_truncated_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="restore it"):
        load_key(path)
    assert path.stat().st_size == 5


def test_a_digest_is_the_same_for_one_key_and_purpose_and_another_for_others() -> None:
    digest = Seal(bytes(32)).digester("api-key")
    assert digest(b"secret") == Seal(bytes(32)).digester("api-key")(b"secret")
    others = {
        digest(b"secret2"),
        Seal(bytes(32)).digester("other")(b"secret"),
        Seal(bytes(31) + b"x").digester("api-key")(b"secret"),
    }
    assert len(others | {digest(b"secret")}) == 4
    assert len(digest(b"")) == 32


def test_after_a_rotation_the_new_key_seals_and_the_old_ones_still_open() -> None:
    old = bytes(32)
    before = Seal(old).seal(b"one", purpose="p")
    keys = rotated(rotated(old))
    assert len(keys) == 96
    after = Seal(keys).seal(b"two", purpose="p")
    assert (Seal(keys).open(before, purpose="p"), Seal(keys).open(after, purpose="p")) == (b"one", b"two")
    with pytest.raises(NotSealed):
        Seal(old).open(after, purpose="p")
    with pytest.raises(NotSealed):
        Seal(keys).open(before, purpose="q")
    assert Seal(keys).digester("p")(b"x") == Seal(old).digester("p")(b"x")


def test_rotations_are_bounded() -> None:
    with pytest.raises(SettingsError, match="16 sealing keys"):
        rotated(bytes(32 * 16))


def test_a_key_that_is_given_needs_no_file(tmp_path: Path) -> None:
    assert load_key(tmp_path / "seal.key", "ab" * 32) == b"\xab" * 32
    assert not (tmp_path / "seal.key").exists()
    for wrong in ("ab" * 31, "xy" * 32, "ab" * 32 * 17):
        with pytest.raises(SettingsError, match="openssl rand -hex 32") as caught:
            load_key(tmp_path / "seal.key", wrong)
        assert wrong not in str(caught.value)
