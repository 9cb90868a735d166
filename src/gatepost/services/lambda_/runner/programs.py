"""Which runtimes there are, and what a worker becomes for each: Python goes on, others are programs of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner.interpreters import python_version
from gatepost.services.lambda_.runner.nodes import Node, node_major
from gatepost.services.lambda_.runner.worker.program import BOOTSTRAP, CHANNEL

CUSTOM_RUNTIMES: Final = ("provided.al2", "provided.al2023")
NODE_FOLDER: Final = "gatepost_node"  # under /var/runtime: `worker/node`
SDK_FOLDER: Final = "gatepost_sdk"  # under /var/runtime: `<data>/runtimes`, sets of packages from npm
# V8 and Go reserve addresses by the gigabyte; WebAssembly in Node alone reserves ten for each memory.
ADDRESSES_MB: Final = 64 * 1024
YOUNG_SHARE: Final = 10  # a tenth of MemorySize is for young objects, as in Lambda's Node runtimes (unverified)


def is_custom(runtime: str) -> bool:
    """Say whether the function brings its runtime along."""
    return runtime in CUSTOM_RUNTIMES


def is_program(runtime: str) -> bool:
    """Say whether workers of `runtime` become another program than Python."""
    return python_version(runtime) is None


def runtime_words(runtime: str) -> str:
    """Give a runtime as INIT_START names it: `python:3.12`, `nodejs:20`, `provided:al2023`."""
    if node_major(runtime) is not None:
        return f"nodejs:{node_major(runtime)}"
    return runtime.replace("python", "python:").replace("provided.", "provided:")


def node_program(
    node: Node,
    function: Function,
    *,
    runtime_folder: str,
    log_bytes_max: int,
    debug_port: int = 0,
    has_sdk: bool = False,
) -> list[str]:
    """Give the command line of a Node worker, its heap bounded by MemorySize; with a port for a debugger or without."""
    young_mb = function.memory_mb // YOUNG_SHARE
    return [
        str(node.executable),
        *([f"--inspect=127.0.0.1:{debug_port}"] if debug_port else []),
        f"--max-semi-space-size={max(1, young_mb // 2)}",
        f"--max-old-space-size={function.memory_mb - young_mb}",
        f"{runtime_folder}/{NODE_FOLDER}/bootstrap.cjs",
        CHANNEL,
        str(log_bytes_max),
        *(["1"] if has_sdk else []),
    ]


def program_environment(function: Function, *, node: Node | None, runtime_folder: str, sdk: str = "") -> dict[str, str]:
    """Give the variables that programs have beyond those of Python workers. `sdk` has the packages that Node's lack."""
    variables = {"AWS_LAMBDA_LOG_FORMAT": "JSON" if function.log_format == "JSON" else "Text"}
    if function.application_log_level:
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.application_log_level
    if node is None:
        variables["LD_LIBRARY_PATH"] = "/var/task:/var/task/lib:/opt/lib"
    else:
        layers = (f"/opt/nodejs/node{node.major}/node_modules", "/opt/nodejs/node_modules")
        own = f"{sdk or runtime_folder}/node_modules"
        variables["NODE_PATH"] = ":".join((*layers, own, runtime_folder))
    return variables


def custom_program() -> list[str]:
    """Give the command line of a custom runtime: the worker looks for it."""
    return [BOOTSTRAP]


def visible_files(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Give what programs need of the machine beyond the system's directories."""
    return tuple(str(node.executable) for node in nodes)
