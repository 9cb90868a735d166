"""The process that workers are forked from: one per interpreter, single-threaded, with boto3 imported once.

It takes `spawn` and `kill` messages on its control socket and tells what became of each worker. It never sees a
function's environment, code or events: those go straight to the worker, so that no function can find another's
secrets in the memory that it inherits.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from . import debugging, sandbox
from .bootstrap import Runtime
from .channel import Channel
from .compiling import compile_all
from .context import LambdaContext
from .preloading import preload
from .processes import ProcessSpaces
from .program import execute, start_extensions

MESSAGE_BYTES_MAX = 65536
LOCAL_SUFFIX = ".localhost"
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


def resolve_localhost() -> None:
    """Let every `*.localhost` name resolve to the loopback address, as RFC 6761 says and Debian does not."""
    system_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(host, str) and host.rstrip(".").lower().endswith(LOCAL_SUFFIX):
            host = "127.0.0.1"
        return system_getaddrinfo(host, *arguments, **options)

    socket.getaddrinfo = getaddrinfo


def forget_runtime_packages() -> None:
    """Drop the preloaded packages when the function brings its own: its copy wins, as on Lambda."""
    for name in list(sys.modules):
        if name.split(".", 1)[0] in RUNTIME_PACKAGES:
            del sys.modules[name]


def brings_own_packages(task_root: str) -> bool:
    """Say whether the function's code has a package that the runtime has, too."""
    return any(
        os.path.exists(f"{task_root}/{name}") or os.path.exists(f"{task_root}/{name}.py") for name in RUNTIME_PACKAGES
    )


