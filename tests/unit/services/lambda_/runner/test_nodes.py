from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.nodes import Node, choose_node, find_nodes, has_node, node_major, probe_node


def some_nodes(*majors: int) -> list[Node]:
    return [Node(major, Path(f"/opt/node{major}")) for major in majors]


@pytest.mark.parametrize(
    ("runtime", "major"),
    [("nodejs20.x", 20), ("nodejs18.x", 18), ("nodejs20", None), ("nodejs", None), ("python3.12", None), ("", None)],
)
def test_a_runtimes_name_says_its_major_version(runtime: str, major: int | None) -> None:
    assert node_major(runtime) == major


@pytest.mark.parametrize(
    ("runtime", "majors", "chosen"),
    [
        ("nodejs20.x", (18, 20, 22), 20),
        ("nodejs24.x", (18, 20), 20),
        ("nodejs20.x", (18, 22), 22),
        ("nodejs18.x", (25,), 25),
    ],
)
def test_the_nearest_node_stands_for_a_runtime_and_says_so(runtime: str, majors: tuple[int, ...], chosen: int) -> None:
    choice = choose_node(runtime, some_nodes(*majors))
    assert choice is not None
    assert choice.node.major == chosen
    assert bool(choice.warning) == (node_major(runtime) != chosen)
    assert not choice.warning or f"{runtime} runs on Node.js {chosen}" in choice.warning


def test_there_may_be_none() -> None:
    assert choose_node("nodejs20.x", ()) is None
    assert choose_node("ruby3.3", some_nodes(20)) is None


def an_executable(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "script", ["exit 1", "echo hello", "echo 16.2.0; echo /usr/bin/node", "echo 20.1.0", "kill -9 $$"]
)
def test_what_is_no_node_that_lambda_has_is_none(tmp_path: Path, script: str) -> None:
    assert probe_node(str(an_executable(tmp_path, "node", script))) is None
    assert probe_node(str(tmp_path / "absent")) is None


def test_every_node_on_the_path_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_node()
    assert find_nodes() == ()
    for name, version in (("node", "20.1.0"), ("node20", "20.9.0"), ("node-22", "22.0.1")):
        an_executable(tmp_path, name, f"echo {version}; echo {tmp_path}/{name}")
    assert has_node()
    assert find_nodes() == (Node(20, tmp_path / "node"), Node(22, tmp_path / "node-22"))
