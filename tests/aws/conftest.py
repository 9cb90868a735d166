"""One running platform for all boto3 tests of a worker: tests keep out of each other's way by names."""

import pytest

from tests.support.platform import start_platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    running = start_platform(tmp_path_factory.mktemp("platform") / "data", "--durability", "process")
    yield running
    running.stop()
