"""The loading of items into a table: batches of 25 on several connections, what is left over sent again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final

from gatepost.cli.endpoint import Endpoint, OperationFailed
from gatepost.cli.item_text import Item

BATCH_ITEMS: Final = 25
CONNECTIONS: Final = 4
WAIT_S: Final = 0.1  # before what was throttled is sent again
TRIES_MAX: Final = 600

Batch = tuple[str, list[Item]]  # where its first item stands


class ItemsRefused(Exception):
    """The table took some items and not these. The text says where they stand and why."""


def load(
    items: Iterable[tuple[str, Item]],
    table: str,
    key_names: list[str],
    connect: Callable[[], Endpoint],
    loaded: Callable[[int], None],
) -> int:
    """Put every item into a table; give how many. `loaded` hears of each batch. Raises: ItemsRefused.

    Of items with the same key the last one of a batch wins; between batches any may.
    """
    connections: SimpleQueue[Endpoint] = SimpleQueue()
    for _ in range(CONNECTIONS):
        connections.put(connect())
    total = 0
    waiting: deque[Future[int]] = deque()

    def settle() -> int:
        count = waiting.popleft().result()
        loaded(count)
        return count

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for batch in _batches(items, key_names):
            waiting.append(pool.submit(_write, connections, table, batch))
            if len(waiting) >= 2 * CONNECTIONS:
                total += settle()
        while waiting:
            total += settle()
    while not connections.empty():
        connections.get().close()
    return total


def _batches(items: Iterable[tuple[str, Item]], key_names: list[str]) -> Iterator[Batch]:
    batch: dict[str, Item] = {}
    place = ""
    for where, item in items:
        place = place or where
        batch[repr([item.get(name) for name in key_names])] = item
        if len(batch) == BATCH_ITEMS:
            yield place, list(batch.values())
            batch, place = {}, ""
    if batch:
        yield place, list(batch.values())


def _write(connections: SimpleQueue[Endpoint], table: str, batch: Batch) -> int:
    place, items = batch
    endpoint = connections.get()
    try:
        requests: dict[str, Any] = {table: [{"PutRequest": {"Item": item}} for item in items]}
        for _ in range(TRIES_MAX):
            try:
                requests = endpoint.call("dynamodb", "BatchWriteItem", RequestItems=requests)["UnprocessedItems"]
            except OperationFailed as error:
                if error.code != "ProvisionedThroughputExceededException":
                    raise ItemsRefused(f"{place} and the {len(items) - 1} after it: {error.message}") from error
            else:
                if not requests:
                    return len(items)
            time.sleep(WAIT_S)
        raise ItemsRefused(f"{place}: the table's provisioned throughput does not suffice")
    finally:
        connections.put(endpoint)
