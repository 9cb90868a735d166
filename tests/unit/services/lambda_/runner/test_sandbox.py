"""What a function can reach, and what it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.functions import LiveRunner, a_live_runner

LAMBDA_NAMES = {
    "_HANDLER", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "LANG", "PATH", "TZ",
}  # fmt: skip


@pytest.fixture(scope="module", params=["boxed", "bare"])
def either(request: pytest.FixtureRequest, runner: LiveRunner, tmp_path_factory) -> Iterator[LiveRunner]:
    """A runner with a file system of its own for each worker, and one without."""
    if request.param == "boxed":
        yield runner
    else:
        with a_live_runner(tmp_path_factory.mktemp("bare"), is_sandboxed=False) as live:
            yield live


def is_boxed(live: LiveRunner) -> bool:
    return all(zygote.is_boxed for zygote in live.runner._starter._zygotes.values())


def test_nothing_of_our_environment_is_inherited(either: LiveRunner, monkeypatch) -> None:
    monkeypatch.setenv("OUR_SECRET", "x")
    function = either.deploy(
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n",
        environment={"TABLE": "orders", "AWS_REGION": "moon", "LANG": "de"},
    )
    seen = either.value(function)
    assert set(seen) - {"TMPDIR"} == LAMBDA_NAMES | {"TABLE"}
    assert ("TMPDIR" in seen) is not is_boxed(either)
    assert (seen["TABLE"], seen["AWS_REGION"], seen["LANG"], seen["TZ"]) == ("orders", "us-east-1", "de", ":UTC")
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert seen["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{function.runtime}"


def test_the_trace_id_is_that_of_each_invocation(runner: LiveRunner) -> None:
    function = runner.deploy("import os\ndef handler(event, context):\n    return os.environ.get('_X_AMZN_TRACE_ID')\n")
    assert runner.value(function, trace_id="Root=1-a") == "Root=1-a"
    assert runner.value(function, trace_id="Root=1-b") == "Root=1-b"
    assert runner.value(function) is None


def test_no_descriptor_is_inherited_but_the_frames(either: LiveRunner) -> None:
    function = either.deploy(
        """
        import os
        def handler(event, context):
            found = []
            for name in os.listdir("/proc/self/fd"):
                try:
                    found.append(os.readlink("/proc/self/fd/" + name).split(":")[0])
                except OSError:
                    pass
            return sorted(found)
        """
    )
    assert either.value(function) == ["/dev/null", "pipe", "pipe", "socket"]


def test_boto3_is_there_and_our_own_dependencies_are_not(either: LiveRunner) -> None:
    function = either.deploy(
        """
        import importlib, boto3, botocore, s3transfer, jmespath, dateutil, urllib3, six
        def handler(event, context):
            client = boto3.client("dynamodb")
            missing = []
            for name in ("orjson", "uvloop", "httptools", "apsw", "click", "gatepost", "yaml", "cryptography"):
                try:
                    importlib.import_module(name)
                except ImportError:
                    missing.append(name)
            return [client.meta.endpoint_url, client.meta.region_name, missing]
        """
    )
    missing = ["orjson", "uvloop", "httptools", "apsw", "click", "gatepost", "yaml", "cryptography"]
    assert either.value(function) == ["http://127.0.0.1:4566", "us-east-1", missing]


def test_packages_that_a_function_brings_win_over_the_runtimes(runner: LiveRunner) -> None:
    code = "import six\ndef handler(event, context):\n    return six.OWN\n"
    assert runner.value(runner.deploy({"app.py": code, "six.py": "OWN = 'ours'"})) == "ours"


def test_localhost_names_resolve(either: LiveRunner) -> None:
    function = either.deploy(
        "import socket\ndef handler(event, context):\n"
        "    return [socket.getaddrinfo(n, 80)[0][4][0] for n in ('a.b.localhost', 'x.localhost.', 'localhost')]\n"
    )
    assert either.value(function)[:2] == ["127.0.0.1", "127.0.0.1"]


def test_a_process_cannot_write_more_than_ephemeral_storage(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import tempfile
        def handler(event, context):
            with tempfile.TemporaryFile() as file:
                file.write(b"small")
                file.truncate(0)
                try:
                    file.truncate(513 * 1024 * 1024)
                except OSError as error:
                    return error.strerror
        """
    )
    assert runner.value(function) == "File too large"


