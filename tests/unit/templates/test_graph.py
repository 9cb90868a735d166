"""Work in the order of dependencies."""

import asyncio

from gatepost.templates.graph import CONCURRENT_MAX, reversed_needs, run_in_order


def run(needs, work, **options):
    return asyncio.run(run_in_order(needs, work, **options))


def test_what_is_needed_ends_before_what_needs_it_begins():
    log = []

    async def work(name):
        log.append(f"+{name}")
        await asyncio.sleep(0)
        log.append(f"-{name}")

    assert run({"c": ["b"], "b": ["a"], "a": [], "d": ["nowhere"]}, work) == {}
    assert log.index("-a") < log.index("+b") < log.index("-b") < log.index("+c")


def test_independent_work_runs_side_by_side_but_bounded():
    running = most = 0

    async def work(name):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    run({str(index): [] for index in range(50)}, work)
    assert most == CONCURRENT_MAX


def test_after_a_failure_nothing_new_begins():
    done = []

    async def work(name):
        if name == "bad":
            raise RuntimeError(name)
        done.append(name)

    failures = run({"bad": [], "after": ["bad"], "later": ["after"]}, work)
    assert (list(failures), done) == (["bad"], [])


def test_a_deletion_goes_on_with_what_it_can():
    done = []

    async def work(name):
        if name == "bad":
            raise RuntimeError(name)
        done.append(name)

    needs = {"bad": [], "after": ["bad"], "other": []}
    assert list(run(needs, work, goes_on_after_failure=True)) == ["bad"]
    assert done == ["other"]


def test_stopping_lets_nothing_new_begin():
    done = []

    async def work(name):
        done.append(name)

    run({"a": [], "b": ["a"]}, work, is_stopped=lambda: bool(done))
    assert done == ["a"]


def test_arrows_are_turned_round():
    assert reversed_needs({"a": ["b", "x"], "b": [], "c": ["b"]}) == {"a": set(), "b": {"a", "c"}, "c": set()}
