"""Whether saved source files can be compiled at all, said with file and line before they become a function's code."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gatepost.services.lambda_.runner.interpreters import (
    Interpreter,
    choose,
    find_interpreters,
    own_interpreter,
    python_version,
)
from gatepost.services.lambda_.runner.nodes import Node, choose_node, find_nodes, node_major

SOURCE_BYTES_MAX: Final = 4 * 1024 * 1024  # larger files are generated; they are not looked at
CHECK_S_MAX: Final = 10.0
PYTHON: Final = (".py",)
NODE: Final = (".js", ".cjs", ".mjs")
_COMPILE: Final = """
import sys, warnings
warnings.simplefilter("ignore")
try:
    compile(open(sys.argv[1], "rb").read(), sys.argv[1], "exec", dont_inherit=True)
except (SyntaxError, ValueError) as error:
    print(f"{getattr(error, 'lineno', None) or 1}:{type(error).__name__}: {getattr(error, 'msg', error)}")
"""
NODE_SCRIPT: Final = Path(__file__).with_name("node_syntax.cjs")


class SyntaxCheck:
    """Checks files with the interpreters that functions run on; looks for them once."""

    def __init__(self) -> None:
        self._pythons: Sequence[Interpreter] | None = None
        self._nodes: Sequence[Node] | None = None
        self._node_checks: dict[Path, _NodeCheck] = {}  # by executable

    def prepare(self, runtime: str) -> None:
        """Find the interpreter of `runtime` ahead of the first check. Blocks."""
        if (node := self._node(runtime)) is not None:
            self._node_check(node)
        else:
            self._python(runtime)

    def problem_of(self, paths: Iterable[Path], runtime: str) -> str:
        """Give the first thing that keeps a file from being compiled for `runtime`, `file:line: what`, or nothing.

        Files of other languages, and what cannot be read (any more), are nobody's problem here. Blocks.
        """
        for path in paths:
            if "\n" in str(path):
                continue
            try:
                if path.stat().st_size > SOURCE_BYTES_MAX:
                    continue
                found = self._problem(path, runtime)
            except OSError:
                continue
            if found:
                return found
        return ""

    def _problem(self, path: Path, runtime: str) -> str:
        if path.suffix in PYTHON and (interpreter := self._python(runtime)) is not None:
            if interpreter.version == own_interpreter().version:
                return _checked_here(path)
            told = _run([str(interpreter.executable), "-I", "-S", "-c", _COMPILE, str(path)])
            line, _, words = told.strip().partition(":")
            return f"{path}:{line}: {words}" if words else ""
        if path.suffix in NODE and (node := self._node(runtime)) is not None:
            return self._node_check(node).problem(path)
        return ""

    def close(self) -> None:
        """End what was started."""
        for check in self._node_checks.values():
            check.close()
        self._node_checks.clear()

    def _node_check(self, node: Node) -> _NodeCheck:
        check = self._node_checks.get(node.executable)
        if check is None or not check.is_alive:
            check = self._node_checks[node.executable] = _NodeCheck(node)
        return check

    def _python(self, runtime: str) -> Interpreter | None:
        own = own_interpreter()
        if python_version(runtime) == own.version:
            return own
        if self._pythons is None and python_version(runtime) is not None:
            self._pythons = find_interpreters()
        choice = choose(runtime, self._pythons or ())
        return choice.interpreter if choice is not None else None

    def _node(self, runtime: str) -> Node | None:
        if self._nodes is None and node_major(runtime) is not None:
            self._nodes = find_nodes()
        choice = choose_node(runtime, self._nodes or ())
        return choice.node if choice is not None else None


class _NodeCheck:
    """A Node.js that compiles files without running them."""

    def __init__(self, node: Node) -> None:
        command = [str(node.executable), "--experimental-vm-modules", "--no-warnings", str(NODE_SCRIPT)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    @property
    def is_alive(self) -> bool:
        """Say whether it can be asked."""
        return self._process.poll() is None

    def problem(self, path: Path) -> str:
        """Ask about one file. What hangs or has ended says nothing."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(CHECK_S_MAX, process.kill)
        watchdog.start()
        try:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            found = json.loads(process.stdout.readline() or "null")
        except (OSError, ValueError):
            return ""
        finally:
            watchdog.cancel()
        return f"{found['file']}:{found['line']}: {found['words']}" if found else ""

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _checked_here(path: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1}: {type(error).__name__}: {error.msg}"
    except ValueError as error:  # NUL bytes
        return f"{path}:1: {error}"
    return ""


def _run(command: list[str]) -> str:
    """Give what a command says; nothing when it hangs."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CHECK_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode(sys.getdefaultencoding(), "replace")
