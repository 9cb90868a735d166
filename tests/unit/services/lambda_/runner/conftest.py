from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.functions import LiveRunner, a_live_runner


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveRunner]:
    """One runner for all tests: its zygote takes half a second to start, its workers a millisecond."""
    with a_live_runner(tmp_path_factory.mktemp("runner")) as live:
        yield live
