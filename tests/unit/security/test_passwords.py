"""Passwords are hashed within bounds, beside the event loop, and an unknown user costs what a known one costs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gatepost.security.passwords import PASSWORD_BYTES_MAX, Passwords, TooManyPasswords

CHEAP: dict[str, Any] = {"memory_kib": 64, "passes": 1}


def with_passwords(scenario: Callable[[Passwords], Awaitable[Any]], **options: Any) -> Any:
    passwords = Passwords(**{**CHEAP, **options})

    async def run() -> Any:
        try:
            return await scenario(passwords)
        finally:
            passwords.close()

    return asyncio.run(run())


def test_only_the_password_that_was_hashed_verifies() -> None:
    async def scenario(passwords: Passwords) -> list[bool]:
        kept = await passwords.hash("Correct horse 1!")
        tries = ["Correct horse 1!", "correct horse 1!", "", "Correct horse 1! ", "Correct horse 1!\x00"]
        return [await passwords.verify(kept, one) for one in tries]

    assert with_passwords(scenario) == [True, False, False, False, False]


def test_the_default_costs_are_19_mib_in_two_passes_and_stand_in_the_hash() -> None:
    async def scenario(passwords: Passwords) -> str:
        return await passwords.hash("x")

    assert with_passwords(scenario, memory_kib=19 * 1024, passes=2).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert Passwords()._costs == (19 * 1024, 2, 1)


def test_equal_passwords_have_different_hashes() -> None:
    async def scenario(passwords: Passwords) -> set[str]:
        return {await passwords.hash("x"), await passwords.hash("x")}

    assert len(with_passwords(scenario)) == 2


def test_nobody_has_no_password_and_is_checked_against_a_hash_of_the_same_costs() -> None:
    async def scenario(passwords: Passwords) -> tuple[bool, str, bool]:
        return await passwords.verify(None, "x"), passwords._nobody, await passwords.verify(None, "")

    first, nobody, second = with_passwords(scenario)
    assert (first, second) == (False, False)
    assert nobody.startswith("$argon2id$v=19$m=64,t=1,p=1$")


@pytest.mark.parametrize("kept", ["", "plain", "$argon2id$v=19$m=64,t=1,p=1$", "$2b$12$abc"])
def test_a_hash_that_is_broken_verifies_nothing(kept: str) -> None:
    async def scenario(passwords: Passwords) -> bool:
        return await passwords.verify(kept, "plain")

    assert with_passwords(scenario) is False


def test_a_password_beyond_the_bound_is_not_hashed_and_never_verifies() -> None:
    async def scenario(passwords: Passwords) -> bool:
        await passwords.hash("x" * PASSWORD_BYTES_MAX)
        with pytest.raises(ValueError, match="1024"):
            await passwords.hash("x" * (PASSWORD_BYTES_MAX + 1))
        return await passwords.verify(await passwords.hash(""), "x" * 100_000)

    assert with_passwords(scenario) is False


def test_a_hash_made_at_other_costs_is_outdated() -> None:
    async def scenario(passwords: Passwords) -> list[bool]:
        kept = await passwords.hash("x")
        return [passwords.is_outdated(kept), Passwords(memory_kib=128, passes=1).is_outdated(kept)]

    assert with_passwords(scenario) == [False, True]


def test_no_more_run_and_wait_than_said() -> None:
    both_run, gate, running, most = threading.Event(), threading.Event(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                both_run.set()
        gate.wait(10)
        with lock:
            running -= 1

    async def scenario(passwords: Passwords) -> None:
        jobs = [asyncio.ensure_future(passwords.run(work)) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyPasswords):
            await passwords.verify(None, "x")
        gate.set()
        await asyncio.gather(*jobs)
        assert await passwords.verify(None, "x") is False

    with_passwords(scenario, threads=2, waiting_max=3)
    assert most == 2


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux gives each thread a nice value")
def test_hashing_threads_give_way_to_the_event_loop() -> None:
    async def scenario(passwords: Passwords) -> int:
        return await passwords.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert with_passwords(scenario) == max(here, 10)
    assert os.getpriority(os.PRIO_PROCESS, 0) == here


@pytest.mark.parametrize("costs", [{"memory_kib": 7}, {"passes": 0}, {"lanes": 0}, {"memory_kib": 15, "lanes": 2}])
def test_costs_that_argon2_does_not_know_are_refused(costs: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="argon2"):
        Passwords(**{**CHEAP, **costs})
