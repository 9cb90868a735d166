"""Token buckets keep their rate, their burst and their memory of what was taken."""

from __future__ import annotations

import pytest

from gatepost.state.buckets import NS, TokenBucket


def a_bucket(*, rate: float = 2, burst: int = 3) -> TokenBucket:
    return TokenBucket(rate_per_second=rate, burst=burst, now_ns=0)


def taken(bucket: TokenBucket, tries: int, now_ns: int) -> int:
    return sum(bucket.take(now_ns) for _ in range(tries))


@pytest.mark.parametrize(
    ("waited_ms", "expected"),
    [(0, 0), (499, 0), (500, 1), (1_000, 2), (1_499, 2), (1_500, 3), (60_000, 3)],
)
def test_a_bucket_refills_at_its_rate_and_never_over_its_burst(waited_ms: int, expected: int) -> None:
    bucket = a_bucket()
    assert taken(bucket, 4, 0) == 3
    assert taken(bucket, 10, waited_ms * 1_000_000) == expected


@pytest.mark.parametrize("rate", [0.5, 1, 7, 50, 333.3, 10_000])
def test_at_five_times_the_rate_what_is_admitted_is_the_rate_times_the_time_and_the_burst(rate: float) -> None:
    burst, seconds = 20, 60
    bucket = a_bucket(rate=rate, burst=burst)
    tries = int(rate * 5 * seconds)
    admitted = sum(bucket.take(int(at * seconds * NS / tries)) for at in range(tries))
    expected = min(rate * seconds + burst, tries)
    assert abs(admitted - expected) <= max(1, expected * 0.001)


def test_a_bucket_without_a_rate_gives_its_burst_once() -> None:
    bucket = a_bucket(rate=0, burst=2)
    assert taken(bucket, 5, 0) == 2
    assert taken(bucket, 5, 10**15) == 0
    assert bucket.wait_ns(10**15) is None


def test_a_bucket_without_a_burst_gives_nothing_at_any_rate() -> None:
    assert taken(a_bucket(rate=1_000, burst=0), 5, 10**12) == 0


def test_the_wait_is_the_time_until_take_would_succeed() -> None:
    bucket = a_bucket(rate=3, burst=1)
    assert bucket.take(0)
    wait_ns = bucket.wait_ns(0)
    assert wait_ns is not None
    assert not bucket.take(wait_ns - 10)
    assert bucket.take(wait_ns)


def test_a_change_counts_from_now_on() -> None:
    bucket = a_bucket(rate=1, burst=10)
    assert taken(bucket, 8, 0) == 8
    bucket.change(rate_per_second=100, burst=5, now_ns=0)
    assert taken(bucket, 9, 0) == 2
    assert taken(bucket, 9, NS // 100) == 1
    bucket.change(rate_per_second=100, burst=50, now_ns=NS // 100)
    assert taken(bucket, 99, NS // 100) == 45


def test_what_is_given_back_never_exceeds_the_burst() -> None:
    bucket = a_bucket(burst=3)
    bucket.give_back(5)
    assert taken(bucket, 9, 0) == 3
