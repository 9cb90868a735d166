from __future__ import annotations

import pytest

from gatepost.gateway.backends.refusal import AlwaysRefuses
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, MISSING_AUTHENTICATION_TOKEN, Refusal
from tests.support.gateways import an_exchange


def test_every_request_is_refused_for_the_one_reason():
    with pytest.raises(Refusal) as refused:
        AlwaysRefuses(API_CONFIGURATION_ERROR, "no integration").answer(an_exchange())
    assert (refused.value.kind, refused.value.detail) == (API_CONFIGURATION_ERROR, "no integration")


def test_the_reason_stands_in_the_plan():
    assert repr(AlwaysRefuses(API_CONFIGURATION_ERROR, "why")) == "AlwaysRefuses(API_CONFIGURATION_ERROR: why)"
    assert repr(AlwaysRefuses(MISSING_AUTHENTICATION_TOKEN)) == "AlwaysRefuses(MISSING_AUTHENTICATION_TOKEN)"
