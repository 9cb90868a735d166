"""Certificates: what is read of them, what is refused, and what the local authority may and may not issue."""

import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gatepost.security.certificates import (
    BadCertificate,
    LocalAuthority,
    check_chain,
    check_key_pair,
    facts_of,
    key_pem,
    names_match,
    pem_of,
    read_certificates,
    read_private_key,
)
from tests.support.tls import NOW_MS, a_client_certificate, an_authority, issued


def test_the_authority_speaks_for_localhost_and_configured_names_only():
    authority = an_authority("shop.test")
    assert authority.permitted == ("localhost", "shop.test")
    for name in ("localhost", "api.localhost", "*.shop.test", "a.b.shop.test"):
        assert authority.may_issue(name)
    for name in ("example.com", "myshop.test", "localhost.example.com", "test"):
        assert not authority.may_issue(name)
        with pytest.raises(BadCertificate, match="beyond the local authority"):
            authority.issue([name], NOW_MS)


def test_the_constraint_holds_even_when_the_key_is_stolen(tmp_path):
    authority = an_authority()
    thief = LocalAuthority.make(("bank.example",), NOW_MS)
    stolen = LocalAuthority(thief.certificate, authority.key)  # whatever it says, the root that is trusted does not
    object.__setattr__(stolen, "certificate", authority.certificate)
    with pytest.raises(BadCertificate):
        stolen.issue(["bank.example"], NOW_MS)


def test_an_issued_certificate_says_what_it_is_for():
    authority = an_authority("shop.test")
    certificate, _ = authority.issue(["api.shop.test", "*.api.shop.test"], NOW_MS, addresses=("127.0.0.1",))
    facts = facts_of(certificate)
    assert facts.names == ("api.shop.test", "*.api.shop.test")
    assert facts.common_name == "api.shop.test"
    assert facts.key_algorithm == "EC_prime256v1"
    assert facts.signature_algorithm == "SHA256WITHECDSA"
    assert facts.extended_key_usages == (("TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"),)
    assert facts.not_before_ms < NOW_MS < facts.not_after_ms
    check_chain(certificate, [authority.certificate])


def test_an_authority_is_the_same_after_it_was_written_down():
    authority = an_authority("shop.test")
    again = LocalAuthority.read(*authority.to_pem())
    assert again.certificate == authority.certificate
    assert again.permitted == authority.permitted


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1", "EC_secp384r1"])
def test_keys_of_each_issued_algorithm(algorithm):
    certificate, key = an_authority().issue(["localhost"], NOW_MS, algorithm=algorithm)
    assert facts_of(certificate).key_algorithm == algorithm
    check_key_pair(certificate, read_private_key(key_pem(key)))


def test_other_algorithms_are_refused():
    with pytest.raises(BadCertificate, match="RSA_4096 is not issued"):
        an_authority().issue(["localhost"], NOW_MS, algorithm="RSA_4096")


def test_what_is_no_certificate_is_refused():
    for text in (b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(BadCertificate, match="not valid"):
            read_certificates(text, what="The certificate")
    pem = pem_of(an_authority().certificate).encode()
    with pytest.raises(BadCertificate, match="2 certificates"):
        read_certificates(pem + pem, what="The certificate", count_max=1)


def test_keys_that_cannot_be_used_are_refused_with_the_reason():
    def pem(key, encryption=None):
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            encryption or serialization.NoEncryption(),
        )

    encrypted = pem(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"secret"))
    with pytest.raises(BadCertificate, match="passphrase"):
        read_private_key(encrypted)
    with pytest.raises(BadCertificate, match="use RSA or ECDSA"):
        read_private_key(pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(BadCertificate, match="P-256"):
        read_private_key(pem(ec.generate_private_key(ec.SECP256K1())))
    with pytest.raises(BadCertificate, match="not valid"):
        read_private_key(b"nonsense")


def test_a_key_of_another_certificate_is_refused():
    certificate, _ = an_authority().issue(["localhost"], NOW_MS)
    with pytest.raises(BadCertificate, match="does not match"):
        check_key_pair(certificate, rsa.generate_private_key(public_exponent=65_537, key_size=2048))


def test_a_chain_that_did_not_sign_is_refused():
    certificate, _ = an_authority().issue(["localhost"], NOW_MS)
    with pytest.raises(BadCertificate, match="number 1"):
        check_chain(certificate, [an_authority().certificate])


def test_a_wildcard_stands_for_one_label():
    assert names_match("api.shop.test", ["*.shop.test"])
    assert not names_match("a.b.shop.test", ["*.shop.test"])
    assert not names_match("shop.test", ["*.shop.test"])
    assert not names_match("*.api.shop.test", ["*.shop.test"])
    assert names_match("*.shop.test", ["*.shop.test"])


def test_openssl_believes_what_the_authority_issues(tmp_path):
    authority = an_authority("shop.test")
    pair = issued(authority, "api.shop.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair.in_files(tmp_path, "api"))
    assert context.cert_store_stats()["x509"] == 0


def test_a_client_certificate_has_a_serial_number_in_octets():
    certificate = read_certificates(a_client_certificate(None).certificate.encode(), what="it")[0]
    assert facts_of(certificate).serial == "a1:b2:c3"
    assert facts_of(certificate).subject == "CN=client.shop.test"
