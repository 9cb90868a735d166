"""Workers that are not Python: the process becomes the program that the runtime asks for.

Everything that shuts a function in is in place by then, and it outlasts `exec`. A program gets the function's
environment, an empty stdin, and its output pipe; of Node's bootstrap the socket to the gateway, of others nothing.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from .channel import INIT_ERROR, Channel

CHANNEL = "{channel}"  # stands in arguments for the descriptor of the socket to the gateway
BOOTSTRAP = "bootstrap"
EXTENSIONS_MAX = 10  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def _restore_signals() -> None:
    # Python ignores these, and what is ignored stays so in the next program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def bootstraps(task_root: str, opt: str) -> list[str]:
    """Give the places where a custom runtime may be, the first wins. `opt` has the layers; empty: there are none."""
    return [f"{task_root}/{BOOTSTRAP}", *([f"{opt}/{BOOTSTRAP}"] if opt else [])]


def extensions_in(opt: str) -> list[str]:
    """Give the extensions that layers have in their `extensions` directory."""
    folder = f"{opt}/extensions"
    try:
        paths = [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
    except OSError:
        return []
    return [path for path in paths if os.path.isfile(path) and os.stat(path).st_mode & 0o111][:EXTENSIONS_MAX]


def start_extensions(channel: Channel, environment: dict[str, str], opt: str) -> None:
    """Start each extension as a process of the worker's own, without its socket to the gateway."""
    os.set_inheritable(channel.fileno(), False)
    for path in extensions_in(opt):
        if os.fork() == 0:
            try:
                _restore_signals()
                os.execve(path, [path], environment)  # noqa: S606 - no shell is the point
            except OSError as error:
                name = os.path.basename(path)
                os.write(2, f"EXTENSION\tName: {name}\tState: LaunchError\tError: {error.strerror}\n".encode())
            finally:
                os._exit(1)


def execute(channel: Channel, config: dict[str, Any], *, task_root: str, opt: str) -> None:
    """Become the program; comes back, after INIT_ERROR, only when that is impossible."""
    environment: dict[str, str] = config["environment"]
    # Libraries ask for a home directory, and fail where a user has none; the worker's user is in no list of users.
    environment.setdefault("HOME", environment.get("TMPDIR", "/tmp"))  # noqa: S108 - the worker's own
    arguments: list[str] = config["program"]
    paths = arguments[:1]
    os.set_inheritable(channel.fileno(), CHANNEL in arguments)
    if arguments[0] == BOOTSTRAP:
        paths = [path for path in bootstraps(task_root, opt) if os.path.exists(path)]
    values = [str(channel.fileno()) if value == CHANNEL else value for value in arguments[1:]]
    if not paths:
        places = " ".join(bootstraps(task_root, opt))
        _refuse(channel, f"Couldn't find valid bootstrap(s): [{places}]")
        return
    _restore_signals()
    try:
        os.execve(paths[0], [paths[0], *values], environment)  # noqa: S606 - no shell is the point
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        _refuse(channel, f"fork/exec {paths[0]}: {reason}")


def _refuse(channel: Channel, words: str) -> None:
    # The type and the words that Lambda has for it; unverified in the guide.
    result = {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": f"Error: {words}"}
    channel.reply(INIT_ERROR, json.dumps(result).encode())
