"""`python -m benchmarks`: install the peers, measure, write the report."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Run
from benchmarks.installation import Installation
from benchmarks.machine import describe
from benchmarks.options import HOME, QUICK, RESULTS, ROOT, SUITES, Options, find_cores
from benchmarks.processes import PeerFailed
from benchmarks.report import render


def read_options(arguments: list[str]) -> tuple[Options, Path | None]:
    """Read the command line: what to measure, and where to write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Gatepost beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a smoke test of everything in about three minutes")
    parser.add_argument("--rounds", type=int, help="interleaved rounds of each measurement (default 5, 1 to 20)")
    parser.add_argument("--seconds", type=float, help="length of one measurement (default 3, 1 to 30)")
    parser.add_argument(
        "--large-table", type=int, help="items of the large table (default 1,000,000; 1,000 to 20,000,000)"
    )
    parser.add_argument("--suite", action="append", choices=SUITES, help="measure only this; may be repeated")
    parser.add_argument("--durability", choices=("full", "process"), default="full", help="Gatepost's setting")
    parser.add_argument(
        "--output", type=Path, help="where the report goes (default: benchmarks/RESULTS.md when complete)"
    )
    chosen = parser.parse_args(arguments)
    options = replace(QUICK if chosen.quick else Options(), durability=chosen.durability)
    if chosen.rounds is not None:
        options = replace(options, rounds=min(20, max(1, chosen.rounds)))
    if chosen.seconds is not None:
        options = replace(options, seconds=min(30.0, max(1.0, chosen.seconds)))
    if chosen.large_table is not None:
        count = min(20_000_000, max(1_000, chosen.large_table))
        seconds = max(options.large_table_seconds_max, count / 5_000)
        options = replace(options, large_table_items=count, large_table_seconds_max=seconds)
    if chosen.suite:
        options = replace(options, suites=tuple(name for name in SUITES if name in chosen.suite))
    return options, chosen.output


def main(arguments: list[str]) -> int:
    """Run the benchmarks; 1 when a suite broke."""
    options, output = read_options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    cores = find_cores()
    print("Installing peers …", flush=True)
    installation = Installation()
    installation.prepare()
    for name, reason in installation.missing.items():
        print(f"  missing: {name}: {reason}", flush=True)
    if "wrk" in installation.missing:
        print("wrk is missing, and it makes the load: nothing can be measured.", file=sys.stderr)
        return 1
    run = Run(describe(options, cores, installation), missing=dict(installation.missing))
    failed = 0
    started = time.monotonic()
    for name in options.suites:
        print(f"Suite {name} …", flush=True)
        try:
            run.suites[name] = importlib.import_module(f"benchmarks.suites.{name}").run(options, cores, installation)
        except PeerFailed as error:
            print(f"  suite {name} broke: {error}", file=sys.stderr)
            run.missing[f"suite {name}"] = str(error)
            failed = 1
        shutil.rmtree(HOME / "run", ignore_errors=True)
    run.facts["Took"] = f"{(time.monotonic() - started) / 60:.1f} minutes"
    (HOME / "samples.json").write_text(json.dumps(run.to_json(), indent=1))
    place = output or (RESULTS if options.is_complete and not failed else HOME / "RESULTS.md")
    text = render(run)
    place.write_text(text.replace(f"{ROOT}/", ""))  # configurations name their files: read them from here
    print(text)
    print(f"Written to {place}; samples in {HOME / 'samples.json'}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
