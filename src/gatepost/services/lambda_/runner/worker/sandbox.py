"""What shuts a function in: a file system of its own, a user of its own, limits.

The zygote builds a small root once (`build_root`): the system's directories and the interpreter, read-only; the
packages that Lambda has under /var/runtime; all functions' code, to be bound to /var/task. Each worker then makes a
mount namespace of its own with its /tmp (a tmpfs of EphemeralStorage's size) and its code (`enter`), and gives up
every privilege (`drop`). Where the kernel allows it the zygote is the first process of a process namespace
(`leave_processes`), so that workers neither see nor signal anything outside, and none of what they start outlives it;
where workers share a user each is in one of its own besides (`processes`).
As root the worker becomes a user without rights; otherwise the same is done inside a user namespace. Where the kernel
allows neither, `build_root` says so and the caller goes on without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from collections.abc import Mapping, Sequence
from typing import Any

from .syscalls import refuse_calls

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER = 1, 4, 38, 36
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CAPSET = {"x86_64": 126, "aarch64": 91}
SYSTEM_DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix", "/gnu")
DEVICES = ("null", "zero", "full", "random", "urandom")
FUNCTIONS = "/var/gatepost/functions"
RUNTIME = "/var/runtime"
TASK = "/var/task"
OPT = "/opt"
ENDER_UID = 65_000  # nobody's: whoever ends a user's processes is out of their reach as this one
BYTES_PER_FILE, FILES_MIN = 16_384, 1_024  # as mkfs.ext4 has it
OOM_SCORE = "1000"  # the kernel ends functions before anything of ours
TMP = "/tmp"  # noqa: S108 - a file system of the worker's own

_libc: Any = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    _check(_libc.mount(*arguments), f"mount {target}")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)), "prctl")


def become_subreaper() -> None:
    """Make orphans of this process's workers its own children, so that it can end them."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _bind(source: str, target: str, *, is_read_only: bool = True) -> None:
    if os.path.isdir(source):
        os.makedirs(target, mode=0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        with open(target, "ab"):
            pass
    _mount(source, target, "", MS_BIND | MS_REC)
    if is_read_only:
        # Flags that the mount has may be locked in a user namespace: they are kept.
        kept = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | kept)


def _leave_user() -> None:
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _show_processes(target: str, *, are_own: bool) -> None:
    """Mount /proc: that of the process namespace, showing a worker its own processes only, or the machine's."""
    os.makedirs(target, mode=0o755)
    if are_own:
        _mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2")
    else:
        _bind("/proc", target, is_read_only=False)


