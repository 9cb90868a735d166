"""SRP agrees with a client that nobody here wrote (pycognito), and gives nothing away to one without the password."""

from __future__ import annotations

import base64

import pytest
from pycognito.aws_srp import AWSSRP, generate_hash_device

from gatepost.security.srp import (
    BadSrp,
    N,
    PasswordVerifier,
    ServerTurn,
    derived_key,
    padded,
    parse_public,
    proof,
    proves,
)

POOL_ID = "us-east-1_AbCdEf123"
POOL_NAME = "AbCdEf123"


def a_client(password: str) -> AWSSRP:
    return AWSSRP(username="alice", password=password, pool_id=POOL_ID, client_id="c", client=object())


def keys(server_password: str, client_password: str, *, salt: bytes | None = None) -> tuple[bytes, bytes]:
    client = a_client(client_password)
    verifier = PasswordVerifier.of(POOL_NAME, "alice", server_password, salt=salt)
    turn = ServerTurn.begin(verifier)
    ours = turn.key(verifier, parse_public(f"{client.large_a_value:x}"))
    theirs = client.get_password_authentication_key("alice", client_password, turn.public, verifier.salt.hex())
    return ours, theirs


def test_both_sides_have_the_same_key_when_the_password_is_right() -> None:
    for _ in range(8):  # leading zeros and set first bits come by chance
        ours, theirs = keys("Pässword 1!", "Pässword 1!")
        assert ours == theirs


@pytest.mark.parametrize("salt", [b"\x01" + b"\x00" * 15, b"\x0f" * 16, b"\x80" + b"\x00" * 15, b"\xff" * 16])
def test_salts_with_set_bits_or_a_leading_zero_digit_are_padded_as_clients_do(salt: bytes) -> None:
    ours, theirs = keys("x", "x", salt=salt)
    assert ours == theirs


def test_a_salt_never_begins_with_a_zero_byte_which_clients_read_differently() -> None:
    class Zeros:
        randbelow = staticmethod(lambda _: 0)
        token_bytes = staticmethod(bytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatepost.security.srp.secrets", Zeros)
        assert PasswordVerifier.of(POOL_NAME, "alice", "x").salt == b"\x01" + bytes(15)


def test_another_password_gives_another_key() -> None:
    ours, theirs = keys("right", "wrong")
    assert ours != theirs


def test_a_remembered_devices_verifier_works_as_a_users() -> None:
    device_password, config = generate_hash_device("group-key", "device-key")
    made = PasswordVerifier.of("group-key", "device-key", device_password, salt=base64.b64decode(config["Salt"]))
    assert made.verifier == int.from_bytes(base64.b64decode(config["PasswordVerifier"]), "big")


@pytest.mark.parametrize("multiple", [0, 1, 2])
def test_a_public_number_that_is_0_modulo_n_is_refused(multiple: int) -> None:
    with pytest.raises(BadSrp):
        parse_public(f"{multiple * N:x}")
    verifier = PasswordVerifier.of(POOL_NAME, "alice", "x")
    with pytest.raises(BadSrp):
        ServerTurn.begin(verifier).key(verifier, multiple * N)


@pytest.mark.parametrize("text", ["", "xyz", "-1", "0x10", " 1", "1_0", "١", "f" * 771])
def test_texts_that_are_no_numbers_in_hex_are_refused(text: str) -> None:
    with pytest.raises(BadSrp):
        parse_public(text)


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "00"), (1, "01"), (0x7F, "7f"), (0x80, "0080"), (0xFF, "00ff"), (0x100, "0100")]
)
def test_numbers_are_padded_as_twos_complement(number: int, expected: str) -> None:
    assert padded(number).hex() == expected


def test_a_proof_is_bound_to_each_of_its_parts() -> None:
    key = derived_key(12345, 678)
    parts = ("pool", "alice", b"block", "Tue Nov 24 09:00:00 UTC 2026")
    given = proof(key, *parts)
    assert proves(given, key, *parts)
    assert not proves(given, derived_key(12345, 679), *parts)
    assert not proves(given, key, "poom", *parts[1:])
    assert not proves(given, key, parts[0], "alicf", *parts[2:])
    assert not proves(given, key, *parts[:2], b"blocl", parts[3])
    assert not proves(given, key, *parts[:3], "Tue Nov 24 09:00:01 UTC 2026")
    assert not proves("", key, *parts)
    assert not proves("é\ud800", key, *parts)


def test_each_turn_has_its_own_numbers_and_does_not_show_the_secret_one() -> None:
    verifier = PasswordVerifier.of(POOL_NAME, "alice", "x")
    one, other = ServerTurn.begin(verifier), ServerTurn.begin(verifier)
    assert one.public != other.public
    assert str(one.exponent) not in repr(one)
    assert str(verifier.verifier) not in repr(verifier)
