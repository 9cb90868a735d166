"""Bounds of listeners and clients."""

import pytest

from gatepost.kernel import limits as aws
from gatepost.wire.limits import STATUS_OF_REASON, ListenerLimits, WireRefusal
from gatepost.wire.outgoing import ClientLimits


@pytest.mark.parametrize("kind", [ListenerLimits, ClientLimits])
def test_no_bound_can_be_switched_off(kind):
    for name in kind.__dataclass_fields__:
        with pytest.raises(ValueError, match=f"{name} is 0: use 1 or more"):
            kind(**{name: 0})


def test_a_listeners_defaults_are_api_gateways():
    limits = ListenerLimits()
    assert limits.head_bytes_max == aws.API_GATEWAY_HEADERS_BYTES_MAX
    assert limits.body_bytes_max == aws.API_GATEWAY_BODY_BYTES_MAX


def test_every_reason_has_the_status_of_an_error():
    assert all(WireRefusal(reason, "").status == status >= 400 for reason, status in STATUS_OF_REASON.items())
