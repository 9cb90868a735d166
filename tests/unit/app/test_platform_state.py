import pytest

from gatepost.app.platform_state import PlatformState


@pytest.mark.parametrize(
    ("gateways", "templates", "expected"),
    [
        (0, {}, (503, "starting")),
        (1, {}, (200, "ready")),
        (1, {"a": "waiting"}, (503, "starting")),
        (1, {"a": "deployed", "b": "deploying"}, (503, "starting")),
        (1, {"a": "deployed", "b": "failed"}, (503, "failed")),
        (1, {"a": "deployed", "b": "deployed"}, (200, "ready")),
        (0, {"a": "deployed"}, (503, "starting")),
    ],
)
def test_ready_means_a_gateway_and_every_template(gateways, templates, expected):
    status, body = PlatformState(lambda: gateways, templates=templates).health()
    assert (status, body["status"]) == expected
