"""Which Node.js this machine has, and which one stands for a runtime."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAJORS: Final = (18, 20, 22, 24)  # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
NODE_RUNTIMES: Final = tuple(f"nodejs{major}.x" for major in MAJORS)
NAMES: Final = ("node", "nodejs", *(f"node{major}" for major in MAJORS), *(f"node-{major}" for major in MAJORS))
PROBE: Final = "process.versions.node + '\\n' + process.execPath"
PROBE_TIMEOUT_S: Final = 5
NO_NODE: Final = (
    "no Node.js was found on this machine: install Node.js 18 or later so that `node` is on the PATH of the platform"
)


@dataclass(frozen=True, slots=True)
class Node:
    """One Node.js."""

    major: int
    executable: Path


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """The Node.js for a runtime; `warning` says so when it is not the version that was asked for."""

    node: Node
    warning: str = ""


def has_node() -> bool:
    """Say whether a Node.js is on the PATH. Looks only: takes well under a millisecond."""
    return any(shutil.which(name) for name in NAMES)


def probe_node(executable: str) -> Node | None:
    """Ask an executable what it is; None when it is no Node.js of version 18 or later."""
    try:
        answer = subprocess.run(
            [executable, "-p", PROBE],
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            env={"PATH": os.environ.get("PATH", "")},
        )
        version, _, real = answer.stdout.decode().strip().partition("\n")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    found = re.match(r"(\d+)\.", version)
    if found is None or not real or int(found[1]) < MAJORS[0]:
        return None
    return Node(int(found[1]), Path(real).resolve())


def find_nodes() -> tuple[Node, ...]:
    """Find every Node.js on the PATH, one for each major version. Takes about 50 ms each."""
    found: dict[int, Node] = {}
    for executable in dict.fromkeys(path for name in NAMES if (path := shutil.which(name))):
        node = probe_node(executable)
        if node is not None:
            found.setdefault(node.major, node)
    return tuple(found[major] for major in sorted(found))


def node_major(runtime: str) -> int | None:
    """Read `nodejs20.x`; None for another language."""
    found = re.fullmatch(r"nodejs(\d+)\.x", runtime)
    return int(found[1]) if found else None


def choose_node(runtime: str, nodes: Sequence[Node]) -> NodeChoice | None:
    """Give the Node.js of `runtime`'s version, else the nearest (the newer of two); None when there is none."""
    wanted = node_major(runtime)
    if wanted is None or not nodes:
        return None
    best = min(nodes, key=lambda node: (abs(node.major - wanted), -node.major))
    if best.major == wanted:
        return NodeChoice(best)
    return NodeChoice(
        best,
        f"approximated: {runtime} runs on Node.js {best.major}, the nearest on this machine; "
        f"install Node.js {wanted} as `node{wanted}` to have the same",
    )
