"""SRP as Cognito speaks it: both sides, for users and for remembered devices.

It is SRP-6a (RFC 5054) over the 3072-bit group with SHA-256, and with rules of its own:

- Numbers are hashed as big-endian two's complement: the least bytes, with a zero byte in front where the first bit is
  set. `k` is H(N | g) in that form; `u` is H(A | B); `x` is H(salt | H(pool name | user id | ":" | password)), where
  the pool name is what follows `_` in the pool's id. For a device: its group key and its key instead.
- A salt never begins with a zero byte: the JavaScript client hashes it as a number, Python's as it was sent.
- The shared secret goes through HKDF (salt `u`, info "Caldera Derived Key"), 16 bytes of it.
- The client proves it with HMAC-SHA256 over pool name, user id, secret block and its time stamp. The server proves
  nothing.

Pure. `A` that is 0 modulo N and `u` that is 0 are refused: with them anybody would know the secret.

Sources: RFC 5054; the public clients (amazon-cognito-identity-js, pycognito), which fix what AWS does not document.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

N: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
G: Final = 2
SALT_BYTES: Final = 16
EXPONENT_BITS: Final = 256  # RFC 5054: at least 256
HEX_CHARACTERS_MAX: Final = 2 * 385
_INFO: Final = b"Caldera Derived Key\x01"


class BadSrp(Exception):
    """What the client sent is no number of this protocol, or one that would give the secret away."""


def padded(number: int) -> bytes:
    """Give the least bytes of a number that is not negative, as two's complement."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _hashed(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


K: Final = _hashed(padded(N), padded(G))


@dataclass(frozen=True, slots=True)
class PasswordVerifier:
    """What the server keeps instead of a password: whoever has it can test guesses, and pose as the server."""

    salt: bytes
    verifier: int = field(repr=False)

    @classmethod
    def of(cls, pool_name: str, user_id: str, password: str, *, salt: bytes | None = None) -> PasswordVerifier:
        """Make the verifier of a password with a new salt, or with the one given. It takes some 5 ms."""
        if salt is None:
            salt = bytes([1 + secrets.randbelow(255)]) + secrets.token_bytes(SALT_BYTES - 1)
        return cls(salt, pow(G, _private_key(pool_name, user_id, password, salt), N))


def invented_salt(made_up: bytes) -> bytes:
    """Give a salt for somebody who has none, of one byte more than it has: distributed as real ones are."""
    return bytes([1 + int.from_bytes(made_up[:2], "big") % 255]) + made_up[2:]


def _private_key(pool_name: str, user_id: str, password: str, salt: bytes) -> int:
    inner = hashlib.sha256(f"{pool_name}{user_id}:{password}".encode("utf-8", "surrogatepass")).digest()
    return _hashed(padded(int.from_bytes(salt, "big")), inner)


def parse_public(text: str) -> int:
    """Parse the client's A, in hex. Raises: BadSrp."""
    if not 0 < len(text) <= HEX_CHARACTERS_MAX or not all(character in "0123456789abcdefABCDEF" for character in text):
        raise BadSrp("SRP_A is not a number in hex")
    number = int(text, 16)
    if number % N == 0:
        raise BadSrp("SRP_A must not be 0 modulo N")
    return number


@dataclass(frozen=True, slots=True)
class ServerTurn:
    """The server's side of one sign-in: its secret exponent, and B for the client."""

    exponent: int = field(repr=False)
    public: int

    @classmethod
    def begin(cls, verifier: PasswordVerifier, *, exponent: int | None = None) -> ServerTurn:
        """Choose the exponent and compute B. It takes some 5 ms."""
        exponent = exponent or secrets.randbits(EXPONENT_BITS) | (1 << (EXPONENT_BITS - 1))
        return cls(exponent, (K * verifier.verifier + pow(G, exponent, N)) % N)

    def key(self, verifier: PasswordVerifier, client_public: int) -> bytes:
        """Compute the key that only a client with the password has too. It takes some 10 ms. Raises: BadSrp."""
        scramble = _hashed(padded(client_public), padded(self.public))
        if scramble == 0 or client_public % N == 0:
            raise BadSrp("SRP_A gives no secret")
        secret = pow(client_public * pow(verifier.verifier, scramble, N), self.exponent, N)
        return derived_key(secret, scramble)


def derived_key(secret: int, scramble: int) -> bytes:
    """Derive the 16 bytes that the proof is made with."""
    extracted = hmac.new(padded(scramble), padded(secret), hashlib.sha256).digest()
    return hmac.new(extracted, _INFO, hashlib.sha256).digest()[:16]


def proof(key: bytes, pool_name: str, user_id: str, secret_block: bytes, timestamp: str) -> str:
    """Give PASSWORD_CLAIM_SIGNATURE, in base64."""
    content = pool_name.encode() + user_id.encode() + secret_block + timestamp.encode()
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def proves(given: str, key: bytes, pool_name: str, user_id: str, secret_block: bytes, timestamp: str) -> bool:
    """Say, in constant time, whether a client's proof is right."""
    right = proof(key, pool_name, user_id, secret_block, timestamp)
    return hmac.compare_digest(right.encode(), given.encode("utf-8", "surrogatepass"))
