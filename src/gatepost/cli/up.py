"""`up` and `serve`: start the platform, deploy, say where everything is, stay until told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from gatepost.app.supervisor import Supervisor
from gatepost.cli.endpoint import Endpoint, administrator_of, read_addresses
from gatepost.cli.options import json_option, platform_options, settings_of, stack_option
from gatepost.config import Settings

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130


@click.command("up")
@click.argument("templates", nargs=-1, type=click.Path(exists=True, path_type=Path))
@platform_options
@stack_option
@click.option(
    "--watch", "is_watching", is_flag=True, help="Put what is saved into effect: code, requirements, templates."
)
@click.option(
    "--debug",
    "debug_function",
    metavar="FUNCTION",
    help="Let a debugger attach to this function (its name or logical id): debugpy, or Node.js' inspector.",
)
@click.option("--debug-port", type=int, default=0, show_default="5678 for Python, 9229 for Node.js")
@json_option
def up_command(
    templates: tuple[Path, ...], stack_name: str | None, is_watching: bool, as_json: bool, **chosen: Any
) -> None:
    """Start the platform, deploy TEMPLATES, and stay in the foreground until Ctrl-C."""
    if stack_name is not None and len(templates) != 1:
        raise click.UsageError("--stack-name names the stack of one template")
    settings = settings_of(chosen, templates=tuple(path.absolute() for path in templates))
    if is_watching and not templates:
        raise click.UsageError("--watch puts saved files of TEMPLATES into effect: name a template")
    code = run_in_foreground(settings, stack_name=stack_name, as_json=as_json, is_watching=is_watching)
    raise click.exceptions.Exit(code)


@click.command("serve")
@platform_options
@json_option
def serve_command(as_json: bool, **chosen: Any) -> None:
    """Start the platform without a template and stay in the foreground until Ctrl-C."""
    raise click.exceptions.Exit(run_in_foreground(settings_of(chosen), stack_name=None, as_json=as_json))


def run_in_foreground(settings: Settings, *, stack_name: str | None, as_json: bool, is_watching: bool = False) -> int:
    """Be a platform until a signal comes; give the exit code."""
    at_stop = ExitStack()

    async def deploy_and_tell(endpoint: Endpoint) -> int:
        loop = asyncio.get_running_loop()
        deployed = True
        if settings.templates:
            from gatepost.cli.deploy import deploy_templates

            deploying = partial(deploy_templates, endpoint, settings, stack_name, as_json=as_json)
            deployed = await loop.run_in_executor(None, deploying)
        if deployed:
            await loop.run_in_executor(None, _print_endpoints, endpoint, settings, stack_name, as_json)
        if deployed and settings.debug_function:
            deployed = await loop.run_in_executor(None, _tell_debugger, endpoint, settings, stack_name, as_json)
        if deployed and is_watching:
            at_stop.callback(_watch(endpoint, settings, stack_name, as_json=as_json))
        return 0 if deployed else EXIT_FAILED

    return asyncio.run(live(settings, deploy_and_tell, as_json=as_json, at_stop=at_stop))


def _tell_debugger(endpoint: Endpoint, settings: Settings, stack_name: str | None, as_json: bool) -> bool:
    """Say where to attach; False, with the reason said, when there is nothing to attach to."""
    from gatepost.cli.debug import debug_lines, debug_report

    try:
        report = debug_report(endpoint, settings, stack_name)
    except click.ClickException as error:
        error.show()
        return False
    for line in [json.dumps({"debug": report})] if as_json else debug_lines(report):
        click.echo(line)
    return True


def _watch(endpoint: Endpoint, settings: Settings, stack_name: str | None, *, as_json: bool) -> Callable[[], None]:
    """Watch in a thread of its own; gives what ends that."""
    from gatepost.cli.watch import Watcher, line_of

    def tell(told: Mapping[str, Any]) -> None:
        click.echo(json.dumps(told) if as_json else line_of(told))

    watcher = Watcher(endpoint, settings, stack_name, tell=tell)
    threading.Thread(target=watcher.run, name="watch", daemon=True).start()
    return watcher.stopping.set


async def live(
    settings: Settings,
    work: Callable[[Endpoint], Awaitable[int]],
    *,
    as_json: bool,
    stays: bool = True,
    at_stop: ExitStack | None = None,
) -> int:
    """Start a platform, do `work` with its endpoint, and stay until a signal comes if `stays`.

    `at_stop` is closed before the platform stops.

    Gives `work`'s exit code when that is not 0, else 0, or 1 when a role failed.
    """
    supervisor = Supervisor(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    starting = asyncio.ensure_future(supervisor.start())
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not starting.done():
        starting.cancel()
        await supervisor.stop()
        if stays and not as_json:
            click.echo("\nStopped.")
        return 0 if stays else EXIT_INTERRUPTED
    starting.result()
    code = 0
    try:
        endpoint = _endpoint(supervisor)
        code = await _until(asyncio.ensure_future(work(endpoint)), stopping, supervisor)
        if stays and code == 0:
            await _until(None, stopping, supervisor)
    finally:
        if at_stop is not None:
            at_stop.close()
        cut_off = await supervisor.stop()
        if stays and not as_json:
            click.echo(f"\nStopped. {_cut_off_text(cut_off)}" if cut_off else "\nStopped.")
    if supervisor.failed.is_set():
        click.echo(f"Error: {supervisor.failure}", err=True)
        return EXIT_FAILED
    return code


def _cut_off_text(count: int) -> str:
    return "1 running request was cut off." if count == 1 else f"{count} running requests were cut off."


def _endpoint(supervisor: Supervisor) -> Endpoint:
    addresses = read_addresses(supervisor.data)
    assert addresses is not None
    return Endpoint(addresses, **administrator_of(supervisor.data))


async def _until(work: asyncio.Future[int] | None, stopping: asyncio.Event, supervisor: Supervisor) -> int:
    """Wait until `work` is done or someone wants to stop. A thread that deploys is left to the closing endpoint."""
    waits: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(stopping.wait()),
        asyncio.ensure_future(supervisor.failed.wait()),
    ]
    await asyncio.wait([*waits, *([work] if work is not None else [])], return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if work is not None and work.done():
        return work.result()
    return EXIT_FAILED if supervisor.failed.is_set() else 0


def _print_endpoints(endpoint: Endpoint, settings: Settings, stack_name: str | None, as_json: bool) -> None:
    from gatepost.cli.output import endpoints_report, print_endpoints

    report = endpoints_report(endpoint, settings, stack_name)
    if as_json:
        click.echo(json.dumps(report))
    else:
        print_endpoints(report)