def test_limits_are_set(either: LiveRunner) -> None:
    function = either.deploy(
        """
        import resource
        def handler(event, context):
            names = ("CORE", "NOFILE", "FSIZE")
            return [resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names]
        """
    )
    assert either.value(function) == [[0, 0], [1024, 1024], [512 * 1024 * 1024] * 2]


def skip_without_users(live: LiveRunner) -> None:
    """Users of their own need a namespace, or an interpreter that others can reach."""
    live.value(live.deploy("def handler(event, context):\n    return 1\n"))
    if not all(zygote.drops_user for zygote in live.runner._starter._zygotes.values()):
        pytest.skip("no namespaces here, and our interpreter lies where other users cannot reach it")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give workers users of their own")


@needs_root
def test_workers_run_as_users_without_rights_and_read_nothing_of_ours(runner: LiveRunner) -> None:
    skip_without_users(runner)
    secret = runner.folder / "assets" / "secret"
    secret.write_text("key")
    function = runner.deploy(
        """
        import os
        def handler(event, context):
            found = {}
            for path in event:
                try:
                    with open(path) as file:
                        found[path] = file.read(1)
                except OSError as error:
                    found[path] = type(error).__name__
            try:
                os.setuid(0)
                found["root"] = True
            except PermissionError:
                found["root"] = False
            return [os.getuid(), os.getgroups(), found]
        """
    )
    paths = [str(secret), "/etc/shadow", f"/proc/{os.getpid()}/environ", "/proc/1/environ"]
    uid, groups, found = runner.value(function, paths)
    assert 60_000 <= uid < 65_000
    assert groups == []
    assert found.pop("root") is False
    assert set(found.values()) <= {"PermissionError", "FileNotFoundError"}


@needs_root
def test_workers_at_the_same_time_are_different_users(runner: LiveRunner) -> None:
    skip_without_users(runner)
    function = runner.deploy(
        "import os, time\ndef handler(event, context):\n    time.sleep(0.2)\n    return os.getuid()\n"
    )
    running = [runner.start(function) for _ in range(4)]
    assert len({one.result(5).payload for one in running}) == 4


@needs_root
def test_a_boxed_function_sees_its_own_code_and_nobody_elses(runner: LiveRunner) -> None:
    runner.value(runner.deploy("def handler(event, context):\n    return 1\n"))
    if not is_boxed(runner):
        pytest.skip("this kernel does not let us make namespaces")
    function = runner.deploy(
        {
            "app.py": "import os, glob\ndef handler(event, context):\n"
            "    return [os.getcwd(), os.listdir('/var/task'), glob.glob('/var/gatepost/functions/*'),"
            " os.listdir('/tmp'),"
            " __file__, sorted(p for p in os.listdir('/proc') if p.isdigit()) == [str(os.getpid())],"
            f" os.path.exists({str(runner.folder)!r})]\n",
            "data.txt": "x",
        }
    )
    cwd, task, others, tmp, file, is_alone, sees_data = runner.value(function)
    assert (cwd, sorted({*task} - {"__pycache__"}), others, tmp, file) == (
        "/var/task", ["app.py", "data.txt"], [], [], "/var/task/app.py",
    )  # fmt: skip
    assert is_alone
    assert not sees_data


