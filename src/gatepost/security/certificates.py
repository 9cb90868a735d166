"""X.509 certificates as PEM: read and judged, and the platform's own authority for development.

The authority's root is name-constrained (RFC 5280 section 4.2.1.10): even when its key is stolen, a machine that
trusts it believes it about `localhost`, names below it, loopback addresses and names that the operator configured,
and about nobody else.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM_BYTES_MAX: Final = 2 * 1024 * 1024
CHAIN_MAX: Final = 20
ROOT_DAYS: Final = 3_650
LEAF_DAYS: Final = 198  # as ACM's public certificates since 2025
CLOCK_SKEW: Final = dt.timedelta(hours=1)
ALWAYS_PERMITTED: Final = ("localhost",)
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
ORGANIZATION: Final = "Gatepost local development"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_CURVES: Final = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
_NEW_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "EC_prime256v1": ec.SECP256R1(),
    "EC_secp384r1": ec.SECP384R1(),
    "EC_secp521r1": ec.SECP521R1(),
}


class BadCertificate(Exception):
    """A certificate, chain or key cannot be used; the text says why, for whoever gave it."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says. Times in ms; `key_algorithm` by ACM's names (`EC_prime256v1`, `RSA_2048`)."""

    subject: str
    issuer: str
    common_name: str
    names: tuple[str, ...]  # DNS names, lower case
    serial: str  # hex octets, `a1:b2`
    not_before_ms: int
    not_after_ms: int
    key_algorithm: str
    signature_algorithm: str
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[tuple[str, str], ...]  # ACM's name and OID


_USAGES: Final = {
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}
_PURPOSES: Final = {
    "1.3.6.1.5.5.7.3.1": "TLS_WEB_SERVER_AUTHENTICATION",
    "1.3.6.1.5.5.7.3.2": "TLS_WEB_CLIENT_AUTHENTICATION",
    "1.3.6.1.5.5.7.3.3": "CODE_SIGNING",
    "1.3.6.1.5.5.7.3.4": "EMAIL_PROTECTION",
    "1.3.6.1.5.5.7.3.8": "TIME_STAMPING",
    "1.3.6.1.5.5.7.3.9": "OCSP_SIGNING",
    "2.5.29.37.0": "ANY",
}


def read_certificates(pem: bytes, *, what: str, count_max: int = CHAIN_MAX) -> list[x509.Certificate]:
    """Read every certificate of a PEM text. Raises: BadCertificate."""
    if len(pem) > PEM_BYTES_MAX:
        raise BadCertificate(f"{what} has {len(pem)} bytes: at most {PEM_BYTES_MAX} are read")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate(f"{what} is not valid: it is no X.509 certificate in PEM") from error
    if not 1 <= len(found) <= count_max:
        raise BadCertificate(f"{what} holds {len(found)} certificates: at most {count_max} are allowed")
    return found


def read_private_key(pem: bytes) -> PrivateKey:
    """Read an unencrypted RSA (1024 to 4096 bits) or ECDSA key (P-256, P-384, P-521). Raises: BadCertificate."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise BadCertificate("The private key is encrypted: give it without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate("The private key is not valid: it is no key in PEM") from error
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        key_algorithm(key.public_key())
        return key
    raise BadCertificate("The private key has an algorithm that is not supported: use RSA or ECDSA")


def key_algorithm(key: object) -> str:
    """Name the algorithm of a public key as ACM does. Raises: BadCertificate."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in (1024, 2048, 3072, 4096):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise BadCertificate("The key's algorithm is not supported: use RSA of 1024 to 4096 bits, or P-256, P-384 or P-521")


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Say what a certificate says. Raises: BadCertificate for what cannot be read."""
    try:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return CertificateFacts(
            subject=distinguished_name(certificate.subject),
            issuer=distinguished_name(certificate.issuer),
            common_name=str(common[0].value) if common else "",
            names=dns_names(certificate),
            serial=serial_text(certificate.serial_number),
            not_before_ms=int(certificate.not_valid_before_utc.timestamp() * 1000),
            not_after_ms=int(certificate.not_valid_after_utc.timestamp() * 1000),
            key_algorithm=key_algorithm(certificate.public_key()),
            signature_algorithm=_signature_algorithm(certificate),
            key_usages=_key_usages(certificate),
            extended_key_usages=_purposes(certificate),
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificate("The certificate cannot be read: its contents are malformed") from error


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the DNS names that a certificate is for, in lower case."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return (str(common[0].value).lower(),) if common else ()
    return tuple(name.lower() for name in found.value.get_values_for_type(x509.DNSName))


def serial_text(number: int) -> str:
    """Write a serial number as `a1:b2:…`."""
    text = f"{number:x}"
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def names_match(name: str, names: Sequence[str]) -> bool:
    """Say whether a certificate for `names` is good for a domain name; a wildcard stands for one label."""
    parent = name.partition(".")[2]
    stands_for = "" if name.startswith("*.") else f"*.{parent}"
    return any(each in (name, stands_for) for each in names)


def check_key_pair(certificate: x509.Certificate, key: PrivateKey) -> None:
    """Check that a key belongs to a certificate. Raises: BadCertificate."""
    if certificate.public_key() != key.public_key():
        raise BadCertificate("The private key does not match the certificate's public key")


def check_chain(certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
    """Check that each certificate of `chain` has signed the one before it. Raises: BadCertificate."""
    signed = certificate
    for position, signer in enumerate(chain, 1):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            words = f"The certificate chain is not in order: number {position} has not signed the one before it"
            raise BadCertificate(words) from error
        signed = signer


def pem_of(*certificates: x509.Certificate) -> str:
    """Write certificates as PEM."""
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def key_pem(key: PrivateKey) -> bytes:
    """Write a key as unencrypted PKCS #8 PEM: for sealing or for a file of mode 0600, nowhere else."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True, slots=True)
