import errno
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatepost.kernel.errors import SettingsError
from gatepost.storage.data_directory import DataDirectory, read_json, write_durably


def test_folders_with_secrets_are_closed_to_others(tmp_path):
    data = DataDirectory(tmp_path / "d")
    data.prepare()
    assert stat.S_IMODE(data.store.stat().st_mode) == 0o700
    assert stat.S_IMODE(data.functions.stat().st_mode) == 0o711  # by name, not by listing


def test_a_directory_has_one_owner_at_a_time(tmp_path):
    data = DataDirectory(tmp_path)
    data.prepare()
    held = data.own()
    with pytest.raises(SettingsError, match=f"in use by another platform \\(process {os.getpid()}\\)"):
        data.own()
    assert data.owner() == os.getpid()
    os.close(held)
    assert data.owner() is None
    os.close(data.own())


def test_a_directory_of_another_layout_is_refused(tmp_path):
    data = DataDirectory(tmp_path)
    data.prepare()
    (tmp_path / "layout.json").write_text(json.dumps({"layout": 99}))
    with pytest.raises(SettingsError, match="layout 99"):
        data.prepare()


def test_a_file_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "d").write_text("in the way")
    with pytest.raises(SettingsError, match=r"--data .*/d: File exists"):
        DataDirectory(tmp_path / "d").prepare()


def test_write_durably_replaces_whole_files(tmp_path):
    write_durably(tmp_path / "f.json", b'{"a": 1}')
    write_durably(tmp_path / "f.json", b'{"a": 2}')
    assert read_json(tmp_path / "f.json") == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]
    assert stat.S_IMODE((tmp_path / "f.json").stat().st_mode) == 0o600


def test_threads_that_write_the_same_file_do_not_take_each_others(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            list(pool.map(lambda _: write_durably(tmp_path / "f.json", b"{}"), range(8)))
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


@pytest.mark.parametrize("content", [b"", b"[1]", b"{"])
def test_read_json_gives_none_for_what_is_no_object(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    assert read_json(tmp_path / "f") is None


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full: make room, or choose another --data"),
        (errno.EACCES, "Permission denied: choose a directory that you own"),
    ],
)
def test_a_directory_that_cannot_be_written_says_what_to_do(tmp_path, number, advice):
    error = OSError(number, os.strerror(number))
    assert str(DataDirectory(tmp_path).unusable(error)) == f"--data {tmp_path}: {advice}"


def test_a_damaged_layout_says_what_to_write(tmp_path):
    (tmp_path / "layout.json").write_text("{}")
    with pytest.raises(SettingsError, match=r'write {"layout": 1}$'):
        DataDirectory(tmp_path).prepare()


def test_what_an_ephemeral_platform_writes_is_gone_after_it_but_caches_and_logs(tmp_path):
    data = DataDirectory(tmp_path)
    data.prepare()
    data.begin_ephemeral()
    for path in (
        data.store / "records.db",
        data.gateway / "snapshot",
        data.cache / "x",
        tmp_path / "administrator.json",
    ):
        path.write_text("x")
    data.begin_ephemeral()  # the one before was killed
    assert not any(data.store.iterdir())
    (data.store / "records.db").write_text("x")
    data.forget_ephemeral()
    assert not any(data.store.iterdir())
    assert not (tmp_path / "administrator.json").exists()
    assert (data.cache / "x").exists()


def test_an_ephemeral_platform_never_takes_what_another_has_kept(tmp_path):
    data = DataDirectory(tmp_path)
    data.prepare()
    (data.store / "records.db").write_text("x")
    with pytest.raises(SettingsError, match="choose another --data"):
        data.begin_ephemeral()
    data.forget_ephemeral()
    assert (data.store / "records.db").exists()


def test_what_a_killed_owner_has_left_behind_is_waited_for(tmp_path):
    data = DataDirectory(tmp_path)
    program = (
        "import os, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from gatepost.storage.data_directory import DataDirectory\n"
        f"lock = DataDirectory(Path({str(tmp_path)!r})).own()\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.6)'], pass_fds=(lock,))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    os.close(data.own())