def test_a_function_that_kills_everything_it_can_harms_only_functions(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os
        def handler(event, context):
            if event:
                for pid in (-1, 1, os.getppid()):
                    try:
                        os.kill(pid, 9)
                    except OSError:
                        pass
            return "here"
        """
    )
    runner.value(function, 0)
    if not is_boxed(runner):
        pytest.skip("this kernel does not let us make namespaces")
    runner.invoke(function, 1)
    assert runner.value(function, 0) == "here"


@needs_root
def test_a_boxed_function_cannot_write_outside_of_tmp(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os
        def handler(event, context):
            wrote = []
            for folder in ("/", "/var/task", "/var", "/etc", "/usr", "/opt", "/dev", "/var/runtime", "/tmp"):
                try:
                    with open(folder + "/probe", "w") as file:
                        file.write("x")
                    wrote.append(folder)
                except OSError:
                    pass
            return wrote
        """
    )
    runner.value(function)
    if is_boxed(runner):
        assert runner.value(function) == ["/tmp"]


@needs_root
def test_tmp_is_private_to_a_worker_and_bounded(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os, time
        def handler(event, context):
            before = os.listdir("/tmp")
            with open("/tmp/mine", "wb") as file:
                file.write(b"x")
            size = os.statvfs("/tmp")
            time.sleep(0.1)
            return [before, size.f_blocks * size.f_frsize]
        """
    )
    if not is_boxed(runner):
        pytest.skip("this kernel does not let us make namespaces")
    running = [runner.start(function) for _ in range(3)]
    assert {one.result(5).payload for one in running} == {b"[[], 536870912]"}


@needs_root
def test_nothing_that_a_worker_started_outlives_it_however_deep_it_hides(either: LiveRunner) -> None:
    """A process that lived on would wait for the next worker with its user, and take that one's credentials."""
    function = either.deploy(
        """
        import os, time
        def handler(event, context):
            for _ in range(4):
                if os.fork():
                    time.sleep(60)
                os.setsid()
            os.execvp("sleep", ["sleep", "86399.25"])
        """,
        timeout_s=1,
    )
    either.invoke(function)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and processes_called("86399.25"):
        time.sleep(0.02)
    assert processes_called("86399.25") == []


def processes_called(part: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if part.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


@needs_root
def test_shared_memory_of_system_v_ends_with_its_worker_and_is_nobody_elses(runner: LiveRunner) -> None:
    runner.value(runner.deploy("def handler(event, context):\n    return 1\n"))
    if not is_boxed(runner):
        pytest.skip("this kernel does not let us make namespaces")
    before = Path("/proc/sysvipc/shm").read_text()
    function = runner.deploy(
        """
        import ctypes
        def handler(event, context):
            libc = ctypes.CDLL(None)
            return [libc.shmget(0x6a7e, 4096, 0o1666), open("/proc/sysvipc/shm").read().count("\\n")]
        """
    )
    segment, lines = runner.value(function)
    assert (segment, lines) == (-1, 1)  # refused; and the heading of an empty list, whatever others have
    assert Path("/proc/sysvipc/shm").read_text() == before


def test_the_kernel_ends_functions_first_when_memory_runs_out(either: LiveRunner) -> None:
    function = either.deploy("def handler(event, context):\n    return int(open('/proc/self/oom_score_adj').read())\n")
    assert either.value(function) == 1000


def test_calls_that_lead_out_of_the_box_or_the_memory_limit_are_refused(either: LiveRunner) -> None:
    function = either.deploy(
        """
        import ctypes, errno, os, subprocess, threading
        def handler(event, context):
            libc = ctypes.CDLL(None, use_errno=True)
            told = {}
            def attempt(name, *arguments):
                told[name] = errno.errorcode[ctypes.get_errno()] if getattr(libc, name)(*arguments) < 0 else ""
            attempt("memfd_create", b"x", 0)
            attempt("unshare", 0x10000000)
            attempt("ptrace", 0, 0, 0, 0)
            attempt("mount", b"x", b"/tmp", b"tmpfs", 0, 0)
            attempt("clone", None, None, 0x10000011, None)
            thread = threading.Thread(target=lambda: told.update(thread="runs"))
            thread.start()
            thread.join()
            return told | {"child": subprocess.run(["echo", "runs"], capture_output=True, text=True).stdout}
        """
    )
    told = either.value(function)
    told.pop("clone")  # the C library refuses it before the kernel can
    assert told == {
        "memfd_create": "ENOSYS", "unshare": "EPERM", "ptrace": "EPERM", "mount": "EPERM",
        "thread": "runs", "child": "runs\n",
    }  # fmt: skip


def test_a_function_cannot_make_a_namespace_by_clone(either: LiveRunner) -> None:
    function = either.deploy(
        """
        import ctypes, errno, platform
        def handler(event, context):
            libc = ctypes.CDLL(None, use_errno=True)
            number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
            made = libc.syscall(number, 0x10000000 | 17, 0, 0, 0, 0)
            if made == 0:
                libc._exit(0)
            return [made, errno.errorcode[ctypes.get_errno()]]
        """
    )
    assert either.value(function) == [-1, "EPERM"]


@needs_root
def test_files_without_bytes_are_bounded_too(runner: LiveRunner) -> None:
    runner.value(runner.deploy("def handler(event, context):\n    return 1\n"))
    if not is_boxed(runner):
        pytest.skip("this kernel does not let us make namespaces")
    function = runner.deploy("import os\ndef handler(event, context):\n    return os.statvfs('/tmp').f_files\n")
    assert runner.value(function) == 512 * 1024 * 1024 // 16_384


def test_no_function_reads_the_memory_or_the_environment_of_another(either: LiveRunner) -> None:
    victim = either.deploy(
        "import time\ndef handler(event, context):\n    time.sleep(1)\n", environment={"SECRET": "xyzzy"}
    )
    thief = either.deploy(
        """
        import os
        def handler(event, context):
            opened = []
            for pid in (one for one in os.listdir("/proc") if one.isdigit()):
                for name in ("mem", "environ"):
                    try:
                        with open(f"/proc/{pid}/{name}", "rb") as file:
                            content = file.read() if name == "environ" else b""
                        if pid != str(os.getpid()) and (name == "mem" or b"AWS_SESSION_TOKEN" in content):
                            opened.append(f"{pid}/{name}")
                    except OSError:
                        pass
            return [os.getuid(), opened]
        """
    )
    running = either.start(victim)
    time.sleep(0.3)
    uid, opened = either.value(thief)
    running.result(5)
    if uid == 0:
        pytest.skip("root cannot be given another user here: its interpreter is in a directory of root's")
    workers = [str(worker.pid) for pool in either.runner._pools.values() for worker in pool.workers]
    assert [one for one in opened if is_boxed(either) or one.partition("/")[0] in workers] == []


BOMB = """
    import os, time
    def handler(event, context):
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.001)
"""
HOG = """
    def handler(event, context):
        held = []
        while True:
            held.append(bytearray(16 << 20))
            held[-1][::4096] = b"x" * (len(held[-1]) // 4096)
"""
NEIGHBOUR = """
    count = 0
    def handler(event, context):
        global count
        count += 1
        return count
"""


@needs_root
@pytest.mark.parametrize(("code", "ending"), [(BOMB, "Sandbox.Timedout"), (HOG, "Runtime.ExitError")])
def test_a_fork_bomb_or_a_memory_hog_takes_down_its_own_invocation_only(tmp_path: Path, code: str, ending: str) -> None:
    with a_live_runner(tmp_path, processes_max=64) as live:  # the machine is not ours alone
        neighbour = live.deploy(NEIGHBOUR)
        assert live.value(neighbour) == 1
        [worker] = live.pids(neighbour)
        function = live.deploy(code, timeout_s=1, memory_mb=256)
        running = live.start(function)
        answered = 1
        while not running.done():
            answered += 1
            assert live.value(neighbour) == answered
        error = json.loads(running.result().payload)
        # Sixty-four processes use more than their memory before their time is up, where they come to be that fast.
        assert error["errorType"] in {ending, "Runtime.ExitError"}
        assert live.pids(neighbour) == [worker]
        deadline = time.monotonic() + 5
        while live.pids(function) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert live.pids(function) == []
        assert live.value(neighbour) == answered + 1
        assert json.loads(live.invoke(function).payload)["errorType"] in {ending, "Runtime.ExitError"}
