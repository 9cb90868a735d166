import socket
from contextlib import suppress
from dataclasses import replace

import pytest

from gatepost.app.listeners import local_host, open_listeners, url_of
from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError

FREE = Settings(port=0, private_port=0, aws_port=0)


def test_port_0_picks_four_free_ports():
    listeners = open_listeners(FREE)
    ports = {each.getsockname()[1] for each in listeners.all()}
    listeners.close()
    assert len(ports) == 4


def test_a_port_in_use_is_named_with_the_flag_that_moves_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} on 127.0.0.1 is in use.*--aws-port"):
            open_listeners(replace(FREE, aws_port=port))


def test_each_gateway_process_has_listeners_of_its_own_on_the_same_ports():
    listeners = open_listeners(replace(FREE, workers=3))
    public, private, _, tls = (each.getsockname() for each in listeners.all())
    assert len(listeners.more) == 2
    for doors in listeners.more:
        assert [door.getsockname() for door in doors] == [public, private, tls]
    clients = [socket.create_connection(public) for _ in range(40)]
    taken = [0, 0, 0]
    for number, door in enumerate((listeners.public, listeners.more[0][0], listeners.more[1][0])):
        with suppress(BlockingIOError):
            while True:
                door.accept()[0].close()
                taken[number] += 1
    assert sum(taken) == 40
    assert min(taken) > 0
    for client in clients:
        client.close()
    with pytest.raises(SettingsError, match="is in use"):  # not even by someone who would share it
        open_listeners(replace(FREE, port=public[1], workers=3))
    listeners.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(public)


def test_a_host_that_is_no_address_here_is_refused():
    with pytest.raises(SettingsError, match=r"--host 203\.0\.113\.7"):
        open_listeners(replace(FREE, host="203.0.113.7"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("192.0.2.7", "192.0.2.7")],
)
def test_this_machine_reaches_listeners_on_every_address_by_loopback(host: str, expected: str) -> None:
    assert local_host(replace(FREE, host=host)) == expected


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80"), ("box", "http://box:80")]
)
def test_an_ipv6_address_stands_in_brackets(host: str, expected: str) -> None:
    assert url_of(host, 80) == expected
