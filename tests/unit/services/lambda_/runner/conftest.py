from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.functions import LiveRunner, a_live_runner


@pytest.fixture(scope="session")
def runner() -> Iterator[LiveRunner]:
    """One runner for all tests: its zygote takes half a second to start, its workers a millisecond.

    Its folder is open to other users, unlike pytest's, so that workers are users of their own without a box too.
    """
    with tempfile.TemporaryDirectory(prefix="gatepost-runner-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with a_live_runner(Path(folder)) as live:
            yield live
