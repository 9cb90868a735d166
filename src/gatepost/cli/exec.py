"""`exec -- CMD`: a fresh platform for one command, for tests in CI."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.endpoint import Endpoint, administrator_of
from gatepost.cli.options import fresh_platform_options, settings_of, stack_option
from gatepost.cli.state import exports_of
from gatepost.cli.up import live
from gatepost.storage.data_directory import DataDirectory

EXIT_NOT_FOUND: Final = 127


@click.command("exec")
@click.option(
    "--template",
    "templates",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A template to deploy first; may be repeated.",
)
@fresh_platform_options
@stack_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(templates: tuple[Path, ...], stack_name: str | None, command: tuple[str, ...], **chosen: Any) -> None:
    """Start a fresh platform on free ports, run COMMAND with its AWS variables, stop it, keep COMMAND's exit code.

    `gatepost exec --template template.yaml -- pytest tests/`
    """
    if stack_name is not None and len(templates) != 1:
        raise click.UsageError("--stack-name names the stack of one template")
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        cache = chosen.pop("cached_in").absolute() / "cache"
        chosen |= {
            "data_dir": Path(folder),
            "port": 0,
            "private_port": 0,
            "aws_port": 0,
            "tls_port": 0,
            "is_ephemeral": True,
        }
        settings = settings_of(chosen, templates=tuple(path.absolute() for path in templates))

        async def work(endpoint: Endpoint) -> int:
            loop = asyncio.get_running_loop()
            if settings.templates:
                from gatepost.cli.deploy import deploy_templates

                deploying = partial(deploy_templates, endpoint, settings, stack_name, as_json=False, cache=cache)
                # What is on standard output is COMMAND's alone.
                with contextlib.redirect_stdout(sys.stderr):
                    if not await loop.run_in_executor(None, deploying):
                        return 1
            exports = exports_of(endpoint, administrator_of(DataDirectory(settings.data_dir)))
            exports |= {"GATEPOST_DATA": folder, "GATEPOST_GATEWAY": endpoint.addresses.public}
            return await _run(command, exports)

        code = asyncio.run(live(settings, work, as_json=True, stays=False))
    raise click.exceptions.Exit(code)


async def _run(command: tuple[str, ...], exports: dict[str, str]) -> int:
    environment = {key: value for key, value in os.environ.items() if key not in {"AWS_SESSION_TOKEN", "AWS_PROFILE"}}
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment | exports)
    except FileNotFoundError:
        click.echo(f"Error: {command[0]}: command not found", err=True)
        return EXIT_NOT_FOUND
    except PermissionError:
        click.echo(f"Error: {command[0]}: cannot be run", err=True)
        return EXIT_NOT_FOUND - 1
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    return 128 - code if code < 0 else code
