from __future__ import annotations

import pytest

from gatepost.config import Settings
from gatepost.gateway.vpc_endpoints import VpcEndpoints, parse_vpc_endpoint


def test_the_first_endpoint_that_takes_an_address_is_the_callers():
    endpoints = VpcEndpoints(["vpce-1=vpc-1,10.0.0.0/8,fd00::/8", "vpce-2,10.1.0.0/16,192.168.0.1"])
    found = {
        address: endpoints.find(address)
        for address in ("10.1.2.3", "fd00::1", "192.168.0.1", "192.168.0.2", "127.0.0.1")
    }
    assert [each and each.id for each in found.values()] == ["vpce-1", "vpce-1", "vpce-2", None, None]
    assert endpoints.find("10.1.2.3") is found["10.1.2.3"]
    assert endpoints.find("192.168.0.1").vpc_id == ""


def test_without_any_there_is_one_for_everybody():
    found = VpcEndpoints([]).find("203.0.113.9")
    assert found.id.startswith("vpce-")
    assert found.vpc_id.startswith("vpc-")


@pytest.mark.parametrize("text", ["", "eni-1", "vpce-1=subnet-1", "vpce-1,10.0.0.0/33", "vpce-1,", "vpce-1 ,10.0.0.1"])
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_vpc_endpoint(text)
    assert any("--vpc-endpoint" in each for each in Settings(vpc_endpoints=(text,)).problems())


def test_settings_take_what_the_gateway_takes():
    assert Settings(vpc_endpoints=("vpce-1=vpc-1,10.0.0.0/8", "vpce-2")).problems() == []
