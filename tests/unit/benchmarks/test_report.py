import pytest
from benchmarks.bars import judge
from benchmarks.figures import COMPILED, LUA_BUCKET, Metric, Run, Suite
from benchmarks.report import render


def a_run(*, gatepost: list[float], lua: list[float]) -> Run:
    suite = Suite("http", "Gateway", configurations={LUA_BUCKET: "worker_processes 1;"})
    case = suite.case("mock", "MOCK", Metric("requests/s"), Metric("CPU-s/1000", "{:.4f}", more_is_better=False))
    for name, rounds in (("Gatepost", gatepost), (LUA_BUCKET, lua)):
        for rate in rounds:
            case.add(name, **{"requests/s": rate, "CPU-s/1000": 1000 / rate})
    case.missing["Caddy"] = "not | installed"
    return Run({"Date": "2026-11-24"}, {"http": suite}, {"caddy": "needs root"})


def test_a_table_has_medians_spread_and_ratios() -> None:
    text = render(a_run(gatepost=[30_000, 60_000, 45_000], lua=[30_000, 29_000, 31_000]))

    assert "| Gatepost | 45,000 [30,000 to 60,000] |" in text
    assert "| nginx+Lua, account's bucket | 30,000 [29,000 to 31,000] | 1.50x |" in text


def test_a_peer_without_figures_is_named_with_the_reason() -> None:
    text = render(a_run(gatepost=[1], lua=[1]))

    assert "- caddy: needs root" in text
    assert "| Caddy | not / installed |" in text
    assert "worker_processes 1;" in text


@pytest.mark.parametrize(("rate", "is_met"), [(39_000, True), (38_900, False)])  # the bar is 1.3 times 30,000
def test_a_bar_is_met_by_the_median(rate: float, is_met: bool) -> None:
    bars = {bar.promise: bar for bar in judge(a_run(gatepost=[1, rate, 90_000], lua=[30_000]))}

    assert bars["MOCK ≥ 1.3x nginx+Lua (compiled 1.5x)"].is_met is is_met


@pytest.mark.parametrize(("rate", "is_met"), [(45_000, True), (44_900, False)])
def test_the_compiled_build_has_its_own_column_and_bar(rate: float, is_met: bool) -> None:
    run = a_run(gatepost=[30_000], lua=[30_000])
    run.suites["http"].cases["mock"].add(COMPILED, **{"requests/s": rate, "CPU-s/1000": 1000 / rate})
    (bar,) = [bar for bar in judge(run) if bar.promise.startswith("MOCK")]

    assert (bar.is_met, bar.is_met_compiled) == (False, is_met)
    assert "1.50x" in bar.compiled


def test_a_bar_that_was_not_measured_is_neither_met_nor_missed() -> None:
    text = render(Run({}))

    assert "| ready in < 1.5 s without templates | - | not measured | - | not measured |" in text
