"""Who may have how many of the machine's workers: reservations are a floor and a ceiling, as on AWS.

All versions of a function share its reservation. Functions without one share what nobody has reserved.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gatepost.services.lambda_.runner.pool import FunctionPool, too_many_requests

RESERVED: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"


class Shares:
    """The reservations of all functions. It is false while there are none, which costs invocations nothing."""

    def __init__(self) -> None:
        self._reserved: dict[str, int] = {}  # by unqualified ARN
        self._families: dict[str, list[FunctionPool]] = {}

    def __bool__(self) -> bool:
        return bool(self._reserved)

    def add(self, pool: FunctionPool) -> None:
        """Take note of a version's pool."""
        self._families.setdefault(pool.base_arn, []).append(pool)

    def remove(self, pool: FunctionPool) -> None:
        """Forget a version's pool, and with the last one the reservation."""
        family = self._families.get(pool.base_arn, [])
        if pool in family:
            family.remove(pool)
        if not family:
            self._families.pop(pool.base_arn, None)
            self._reserved.pop(pool.base_arn, None)

    def reserve(self, arn: str, count: int | None) -> None:
        """Reserve `count` executions for the function with this unqualified ARN from now on; None: no more."""
        if count is None:
            self._reserved.pop(arn, None)
        else:
            self._reserved[arn] = count

    def is_reserved(self, pool: FunctionPool) -> bool:
        """Say whether the pool's function has a reservation."""
        return pool.base_arn in self._reserved

    def check(self, pool: FunctionPool) -> None:
        """Refuse an invocation beyond the function's reservation. Raises: TooManyRequestsException."""
        limit = self._reserved.get(pool.base_arn)
        if limit is not None and sum(one.in_flight for one in self._families[pool.base_arn]) >= limit:
            raise too_many_requests(RESERVED)

    def limit_of(self, pool: FunctionPool, *, concurrency_max: int) -> tuple[str, int]:
        """Give the limit that counts for a pool's invocations: the name that gateways share, and how many it allows."""
        reserved = self._reserved.get(pool.base_arn)
        if reserved is not None:
            return f"concurrency/{pool.base_arn}", reserved
        return "concurrency/unreserved", concurrency_max - sum(self._reserved.values())

    def has_room(self, pool: FunctionPool, pools: Iterable[FunctionPool], *, workers_max: int) -> bool:
        """Say whether one more worker of `pool` leaves the others what they have reserved."""
        if not self._reserved or pool.base_arn in self._reserved:
            return True
        unreserved = sum(one.size for one in pools if one.base_arn not in self._reserved)
        # Where more is reserved than the machine holds, a tenth stays for the others.
        return unreserved < max(workers_max - sum(self._reserved.values()), workers_max // 10, 1)

    def is_exhausted(self, pool: FunctionPool, pools: Iterable[FunctionPool], *, concurrency_max: int) -> bool:
        """Say whether the functions without a reservation use all that nobody has reserved of the account's limit."""
        if pool.base_arn in self._reserved:
            return False  # `check` has looked
        unreserved = sum(one.in_flight for one in pools if one.base_arn not in self._reserved)
        return unreserved >= concurrency_max - sum(self._reserved.values())
