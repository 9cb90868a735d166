"""Workers that share a user have processes of their own: as where the platform does not run as root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[6]
NO_NAMESPACES = 77
# Whoever starts this has every right within the user namespace, and none of root's ways: its user is 1000 there.
AS_ANOTHER_USER = """
import ctypes, json, os, sys
sys.path.insert(0, sys.argv[1])
uid, gid = os.getuid(), os.getgid()
if ctypes.CDLL(None).unshare(0x10000000):
    sys.exit(77)
for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
from pathlib import Path
from tests.support.functions import a_live_runner
CODE = '''
import os, signal, subprocess, time
def handler(event, context):
    if event == "look":
        time.sleep(0.2)
        return [os.getpid(), sorted(int(name) for name in os.listdir("/proc") if name.isdigit()), os.getuid()]
    if event == "signal everyone":
        try:
            os.kill(-1, 9)
        except ProcessLookupError:
            return "nobody is there"
        return "done"
    if event == "orphan":
        subprocess.run("(sleep 86399.75 &)", shell=True)
        zombies = [subprocess.run("(exit 0 &)", shell=True) for _ in range(5)]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            found = []
            for name in os.listdir("/proc"):
                try:
                    found += open(f"/proc/{int(name)}/stat").read().split()[2]
                except (ValueError, OSError):
                    pass
            if "Z" not in found:
                return "reaped"
        return found
    if event == "first":
        opened = []
        for name in ("mem", "environ", "root", "cwd"):
            try:
                (os.readlink if name in ("root", "cwd") else open)(f"/proc/1/{name}")
                opened.append(name)
            except OSError:
                pass
        os.kill(1, signal.SIGTERM)
        os.kill(1, signal.SIGKILL)
        return opened
    if event == "exit":
        os._exit(3)
    os.kill(os.getpid(), event)
    time.sleep(5)
'''
with a_live_runner(Path(sys.argv[2])) as live:
    function = live.deploy(CODE)
    pair = [live.start(function, "look") for _ in range(2)]
    told = {"looks": [json.loads(one.result(10).payload) for one in pair]}
    told["boxed"] = [zygote.is_boxed for zygote in live.runner._starter._zygotes.values()]
    for event in ("orphan", "first", "signal everyone"):
        told[event] = live.value(function, event)
    for event in ("exit", 15, 6, 9):
        fault = json.loads(live.invoke(function, event).payload)
        told[str(event)] = fault["errorMessage"].partition("Error: ")[2]
    told["after"] = live.value(function, "look")[1]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What functions say that run as a user who is not root."""
    arguments = [sys.executable, "-c", AS_ANOTHER_USER, str(ROOT), str(tmp_path_factory.mktemp("functions"))]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
    if ended.returncode == NO_NAMESPACES:
        pytest.skip("this kernel does not let us make namespaces")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    if not all(found["boxed"]):
        pytest.skip("this kernel does not let us make namespaces within one")
    return found


def test_workers_of_one_user_see_only_their_own_processes(told: dict[str, Any]) -> None:
    assert told["looks"] == [[2, [1, 2], 1000]] * 2
    assert told["after"] == [1, 2]


def test_orphans_are_reaped_and_end_with_their_worker(told: dict[str, Any]) -> None:
    assert told["orphan"] == "reaped"
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [line for line in running if b"86399.75" in line]


def test_the_first_process_of_a_worker_is_out_of_its_reach(told: dict[str, Any]) -> None:
    assert told["first"] == []
    assert told["signal everyone"] in {"nobody is there", "done"}  # what was killed is the orphan


def test_it_is_told_how_a_worker_ended(told: dict[str, Any]) -> None:
    words = [told[name].removeprefix("Runtime exited with error: ") for name in ("exit", "15", "6", "9")]
    assert words == ["exit status 3", "signal: terminated", "signal: aborted", "signal: killed"]
