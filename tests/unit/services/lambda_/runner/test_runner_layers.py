"""Layers in a worker: at /opt, on sys.path between the function's code and the runtime's packages."""

from __future__ import annotations

import hashlib

from tests.support.functions import LiveRunner, a_live_runner, a_zip, skip_without_a_box

CODE = """
import os, sys
import first, second, both, shadowed
def handler(event, context):
    opt = [path for path in sys.path if "python" in path and path.startswith(event or "/opt")]
    return [first.A, second.A, both.A, shadowed.A, sys.path.index("/var/task") if not event else 0, opt]
"""
VERSION = "python3.11"


def a_layer(runner: LiveRunner, files: dict[str, str]) -> dict[str, object]:
    content = a_zip(files)
    runner._assets.put_now(content)
    return {"arn": "", "sha256": hashlib.sha256(content).hexdigest(), "bytes": 1, "unzipped_bytes": 1}


def two_layers(runner: LiveRunner) -> list[dict[str, object]]:
    return [
        a_layer(runner, {"python/first.py": "A = 1", "python/both.py": "A = 1", "python/shadowed.py": "A = 1"}),
        a_layer(
            runner,
            {"python/both.py": "A = 2", f"python/lib/{VERSION}/site-packages/second.py": "A = 2", "bin/tool": "x"},
        ),
    ]


def test_a_functions_layers_are_merged_below_opt(runner: LiveRunner) -> None:
    skip_without_a_box(runner)
    files = {"app.py": CODE, "shadowed.py": "A = 0"}
    function = runner.deploy(files, layers=two_layers(runner))
    *values, task_at, opt = runner.value(function)
    assert values == [1, 2, 2, 0]
    assert task_at == 0
    assert opt == [f"/opt/python/lib/{VERSION}/site-packages", "/opt/python"]


def test_without_layers_opt_is_empty_and_not_on_the_path(runner: LiveRunner) -> None:
    skip_without_a_box(runner)
    function = runner.deploy(
        """
        import os, sys
        def handler(event, context):
            return [os.listdir("/opt"), [path for path in sys.path if path.startswith("/opt")], os.environ["PATH"]]
        """
    )
    entries, paths, path = runner.value(function)
    assert (entries, paths) == ([], [])
    assert not path.endswith(":/opt/bin")


def test_a_layer_cannot_be_written_to(runner: LiveRunner) -> None:
    skip_without_a_box(runner)
    code = "def handler(event, context):\n    open('/opt/python/first.py', 'w')\n"
    function = runner.deploy(code, layers=two_layers(runner)[:1])
    assert "Read-only" in runner.error(function)["errorMessage"]


def test_layers_work_without_a_file_system_of_the_workers_own(tmp_path) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path, is_sandboxed=False) as live:
        function = live.deploy({"app.py": CODE, "shadowed.py": "A = 0"}, layers=two_layers(live))
        *values, _, opt = live.value(function, str(tmp_path))
        assert values == [1, 2, 2, 0]
        assert [path.rpartition("/python")[2] for path in opt][-1] == ""
