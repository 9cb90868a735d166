"""The speeds and sizes that were promised, compared with what a run measured. Pure."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.figures import COMPILED, GATEPOST, LUA_BUCKET, Bar, Run


def judge(run: Run) -> list[Bar]:
    """Give every bar in order, those that this run did not measure too."""
    return [
        replace(bar, compiled=compiled.measured, is_met_compiled=compiled.is_met)
        for bar, compiled in zip(_judge(run, GATEPOST), _judge(run, COMPILED), strict=True)
    ]


def _judge(run: Run, server: str) -> list[Bar]:
    judged = _Judge(run, server)
    requests, mock, proxy = "requests/s", "http/mock", "http/proxy"
    cpu = "per CPU-second"
    return [
        judged.ratio(
            "MOCK ≥ 1.3x nginx+Lua (compiled 1.5x)", mock, requests, LUA_BUCKET, 1.5 if server == COMPILED else 1.3
        ),
        judged.ratio("HTTP_PROXY ≥ 0.75x nginx+Lua (aim 1.0x)", proxy, requests, LUA_BUCKET, 0.75),
        judged.ratio("HTTP_PROXY ≥ 1.3x Envoy (aim 1.7x)", proxy, requests, "Envoy", 1.3),
        judged.ratio(
            "cached answers with keys, throttles, quotas ≥ 1.3x nginx+Lua (compiled 1.5x)",
            "limits/hits",
            requests,
            "nginx+Lua",
            1.5 if server == COMPILED else 1.3,
        ),
        judged.below("their p99 < 5 ms at half the peak rate", "limits/hits", "p99 µs", 5_000),
        judged.added("all limits together ≤ 5 µs of CPU", "limits/all", "limits/open", "CPU-s/1000", 0.005),
        judged.share("with Valkey ≥ 60 % of that", "limits/valkey", "limits/hits", requests, 1 / 0.6),
        judged.below("a million API keys in < 1 GB of the gateway", "keys/keys", "gateway MB", 1_000),
        judged.below("loaded in < 10 s", "keys/keys", "loaded s", 10),
        judged.below("while no request waits for 100 ms", "keys/keys", "longest pause ms", 100),
        judged.within("and none costs more CPU (1.1x)", "keys/keys", "µs CPU all keys", "µs CPU few keys", 1.1),
        judged.ratio(
            "verified tokens ≥ 1.3x nginx+Lua (compiled 1.5x)",
            "tokens/known",
            requests,
            "nginx+Lua",
            1.5 if server == COMPILED else 1.3,
        ),
        judged.below("first verification of a token < 100 µs", "tokens/first", "µs CPU", 100),
        judged.below("a policy of 20 statements < 20 µs", "tokens/policy", "µs CPU", 20),
        judged.ratio(
            "sign-ins by password ≥ 0.9x argon2-cffi alone, per CPU-second", "signin/password", cpu, "argon2-cffi", 0.9
        ),
        judged.times(
            "another route's p99 < 2x while they saturate", "signin/others-saturated", "signin/others", "p99 µs", 2.0
        ),
        judged.exact("at five times the rate, admitted within 1 % on one platform", "accuracy/one"),
        judged.exact("within the stated bound on four that share a server", "accuracy/four"),
        judged.share("a validated, templated POST of 1 KB ≤ 2x a MOCK", "methods/validated", "methods/plain", cpu, 2.0),
        judged.share("one of 1,000 routes ≤ 1.2x one of 10", "methods/routes-1000", "methods/routes-10", cpu, 1.2),
        judged.below("300 routes deployed in < 0.3 s", "methods/deploying", "seconds", 0.3),
        judged.at_least("AWS_PROXY ≥ 8,000 invocations/s at 16 clients", "functions/16", "invocations/s", 8_000),
        judged.below("AWS_PROXY p50 < 400 µs at 2 clients", "functions/2", "p50 µs", 400),
        judged.below("AWS_PROXY p99 < 10 ms at 64 connections, 5,000/s, 2 KB", "functions/paced", "p99 µs", 10_000),
        judged.ratio("GetItem per CPU-second ≥ 5x MiniStack", "tables/GetItem", cpu, "MiniStack", 5.0),
        judged.ratio("GetItem per CPU-second ≥ 1.5x dynalite (aim 2x)", "tables/GetItem", cpu, "dynalite", 1.5),
        judged.ratio("PutItem per CPU-second ≥ 1x dynalite", "tables/PutItem", cpu, "dynalite", 1.0),
        judged.ratio("Query of 100 items per CPU-second ≥ 3x dynalite", "tables/Query", cpu, "dynalite", 3.0),
        judged.share("a stream adds ≤ 20 % CPU to PutItem", "tables/streamed", "tables/PutItem", cpu, 1.2),
        judged.growth("CPU per GetItem at a million items ≤ 1.3x that at a thousand", "tables/size", 1.3),
        judged.growth("CPU per Query in the large table ≤ 1.5x that at a thousand", "tables/size-query", 1.5),
        judged.below("ready in < 1.5 s without templates", "start/start", "ready s", 1.5),
        judged.below("idle memory of the gateway process < 60 MB", "start/memory", "gateway MB", 60),
        judged.below("idle memory of the services process < 80 MB", "start/memory", "services MB", 80),
    ]


class _Judge:
    """Looks figures up in a run."""

    def __init__(self, run: Run, server: str) -> None:
        self._server = server
        self._cases = {f"{name}/{key}": case for name, suite in run.suites.items() for key, case in suite.cases.items()}

    def ratio(self, promise: str, case: str, metric: str, beside: str, least: float) -> Bar:
        """Compare Gatepost's median with a peer's."""
        found = self._cases[case].ratio(metric, self._server, beside) if case in self._cases else None
        if found is None:
            return Bar(promise, "-", None)
        told = f"{found:.2f}x"
        by_cpu = self._cases[case].ratio("CPU-s/1000", beside, self._server)
        if by_cpu is not None:
            told += f" (by CPU per request {by_cpu:.2f}x)"
        return Bar(promise, told, found >= least)

    def at_least(self, promise: str, case: str, metric: str, least: float) -> Bar:
        """Compare Gatepost's median with a figure that it must reach."""
        found = self._median(case, metric)
        return Bar(promise, "-", None) if found is None else Bar(promise, f"{found:,.0f}", found >= least)

    def below(self, promise: str, case: str, metric: str, bound: float) -> Bar:
        """Compare Gatepost's median with a figure that it must stay below."""
        found = self._median(case, metric)
        return (
            Bar(promise, "-", None)
            if found is None
            else Bar(promise, f"{found:,.3g}" if found < 10 else f"{found:,.0f}", found < bound)
        )

    def share(self, promise: str, case: str, plain: str, metric: str, most: float) -> Bar:
        """Compare what a case costs with what a plainer one does; the metric counts requests per cost."""
        with_it, without = self._median(case, metric), self._median(plain, metric)
        if with_it is None or without is None:
            return Bar(promise, "-", None)
        return Bar(promise, f"{without / with_it - 1:+.0%}", without / with_it <= most)

    def times(self, promise: str, case: str, plain: str, metric: str, most: float) -> Bar:
        """Compare a latency with what it is in a plainer case."""
        with_it, without = self._median(case, metric), self._median(plain, metric)
        if with_it is None or without is None:
            return Bar(promise, "-", None)
        return Bar(promise, f"{with_it / without:.2f}x", with_it / without < most)

    def within(self, promise: str, case: str, metric: str, plain: str, most: float) -> Bar:
        """Compare two costs of one case."""
        with_it, without = self._median(case, metric), self._median(case, plain)
        if with_it is None or not without:
            return Bar(promise, "-", None)
        return Bar(promise, f"{with_it / without:.2f}x", with_it / without <= most)

    def exact(self, promise: str, key: str) -> Bar:
        """Compare how far each layer of limits is from the arithmetic with its bound; tell the worst."""
        case = self._cases.get(key) if self._server == GATEPOST else None
        worst, is_met = 0.0, True
        for layer in case.samples if case is not None else ():
            off, bound = (case.median(layer, metric) or 0.0 for metric in ("off %", "bound %"))  # type: ignore[union-attr]
            worst, is_met = max(worst, off), is_met and off <= bound
        return Bar(promise, "-", None) if case is None else Bar(promise, f"{worst:.2f} %", is_met)

    def added(self, promise: str, case: str, plain: str, metric: str, most: float) -> Bar:
        """Compare what a case costs more than a plainer one; the metric is in CPU seconds per 1,000 requests."""
        with_it, without = self._median(case, metric), self._median(plain, metric)
        if with_it is None or without is None:
            return Bar(promise, "-", None)
        return Bar(promise, f"{1000 * (with_it - without):.1f} µs", with_it - without <= most)

    def growth(self, promise: str, key: str, most: float) -> Bar:
        """Compare the CPU of a read of the large table with that of the small one."""
        case = self._cases.get(key) if self._server == GATEPOST else None
        small, large = (case.median(size, "µs CPU") if case else None for size in ("small", "large"))
        if small is None or large is None:
            return Bar(promise, "-", None)
        return Bar(promise, f"{large / small:.2f}x", large / small <= most)

    def _median(self, case: str, metric: str) -> float | None:
        return self._cases[case].median(self._server, metric) if case in self._cases else None