def _fill_root(
    root: str, visible: Sequence[str], packages: Mapping[str, str], functions: str, *, are_own_processes: bool
) -> None:
    for directory in SYSTEM_DIRECTORIES:
        if os.path.islink(directory):
            os.symlink(os.readlink(directory), root + directory)
        elif os.path.isdir(directory):
            _bind(directory, root + directory)
    _show_processes(root + "/proc", are_own=are_own_processes)
    for path in visible:
        if os.path.exists(path) and not os.path.lexists(root + path):
            _bind(path, root + path)
    resolver = os.path.realpath("/etc/resolv.conf")
    if os.path.isfile(resolver) and not os.path.lexists(root + resolver):
        _bind(resolver, root + resolver)
    for name in DEVICES:
        _bind(f"/dev/{name}", f"{root}/dev/{name}", is_read_only=False)
    os.symlink("/proc/self/fd", root + "/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    for name, source in packages.items():
        _bind(source, f"{root}{RUNTIME}/{name}")
    _bind(functions, root + FUNCTIONS)
    for directory in (TASK, TMP, OPT):
        os.makedirs(root + directory, mode=0o755, exist_ok=True)


def leave_processes() -> None:
    """Go on as the first process of a process namespace: when this process ends, the kernel ends all in it.

    What stays behind waits for it, and takes it along when it is killed. Raises: OSError.
    """
    if os.getuid() != 0:
        _leave_user()
    _check(_libc.unshare(CLONE_NEWPID), "unshare")
    first = os.fork()
    if first == 0:
        _prctl(PR_SET_PDEATHSIG, 9)
        return
    os.closerange(3, 4096)
    _, status = os.waitpid(first, 0)
    os._exit(status >> 8 if not status & 0x7F else 1)


def unshare_processes() -> None:
    """Have this process's next child be the first process of a namespace of its own. Raises: OSError."""
    _check(_libc.unshare(CLONE_NEWPID), "unshare")


def rejoin_processes(own: int) -> None:
    """Have children in this process's own namespace again, of which `own` is an open descriptor. Raises: OSError."""
    _check(_libc.setns(own, CLONE_NEWPID), "setns")


def build_root(
    root: str, *, visible: Sequence[str], packages: Mapping[str, str], functions: str, are_own_processes: bool
) -> None:
    """Move this process into a root of its own at the empty directory `root`, with nothing else in it.

    Raises: OSError when the kernel does not let this process do so; nothing outside of it has changed then.
    """
    if platform.machine() not in PIVOT_ROOT:
        raise OSError(errno.ENOSYS, f"no sandbox on {platform.machine()}")
    if os.getuid() != 0 and not are_own_processes:
        _leave_user()
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=755")
    _fill_root(root, visible, packages, functions, are_own_processes=are_own_processes)
    os.chdir(root)
    _check(_libc.syscall(PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")
    _mount("none", "/", "", MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4m,mode=755")


def enter(code: str, *, layers: str, tmp_bytes: int, uid: int, has_own_processes: bool) -> None:
    """Give this worker its own /tmp, /var/task and, with layers, /opt; take all other functions' code away.

    With a namespace of its own, shared memory of System V neither outlives it nor leads to another function.
    `has_own_processes` says that it is in a namespace of processes of its own: /proc shows that.
    """
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWIPC), "unshare")
    _mount("none", "/", "", MS_REC | MS_PRIVATE)
    if has_own_processes:
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2")
    owner = f",uid={uid}" if uid else ""
    bounds = f"size={tmp_bytes},nr_inodes={max(FILES_MIN, tmp_bytes // BYTES_PER_FILE)}"  # names are memory, too
    _mount("tmpfs", TMP, "tmpfs", MS_NOSUID | MS_NODEV, f"{bounds},mode=1777{owner}")
    _mount(f"{FUNCTIONS}/{code}", TASK, "", MS_BIND)
    _mount("none", TASK, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)
    if layers:
        _mount(f"{FUNCTIONS}/{layers}", OPT, "", MS_BIND)
        _mount("none", OPT, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)
    _check(_libc.umount2(FUNCTIONS.encode(), MNT_DETACH), "umount")


def limit(limits: Mapping[str, int]) -> None:
    """Set resource limits by the kernel's names without RLIMIT_ (`NOFILE`), soft and hard alike; be killed first."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(OOM_SCORE)
    except OSError:
        pass  # a machine without /proc
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def drop(uid: int) -> None:
    """Give up root (or the user namespace's powers) for good, and die when the zygote dies."""
    if os.geteuid() == 0 and uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    elif platform.machine() in CAPSET:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        _libc.syscall(CAPSET[platform.machine()], header, (ctypes.c_uint32 * 6)())
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    refuse_calls(_libc)
    # A change of user clears it, and /proc/self would be closed to the function. Where all workers are one user it is
    # what keeps one function from reading another's memory and environment.
    _prctl(PR_SET_DUMPABLE, 1 if uid else 0)
    _prctl(PR_SET_PDEATHSIG, 9)


def end_user(uid: int) -> None:
    """Kill every process of the worker's user `uid` at once: not one of them runs on when this returns.

    The kernel kills them in one go, so that none can fork faster. The process that asks for it is the user only in
    effect: signals of that user do not reach it.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setgroups([])
        os.setresgid(ENDER_UID, ENDER_UID, ENDER_UID)
        os.setresuid(ENDER_UID, uid, ENDER_UID)
        os.kill(-1, 9)
    except OSError:
        pass  # nobody was left
    finally:
        os._exit(0)


def close_files(kept: Sequence[int]) -> None:
    """Close every descriptor but `kept`."""
    start = 0
    for fd in [*sorted(kept), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]:
        if start < fd:
            os.closerange(start, fd)
        start = fd + 1


def children_of(pid: int) -> list[int]:
    """Give the direct children of `pid`, as far as the kernel tells."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return found
