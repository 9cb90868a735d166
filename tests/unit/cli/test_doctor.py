import socket

from gatepost.cli import doctor
from gatepost.storage.data_directory import DataDirectory


def by_check(findings):
    return {finding.check: finding for finding in findings}


def test_a_sound_machine_needs_no_fix(tmp_path):
    data = DataDirectory(tmp_path)
    for check in (doctor.check_python, doctor.check_directory, doctor.check_clock, doctor.check_names):
        assert [finding.fix for finding in check(data)] == [""] * len(check(data))


def test_a_taken_port_comes_with_its_fix(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", ((port, "--port"),))
        (finding,) = doctor.check_ports(DataDirectory(tmp_path))
    assert "--port 0" in finding.fix


def test_a_clock_before_the_files_it_wrote_is_wrong(tmp_path):
    import os

    (tmp_path / "layout.json").write_text("{}")
    os.utime(tmp_path / "layout.json", (4_000_000_000, 4_000_000_000))
    assert "timedatectl" in by_check(doctor.check_clock(DataDirectory(tmp_path)))["clock"].fix
