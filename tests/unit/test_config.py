from dataclasses import replace

import pytest

from gatepost.config import Settings


def test_the_defaults_are_sound():
    assert Settings().problems() == []


@pytest.mark.parametrize(
    "url", ["valkey://h", "valkeys://u:p@h:1/2", "valkey://a:1,b,c:3/0", "valkey://[::1]:6379,[fe80::1]"]
)
def test_shared_state_is_one_server_or_several(url):
    assert Settings(state_url=url).problems() == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"port": 65_536}, "--port is 65536: use 0 to 65535"),
        ({"aws_port": -1}, "--aws-port is -1"),
        ({"account_id": "123"}, "use 12 digits"),
        ({"account_id": "1234567890１２"}, "use 12 digits"),
        ({"region": ""}, "--region is '': use a name such as us-east-1"),
        ({"region": "eu-west-1\n"}, "--region"),
        ({"region": "EU"}, "--region"),
        ({"any_credentials": True, "host": "0.0.0.0"}, "loopback"),
        ({"drain_ms": 60_001}, "use 0 to 60000"),
        ({"state_url": "http://h"}, "--state: use valkey://HOST"),
        ({"state_url": "valkey://a,"}, "--state: use valkey://HOST"),
        ({"state_url": "valkey://a,b:x"}, "--state: use valkey://HOST"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(change, problem):
    (found,) = replace(Settings(), **change).problems()
    assert problem in found
