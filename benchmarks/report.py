"""The report: facts, a table for each case, the bars, and how every server was configured. Pure."""

from __future__ import annotations

from benchmarks.bars import judge
from benchmarks.figures import GATEPOST, Case, Metric, Run, Suite


def render(run: Run) -> str:
    """Give the whole report as Markdown."""
    lines = ["# Benchmarks", "", "Written by `make bench`. Read the ratios: machines differ, and so do days.", ""]
    lines += [f"- {name}: {value}" for name, value in run.facts.items()]
    if run.missing:
        lines += ["", "Not measured:", ""]
        lines += [f"- {name}: {reason}" for name, reason in run.missing.items()]
    for suite in run.suites.values():
        lines += ["", f"## {suite.title}", ""]
        lines += [f"- {sentence}" for sentence in suite.how]
        for case in suite.cases.values():
            lines += ["", f"### {case.title}", "", *_table(case)]
            lines += ["", *case.notes] if case.notes else []
    lines += ["", "## Bars", "", "| bar | interpreted | met | compiled | met |", "|---|---|---|---|---|"]
    verdicts = {True: "yes", False: "**no**", None: "not measured"}
    for bar in judge(run):
        cells = (bar.promise, bar.measured, verdicts[bar.is_met], bar.compiled, verdicts[bar.is_met_compiled])
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Configurations", ""]
    for suite in run.suites.values():
        lines += _configurations(suite)
    return "\n".join(lines) + "\n"


def _table(case: Case) -> list[str]:
    heads = ["server"]
    is_compared = GATEPOST in case.samples and len(case.samples) > 1
    for metric in case.metrics:
        heads += [metric.name, "Gatepost is"] if is_compared else [metric.name]
    rows = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for server in case.samples:
        cells = [server]
        for metric in case.metrics:
            cells.append(_figure(case, server, metric))
            if is_compared:
                cells.append(_ratio(case, server, metric))
        rows.append("| " + " | ".join(cells) + " |")
    rows += [
        f"| {server} | {reason.replace('|', '/')[:200]} |" + " |" * (len(heads) - 2)
        for server, reason in case.missing.items()
    ]
    return rows


def _figure(case: Case, server: str, metric: Metric) -> str:
    rounds = case.samples[server].get(metric.name)
    median = case.median(server, metric.name)
    if not rounds or median is None:
        return "-"
    if len(rounds) == 1:
        return metric.form.format(median)
    return f"{metric.form.format(median)} [{metric.form.format(min(rounds))} to {metric.form.format(max(rounds))}]"


def _ratio(case: Case, server: str, metric: Metric) -> str:
    if server == GATEPOST:
        return ""
    ratio = case.ratio(metric.name, GATEPOST, server)
    return "-" if ratio is None else f"{ratio:.2f}x"


def _configurations(suite: Suite) -> list[str]:
    lines = []
    for server, text in suite.configurations.items():
        lines += [
            f"<details><summary>{suite.title}: {server}</summary>",
            "",
            "```",
            text.strip(),
            "```",
            "",
            "</details>",
            "",
        ]
    return lines
