"""`up --debug FUNCTION`: where to attach, said once everything is deployed; or why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.deploy import targets
from gatepost.cli.endpoint import Endpoint
from gatepost.config import Settings
from gatepost.services.lambda_.runner.debugging import NODE_PORT, PYTHON_PORT, debugpy_folder, is_named
from gatepost.services.lambda_.runner.interpreters import python_version
from gatepost.services.lambda_.runner.nodes import node_major

TASK_ROOT: Final = "/var/task"
HOST: Final = "127.0.0.1"


def debug_report(endpoint: Endpoint, settings: Settings, stack_name: str | None) -> dict[str, Any]:
    """Give what a debugger needs: function, runtime, host, port, where the code lies. Raises: ClickException."""
    function = _function(endpoint, settings.debug_function)
    runtime = str(function["Runtime"])
    report = {"function": function["FunctionName"], "runtime": runtime, "host": HOST, "remote_root": TASK_ROOT}
    report["local_root"] = str(_local_root(endpoint, settings, stack_name) or "")
    if python_version(runtime) is not None:
        if not debugpy_folder():
            raise click.ClickException(
                f"--debug {settings.debug_function}: debugpy is not installed here: pip install 'gatepost[debug]'"
            )
        return {**report, "port": settings.debug_port or PYTHON_PORT, "protocol": "debugpy"}
    if node_major(runtime) is not None:
        return {**report, "port": settings.debug_port or NODE_PORT, "protocol": "inspector"}
    raise click.ClickException(
        f"--debug {settings.debug_function}: its runtime is {runtime}; functions in Python and Node.js can be debugged"
    )


def _function(endpoint: Endpoint, wanted: str) -> Mapping[str, Any]:
    functions = endpoint.call("lambda", "ListFunctions", MaxItems=50)["Functions"]
    found = [one for one in functions if is_named(one["FunctionName"], wanted)]
    if len(found) == 1:
        return dict(found[0])
    names = ", ".join(sorted(one["FunctionName"] for one in found or functions)) or "none"
    if found:
        raise click.ClickException(f"--debug {wanted} means more than one function: {names}; give one of these names")
    raise click.ClickException(f"--debug {wanted}: there is no such function; there are: {names}")


def _local_root(endpoint: Endpoint, settings: Settings, stack_name: str | None) -> Path | None:
    for template in settings.templates:
        given = dict(settings.parameters)
        cache = settings.data_dir.absolute() / "cache"
        for target in targets(endpoint, template, stack_name, given, is_lenient=settings.is_lenient, cache=cache):
            for function in target.packaged.functions:
                wanted = settings.debug_function
                if function.logical_id == wanted or f"-{function.logical_id}-" in wanted:
                    return function.code
    return None


def debug_lines(report: Mapping[str, Any]) -> list[str]:
    """Say it to a person, with what an editor is to be told."""
    where = {"host": report["host"], "port": report["port"]}
    local_root = report["local_root"] or "${workspaceFolder}"
    if report["protocol"] == "debugpy":
        roots = [{"localRoot": local_root, "remoteRoot": report["remote_root"]}]
        attach = {"name": report["function"], "type": "debugpy", "request": "attach", "connect": where}
        attach |= {"pathMappings": roots, "justMyCode": True}
    else:
        attach = {"name": report["function"], "type": "node", "request": "attach", "address": report["host"]}
        attach |= {"port": report["port"], "localRoot": local_root, "remoteRoot": report["remote_root"]}
        attach |= {"restart": True}
    return [
        f"Debug {report['function']} ({report['runtime']}): attach to {report['host']}:{report['port']}",
        f"  in .vscode/launch.json: {json.dumps(attach)}",
        "  one request at a time; its time limits stand still while it is halted",
    ]