class LocalAuthority:
    """The development authority: its root and the root's key."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def make(cls, permitted: Sequence[str], now_ms: int) -> LocalAuthority:
        """Make a new root for `permitted` domains (each with all names below it) beside localhost and loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = _time(now_ms)
        subject = _subject(f"Gatepost local CA {now:%Y-%m-%d}")
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in (*ALWAYS_PERMITTED, *permitted)]
        names.extend(x509.IPAddress(ipaddress.ip_network(network)) for network in LOOPBACK)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now + dt.timedelta(days=ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.NameConstraints(names, None), critical=True)
            .add_extension(_key_usage(is_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def read(cls, certificate_pem: bytes, private_key_pem: bytes) -> LocalAuthority:
        """Read what `to_pem` wrote. Raises: BadCertificate."""
        certificate = read_certificates(certificate_pem, what="The authority's certificate", count_max=1)[0]
        key = read_private_key(private_key_pem)
        check_key_pair(certificate, key)
        return cls(certificate, key)

    def to_pem(self) -> tuple[bytes, bytes]:
        """Give the root's certificate and its key as PEM."""
        return pem_of(self.certificate).encode(), key_pem(self.key)

    @property
    def permitted(self) -> tuple[str, ...]:
        """The domains that the root may speak for."""
        found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
        return tuple(each.value for each in found or () if isinstance(each, x509.DNSName))

    def may_issue(self, name: str) -> bool:
        """Say whether a DNS name lies within the root's constraints."""
        plain = name.removeprefix("*.")
        return any(plain == domain or plain.endswith(f".{domain}") for domain in self.permitted)

    def issue(
        self,
        names: Sequence[str],
        now_ms: int,
        *,
        addresses: Sequence[str] = (),
        algorithm: str = "EC_prime256v1",
        days: int = LEAF_DAYS,
    ) -> tuple[x509.Certificate, PrivateKey]:
        """Issue a server's certificate for DNS `names` and IP `addresses`, with a new key.

        Raises: BadCertificate for names beyond the constraints and algorithms that are not issued.
        """
        for name in names:
            if not self.may_issue(name):
                raise BadCertificate(f"{name} is beyond the local authority's names: {', '.join(self.permitted)}")
        key = _new_key(algorithm)
        now = _time(now_ms)
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives.extend(x509.IPAddress(ipaddress.ip_address(each)) for each in addresses)
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_subject(names[0] if len(names[0]) <= 64 else ""))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(min(now + dt.timedelta(days=days), self.certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate, key


def _new_key(algorithm: str) -> PrivateKey:
    if algorithm in _NEW_CURVES:
        return ec.generate_private_key(_NEW_CURVES[algorithm])
    if algorithm == "RSA_2048":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    raise BadCertificate(f"KeyAlgorithm {algorithm} is not issued: use EC_prime256v1, EC_secp384r1 or RSA_2048")


def _time(now_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC)


def _subject(common_name: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)]
    if common_name:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(attributes)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def distinguished_name(name: x509.Name) -> str:
    """Write a distinguished name from the general to the particular: `C=US,O=Example,CN=www.example.com`."""
    return ",".join(each.rfc4514_string() for each in name.rdns)


def _signature_algorithm(certificate: x509.Certificate) -> str:
    digest = certificate.signature_hash_algorithm
    kind = "ECDSA" if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey) else "RSA"
    return f"{digest.name.upper()}WITH{kind}" if digest is not None else kind


def _key_usages(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ("ANY",)
    return tuple(name for attribute, name in _USAGES.items() if getattr(usage, attribute))


def _purposes(certificate: x509.Certificate) -> tuple[tuple[str, str], ...]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple((_PURPOSES.get(each.dotted_string, "CUSTOM"), each.dotted_string) for each in usage)
