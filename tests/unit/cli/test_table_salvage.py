import os

import click
import pytest

from gatepost.cli.table_salvage import salvage_store
from gatepost.kernel.errors import SettingsError
from gatepost.storage.data_directory import DataDirectory


def test_a_folder_without_a_store_is_no_data_directory(tmp_path):
    with pytest.raises(click.ClickException, match="is not there"):
        salvage_store(tmp_path, as_json=True)


def test_nothing_is_salvaged_under_a_running_platform(tmp_path):
    data = DataDirectory(tmp_path)
    data.prepare()
    (data.store / "items.db").write_bytes(b"")
    owned = data.own()
    try:
        with pytest.raises(SettingsError, match="in use by another platform"):
            salvage_store(tmp_path, as_json=True)
    finally:
        os.close(owned)
    assert (data.store / "items.db").read_bytes() == b""
