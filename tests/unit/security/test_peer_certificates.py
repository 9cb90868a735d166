from __future__ import annotations

import ssl

import pytest
import uvloop

from gatepost.kernel.clock import SystemClock
from gatepost.security.peer_certificates import problem_with, unverified_context
from gatepost.wire.client import Client
from gatepost.wire.outgoing import ConnectFailed
from tests.support.certificates import a_certificate, server_context, terms
from tests.unit.wire.test_client import a_request, a_server, a_socket, echo

IN_2025_MS = 1_750_000_000_000


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.parametrize(
    ("name", "host", "said"),
    [
        ("localhost", "localhost", ""),
        ("localhost", "LOCALHOST", ""),
        ("localhost", "127.0.0.1", ""),
        ("localhost", "127.0.0.2", "is not for 127.0.0.2"),
        ("localhost", "example.com", "is not for example.com"),
        ("*.example.com", "api.example.com", ""),
        ("*.example.com", "example.com", "is not for"),
        ("*.example.com", "a.b.example.com", "is not for"),
        ("*.com", "example.com", "is not for"),
    ],
)
def test_a_certificate_is_for_the_names_that_stand_in_it(tmp_path, name, host, said):
    certificate, _ = a_certificate(tmp_path, name)
    found = problem_with(der_of(certificate), host, IN_2025_MS)
    assert found == "" if not said else said in found


def test_a_certificate_has_its_time(tmp_path):
    certificate, _ = a_certificate(tmp_path)
    assert "not valid before" in problem_with(der_of(certificate), "localhost", 1_000_000_000_000)
    assert "expired" in problem_with(der_of(certificate), "localhost", 5_000_000_000_000)
    assert "cannot be read" in problem_with(b"nonsense", "localhost", IN_2025_MS)


@pytest.mark.parametrize("is_taken", [True, False])
def test_any_issuer_is_taken_but_not_any_name(tmp_path, is_taken):
    tls, _ = server_context(tmp_path)
    looked = []

    def check(der, host):
        looked.append(host)
        return problem_with(der, host if is_taken else "other.example", IN_2025_MS)

    async def scenario():
        client = Client(clock=SystemClock(), tls=unverified_context(), check_certificate=check)
        server = a_server(echo)
        await server.serve(a_socket(), tls=terms(tls))
        try:
            return await client.send(a_request(server.addresses[0][1], is_tls=True))
        finally:
            await client.close()
            await server.drain(0)

    if is_taken:
        assert uvloop.run(scenario()).status == 200
    else:
        with pytest.raises(ConnectFailed, match=r"is not for other\.example"):
            uvloop.run(scenario())
    assert looked == ["127.0.0.1"]
