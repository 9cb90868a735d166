from __future__ import annotations

import pytest

from gatepost.gateway.guards.endpoint import for_deployment
from gatepost.gateway.responses import FORBIDDEN, Refusal
from tests.support.gateways import a_deployment, a_stage, an_exchange


def test_a_disabled_endpoint_refuses_everything_and_an_enabled_one_has_no_guard():
    guard = for_deployment(a_deployment({}, is_execute_api_endpoint_disabled=True), a_stage(), None)
    with pytest.raises(Refusal) as refused:
        guard.check(an_exchange())
    assert refused.value.kind is FORBIDDEN
    assert for_deployment(a_deployment({}), a_stage(), None) is None
