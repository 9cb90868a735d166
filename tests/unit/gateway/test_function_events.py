from __future__ import annotations

import asyncio

import pytest

from gatepost.gateway.function_events import SessionEvents
from gatepost.gateway.responses import API_CONFIGURATION_ERROR, INTERNAL_ERROR, Refusal
from gatepost.gateway.role_session import RoleSession
from gatepost.gateway.service_calls import ServiceCalls, Sessions
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import Credentials, ServiceAnswer
from gatepost.kernel.tasks import Tasks
from tests.support.gateways import FUNCTION, an_exchange
from tests.unit.gateway.backends.test_aws_service import Services


class Roles:
    """Gives the same session for every role."""

    def assume(self, role_arn, *, service, session_name, duration_s=3600):
        return Credentials("ASIA", "secret", "token", expires_at_ms=10**15)


def accepted(services):
    async def scenario():
        sessions = Sessions(RoleSession(Roles(), "arn:aws:iam::1:role/r"))
        calls = ServiceCalls(services, sessions, timeout_ms=1_000, clock=FixedClock(), tasks=Tasks("t"))
        await SessionEvents(FUNCTION, "us-east-1", calls).accept(an_exchange(), b'{"a": 1}')

    asyncio.run(scenario())


def test_with_a_role_an_event_is_an_invocation_of_lambdas_own_api():
    services = Services(202, b"", ())
    accepted(services)
    (request,) = services.requests
    assert (request.service, request.method, request.body) == ("lambda", "POST", b'{"a": 1}')
    assert request.path == f"/2015-03-31/functions/{FUNCTION.replace(':', '%3A')}/invocations"
    assert request.headers == [(b"X-Amz-Invocation-Type", b"Event")]
    assert (request.access_key_id, request.session_token) == ("ASIA", "token")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ServiceAnswer(403, (), b'{"Message":"no"}'), API_CONFIGURATION_ERROR),
        (ServiceUnavailable("The services role is gone"), INTERNAL_ERROR),
    ],
)
def test_an_event_that_lambda_does_not_take_is_refused(answer, kind):
    services = Services()
    services.answer = answer
    with pytest.raises(Refusal) as refused:
        accepted(services)
    assert refused.value.kind is kind
