from __future__ import annotations

import stat
import threading

from gatepost.telemetry.rotating_file import BATCHES_WAITING_MAX, RotatingFile


def written(path, batches, **bounds):
    file = RotatingFile(path, **bounds)
    for batch in batches:
        file.put(batch)
    file.close()
    return file


def test_lines_are_appended_and_only_the_owner_may_read_them(tmp_path):
    path = tmp_path / "access.log"
    written(path, [b"a\n"])
    written(path, [b"b\n", b"c\n"])
    assert path.read_bytes() == b"a\nb\nc\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_at_its_bound_is_set_aside_and_the_oldest_is_deleted(tmp_path):
    path = tmp_path / "access.log"
    for number in range(6):
        written(path, [b"%d\n" % number * 4], file_bytes_max=8, files_kept=3)
    assert path.read_bytes() == b"5\n" * 4
    kept = {each.name: each.read_bytes()[:1] for each in tmp_path.iterdir()}
    assert kept == {"access.log": b"5", "access.log.1": b"4", "access.log.2": b"3"}


def test_a_disk_that_refuses_is_counted_and_told_once(tmp_path, caplog):
    path = tmp_path / "none" / "access.log"
    file = RotatingFile(path)
    for _ in range(3):
        file.put(b"x\n")
    file.close()
    assert file.batches_dropped == 3
    assert [record.message for record in caplog.records] == ["cannot write a log file"]


def test_writing_goes_on_when_the_disk_works_again(tmp_path):
    path = tmp_path / "later" / "access.log"
    file = RotatingFile(path)
    file.put(b"lost\n")
    file.put(b"")
    while file.batches_dropped < 1:
        threading.Event().wait(0.001)
    path.parent.mkdir()
    file.put(b"kept\n")
    file.close()
    assert path.read_bytes().endswith(b"kept\n")


def test_a_writer_that_cannot_keep_up_drops_the_oldest(tmp_path):
    full = RotatingFile(tmp_path / "full.log")
    with full._changed:  # the writer's thread waits for this lock
        for number in range(BATCHES_WAITING_MAX + 3):
            full.put(b"%d\n" % number)
    full.close()
    assert full.batches_dropped == 3
    assert (tmp_path / "full.log").read_bytes().startswith(b"3\n")
