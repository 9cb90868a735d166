"""What the pure intrinsic functions compute."""

import pytest

from gatepost.templates.functions import availability_zones, base64_text, cidr, select


@pytest.mark.parametrize(
    ("arguments", "blocks"),
    [
        (("192.168.0.0/24", "2", "5"), ["192.168.0.0/27", "192.168.0.32/27"]),
        (("10.0.0.0/16", "1", "8"), ["10.0.0.0/24"]),
        (("2001:db8::/56", "2", "64"), ["2001:db8::/64", "2001:db8:0:1::/64"]),
    ],
)
def test_cidr_cuts_a_block_into_subnets(arguments, blocks):
    assert cidr(*arguments) == blocks


@pytest.mark.parametrize(
    "arguments", [("10.0.0.0/16", "257", "8"), ("10.0.0.0/16", "0", "8"), ("10.0.0.0/28", "1", "8"), ("x", "1")]
)
def test_cidr_refuses_what_does_not_fit(arguments):
    with pytest.raises(ValueError, match=r".+"):
        cidr(*arguments)


def test_select_takes_numbers_and_their_texts():
    assert (select(0, ["a"]), select("1", ["a", "b"])) == ("a", "b")


@pytest.mark.parametrize("index", [-1, 1, None, "x"])
def test_select_refuses_what_is_no_index(index):
    with pytest.raises(ValueError, match="Fn::Select"):
        select(index, ["a"])


def test_base64_is_of_utf_8():
    assert base64_text("é") == "w6k="


def test_a_region_has_three_zones():
    assert availability_zones("eu-west-1") == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
