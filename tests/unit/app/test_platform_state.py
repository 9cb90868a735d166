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


def figures(count, median, highest, failed=0):
    return {
        "key": ["a1", "prod"],
        "usage_key": "a1/prod",
        "count": count,
        "4xx": 0,
        "5xx": failed,
        "latency_p50_ms": median,
        "latency_p99_ms": highest,
        "integration_latency_p50_ms": 0.0,
    }


def test_the_figures_of_several_gateways_are_told_together():
    state = PlatformState(lambda: 2)
    state.take_figures("local", 7, [figures(30, 1.0, 9.0)])
    state.take_figures("local-2", 8, [figures(10, 2.0, 5.0, failed=1), {**figures(1, 1.0, 1.0), "key": ["b2", "prod"]}])
    state.take_figures("local", 9, [figures(30, 1.0, 9.0)])
    first, second = state.apis()
    assert (first["count"], first["5xx"], first["latency_p50_ms"], first["latency_p99_ms"]) == (40, 1, 1.25, 9.0)
    assert second["count"] == 1


def test_each_gateway_process_has_a_row_whether_it_is_there_or_not():
    state = PlatformState(lambda: 2)
    state.take_figures("local-2", 8, [])
    assert state.gateway_roles({"local-2", "local"}, 3) == [
        {"role": "gateway", "state": "ready"},
        {"role": "gateway-2", "state": "ready", "pid": 8},
        {"role": "gateway-3", "state": "not connected"},
    ]


def test_what_stands_ready_in_several_gateways_adds_up():
    state = PlatformState(lambda: 2)
    assert state.take_readiness("local", {"f:1": {"ready": 1, "failure": ""}}) == {"f:1": {"ready": 1, "failure": ""}}
    both = state.take_readiness("local-2", {"f:1": {"ready": 2, "failure": "no room"}})
    assert both == {"f:1": {"ready": 3, "failure": "no room"}}
