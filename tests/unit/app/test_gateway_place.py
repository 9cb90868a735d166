"""Where each gateway process of a machine keeps what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.app.gateway_place import GatewayPlace
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.storage.data_directory import DataDirectory


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    return directory


def test_a_gateway_that_is_alone_has_the_places_that_it_always_had(data: DataDirectory) -> None:
    place = GatewayPlace(data)
    assert (place.folder, place.functions, place.cache) == (data.gateway, data.functions, data.cache)
    assert place.gateway_id == "local"
    settings = place.runner_settings(concurrency=7, scaling=8, function="f", port=9)
    assert settings == RunnerSettings(concurrency_max=7, scaling_per_10_s=8, debug_function="f", debug_port=9)


def test_processes_share_no_folder_and_no_user(data: DataDirectory) -> None:
    places = [GatewayPlace(data, number, 3) for number in (1, 2, 3)]
    for place in places:
        place.prepare()
    assert len({path for place in places for path in (place.folder, place.functions, place.cache)}) == 9
    shares = [place.runner_settings(concurrency=7, scaling=8, function="", port=0) for place in places]
    users = [uid for share in shares for uid in range(share.uid_first, share.uid_first + share.uid_count)]
    assert len(users) == len(set(users))
    assert (data.functions / "worker-2").stat().st_mode & 0o777 == 0o711
    assert (data.gateway / "worker-2").stat().st_mode & 0o777 == 0o700


def test_the_first_takes_over_the_journals_of_processes_that_there_are_no_more(data: DataDirectory) -> None:
    for number in (1, 2, 3, 4):
        place = GatewayPlace(data, number, 4)
        place.prepare()
        (place.folder / "usage.journal").touch()
    first, second = (GatewayPlace(data, number, 2) for number in (1, 2))
    assert set(first.other_journals()) == {"local-2", "local-3", "local-4"}
    assert set(second.other_journals()) == {"local", "local-3", "local-4"}
    assert set(first.former_journals()) == {"local-3", "local-4"}
    assert second.former_journals() == {}
    assert set(GatewayPlace(data).former_journals()) == {"local-2", "local-3", "local-4"}
