from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.nodes import Node
from gatepost.services.lambda_.runner.programs import (
    is_custom,
    is_program,
    node_program,
    program_environment,
    runtime_words,
)
from tests.support.functions import a_function

NODE = Node(20, Path("/usr/bin/node"))


@pytest.mark.parametrize(
    ("runtime", "kinds", "words"),
    [
        ("python3.12", (False, False), "python:3.12"),
        ("nodejs20.x", (True, False), "nodejs:20"),
        ("provided.al2023", (True, True), "provided:al2023"),
    ],
)
def test_runtimes_are_of_three_kinds(runtime: str, kinds: tuple[bool, bool], words: str) -> None:
    assert (is_program(runtime), is_custom(runtime)) == kinds
    assert runtime_words(runtime) == words


@pytest.mark.parametrize(("memory_mb", "old_mb", "half_mb"), [(128, 116, 6), (1024, 922, 51), (10_240, 9_216, 512)])
def test_nodes_heap_is_bounded_by_the_memory_size(memory_mb: int, old_mb: int, half_mb: int) -> None:
    function = a_function(memory_mb=memory_mb)
    program = node_program(NODE, function, runtime_folder="/var/runtime", log_bytes_max=9)
    assert program[:3] == ["/usr/bin/node", f"--max-semi-space-size={half_mb}", f"--max-old-space-size={old_mb}"]
    assert program[3:] == ["/var/runtime/gatepost_node/bootstrap.cjs", "{channel}", "9"]


def test_programs_hear_of_the_log_format_and_node_of_its_layers() -> None:
    custom = program_environment(
        a_function(log_format="JSON", application_log_level="WARN"), node=None, runtime_folder="/r"
    )
    assert (custom["AWS_LAMBDA_LOG_FORMAT"], custom["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "WARN")
    assert custom["LD_LIBRARY_PATH"] == "/var/task:/var/task/lib:/opt/lib"
    node = program_environment(a_function(), node=NODE, runtime_folder="/r")
    assert node["NODE_PATH"].startswith("/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:")
