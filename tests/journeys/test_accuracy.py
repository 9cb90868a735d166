"""At five times the rate each layer of limits admits what the arithmetic says: alone, and on four platforms."""

from __future__ import annotations

import pytest
from benchmarks.suites.accuracy import NODES, Found, measure, some_platforms


def check(found: list[Found], *, held_up_s: float = 0.0) -> None:
    """Compare with the arithmetic; a client that was held up for so long measured another time than the server."""
    told = [f"{each.layer.name}: {dict(each.statuses)}, {each.off:.2%} off, {each.bound:.2%} allowed" for each in found]
    print("\n".join(told))
    *layers, usage = found
    assert [each.layer.name for each in layers] == ["plan, method", "plan", "stage, method", "quota", "account"]
    assert all(set(each.statuses) <= {200, 429} for each in layers), told
    for each in found:
        assert each.off <= each.bound + held_up_s * each.layer.rate / each.expected, told
    assert usage.statuses[200] == usage.expected > 0


@pytest.mark.parametrize("count", [1, NODES])
def test_every_layer_admits_what_the_arithmetic_says_and_usage_is_what_the_client_counted(count: int) -> None:
    with some_platforms(count) as platforms:
        check(measure(platforms, 4.0), held_up_s=0.1)


@pytest.mark.soak
@pytest.mark.parametrize(("count", "workers"), [(1, 1), (1, 3), (NODES, 1)])
def test_every_layer_is_within_its_bound_for_a_minute(count: int, workers: int) -> None:
    with some_platforms(count, workers=workers) as platforms:
        check(measure(platforms, 60.0, workers=workers))