class Zygote:
    """Forks workers on demand and reaps them."""

    def __init__(self, control: socket.socket, options: dict[str, Any]) -> None:
        self._control = control
        self._options = options
        self._is_boxed = False
        self._workers: dict[int, int] = {}  # pid -> number that the gateway gave it
        self._uids: dict[int, int] = {}  # pid -> the user that is the worker's alone
        self._spaces: ProcessSpaces | None = None  # where workers share a user
        self._library_path = list(sys.path)

    def prepare(self) -> None:
        """Close the sandbox around this process, import boto3 and report what isolation there is."""
        try:
            options = self._options
            if options["sandbox"]:
                has_processes = options["sandbox"] == "processes"
                if has_processes:
                    sandbox.leave_processes()
                sandbox.build_root(
                    options["root"],
                    visible=options["visible"],
                    packages=options["packages"],
                    functions=options["functions"],
                    are_own_processes=has_processes,
                )
                self._is_boxed = True
                if has_processes and os.getuid() != 0:
                    self._spaces = ProcessSpaces()
        except OSError as error:
            # Half of a namespace is worse than none: the gateway starts a fresh zygote without.
            self._tell({"refused": str(error)})
            raise SystemExit(3) from error
        sys.path[:] = [*self._library_path, sandbox.RUNTIME if self._is_boxed else self._options["packages_dir"]]
        sandbox.become_subreaper()
        resolve_localhost()
        preload()
        gc.collect()
        gc.freeze()
        self._tell({"ready": True, "boxed": self._is_boxed, "pid": os.getpid()})

    def _tell(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode())

    def serve(self) -> None:
        """Obey until the gateway closes the socket; then end every worker."""
        wake_in, wake_out = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(wake_out, False)
        signal.set_wakeup_fd(wake_out)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(wake_in, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == wake_in:
                    os.read(wake_in, 4096)
                    self._reap()
                elif not self._obey():
                    self._end_all()
                    return

    def _obey(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES_MAX, 4)
        except ConnectionError:
            return False
        if not data:
            return False
        message = json.loads(data)
        if "kill" in message:
            self._kill(message["kill"])
        else:
            self._spawn(message, fds)
        return True

    def _spawn(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            pid = os.fork() if self._spaces is None else self._spaces.fork()
        except OSError as error:
            self._tell({"exited": message["spawn"], "status": 256, "reason": str(error)})
            return
        if pid == 0:
            self._become_worker(message, fds)
        for fd in fds:
            os.close(fd)
        self._workers[pid] = message["spawn"]
        if message["uid"]:
            self._uids[pid] = message["uid"]

    def _kill(self, number: int) -> None:
        for pid, worker in self._workers.items():
            if worker == number:
                self._signal_group(pid)

    @staticmethod
    def _signal_group(pid: int) -> None:
        for kill in (os.killpg, os.kill):  # the group does not exist yet when the worker was just forked
            try:
                kill(pid, signal.SIGKILL)
            except OSError:
                continue

    def _reap(self) -> None:
        has_orphans = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            number = self._workers.pop(pid, None)
            if number is None:
                # A stray that was killed may have had children, which are ours only now.
                has_orphans = has_orphans or status == signal.SIGKILL
                continue
            if self._spaces is not None:
                status = self._spaces.status_of(pid, status)
            uid = self._uids.pop(pid, 0)
            try:
                os.killpg(pid, signal.SIGKILL)  # what the worker left behind in its group
            except OSError:
                pass
            if uid:
                sandbox.end_user(uid)  # before its user is given to another worker
            else:
                has_orphans = True
            self._tell({"exited": number, "status": status})
        if has_orphans:
            self._end_strays()

    def _end_strays(self) -> None:
        # Orphans that left their group come to this process, the subreaper; those with a living worker do not.
        for pid in sandbox.children_of(os.getpid()):
            if pid not in self._workers:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue

    def _end_all(self) -> None:
        for pid in list(self._workers):
            self._signal_group(pid)
        self._workers.clear()
        for _ in range(100):
            strays = sandbox.children_of(os.getpid())
            if not strays:
                return
            for pid in strays:
                self._signal_group(pid)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _become_worker(self, message: dict[str, Any], fds: list[int]) -> None:
        status = 1
        try:
            self._run_worker(message, fds)
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else (0 if leaving.code is None else 1)
        except BaseException:
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status & 0xFF)

    def _run_worker(self, message: dict[str, Any], fds: list[int]) -> None:
        self._tell({"spawned": message["spawn"]})  # the kernel adds the id by which the gateway knows this process
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(fds[1], 1)
        os.dup2(fds[1], 2)
        sandbox.close_files((0, 1, 2, fds[0]))
        uid: int = message["uid"]
        task_root: str = message["task_root"]
        if self._is_boxed:
            sandbox.enter(
                message["code"],
                layers=message["layers"],
                tmp_bytes=message["tmp_bytes"],
                uid=uid,
                has_own_processes=self._spaces is not None,
            )
            task_root = sandbox.TASK
        sandbox.limit(message["limits"])
        sandbox.drop(uid)
        gc.enable()
        os.chdir(task_root)
        channel = Channel(socket.socket(fileno=fds[0]), message["log_bytes_max"])
        config = json.loads(channel.next_blob())
        if message["is_compilation"]:
            compile_all(channel, task_root)
            return
        config["environment"].setdefault("LAMBDA_TASK_ROOT", task_root)
        if not self._is_boxed:
            config["environment"]["TMPDIR"] = message["tmp_dir"]
        opt = (sandbox.OPT if self._is_boxed else message["layers_root"]) if message["layers"] else ""
        if config.get("has_extensions"):
            start_extensions(channel, config["environment"], opt)
        if config.get("program"):
            execute(channel, config, task_root=task_root, opt=opt)
            raise SystemExit(1)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        layers = [f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"] if opt else []
        sys.path[:] = [task_root, *layers, sys.path[-1], *self._library_path]
        if brings_own_packages(task_root):
            forget_runtime_packages()
        runtime = Runtime(channel, config)
        if config.get("debug_port"):
            debugging.listen(channel, config["debug_port"], LambdaContext)
        runtime.run()


def main(control_fd: int, options_text: str | None = None) -> None:
    """Run the zygote on the inherited control socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the gateway ends it by closing the socket, after its own drain
    control = socket.socket(fileno=control_fd)
    os.set_inheritable(control_fd, False)
    options = json.loads(options_text or control.recv(MESSAGE_BYTES_MAX) or b"null")
    if options is None:
        return  # the gateway has changed its mind
    os.closerange(control_fd + 1, 4096)
    zygote = Zygote(control, options)
    try:
        zygote.prepare()
    except BrokenPipeError:
        return  # the gateway has ended meanwhile
    zygote.serve()
