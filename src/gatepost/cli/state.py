"""What runs: status, wait, stop, env."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.endpoint import (
    Endpoint,
    administrator_of,
    endpoint_of,
    is_private,
    read_addresses,
    rest_apis,
    stage_url,
)
from gatepost.cli.options import data_option, json_option
from gatepost.storage.data_directory import DataDirectory

POLL_S: Final = 0.05
FIGURES: Final = ("count", "4xx", "5xx", "latency_p50_ms", "latency_p99_ms", "integration_latency_p50_ms")


@click.command("status")
@data_option
@json_option
def status_command(data_dir: Path, as_json: bool) -> None:
    """Show what runs, and where: roles, stacks, APIs with their counts."""
    endpoint = endpoint_of(data_dir)
    try:
        _, health = endpoint.health()
        told = endpoint.send("GET", "/_gatepost/status")
        state = json.loads(told[1])
        state["apis"] = with_urls(endpoint, state.get("apis", []))
    except OSError as error:
        raise click.ClickException(f"the AWS endpoint does not answer: {error}") from error
    addresses = endpoint.addresses
    if as_json:
        places = {
            "aws_endpoint": addresses.aws,
            "gateway": addresses.public,
            "gateway_private": addresses.private,
            "gateway_tls": addresses.tls,
        }
        click.echo(json.dumps({"health": health, **places, **state}, indent=2))
        return
    from gatepost.cli.output import print_status

    print_status(addresses, health, state)


def with_urls(endpoint: Endpoint, figures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give each stage's figures with its URL; of APIs that the gateways have told nothing of yet, nought."""
    known, apis = {told["api_id"] for told in figures}, rest_apis(endpoint)
    private = {api["id"] for api in apis if is_private(api)}
    silent = [
        {"api": api["name"], "api_id": api["id"], "stage": stage["stageName"], **dict.fromkeys(FIGURES, 0)}
        for api in apis
        if api["id"] not in known
        for stage in endpoint.call("apigateway", "GetStages", restApiId=api["id"]).get("item", [])
    ]
    return [
        {
            **told,
            "url": stage_url(endpoint.addresses, told["api_id"], told["stage"], is_private=told["api_id"] in private),
        }
        for told in [*figures, *silent]
    ]


@click.command("wait")
@data_option
@click.option("--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds to wait at most.")
@json_option
def wait_command(data_dir: Path, timeout_s: float, as_json: bool) -> None:
    """Wait until the platform is ready; exit with 1 when it is not in time."""
    deadline = time.monotonic() + timeout_s
    health: dict[str, Any] = {"status": "not running"}
    data = DataDirectory(data_dir.absolute())
    while True:
        status, health = _ask(data, health)
        if status == 200:
            click.echo(json.dumps(health) if as_json else "ready")
            return
        if health.get("status") == "failed" or time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    if as_json:
        click.echo(json.dumps(health))
    raise click.ClickException(f"not ready after {timeout_s:g} s: {health.get('status')}")


def _ask(data: DataDirectory, before: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    addresses = read_addresses(data)
    if addresses is None:
        return 0, before
    endpoint = Endpoint(addresses, access_key_id="", secret_access_key="")
    try:
        return endpoint.health()
    except (OSError, ValueError):
        return 0, before
    finally:
        endpoint.close()


@click.command("stop")
@data_option
@click.option("--timeout", "timeout_s", type=float, default=15.0, show_default=True, help="Seconds to wait at most.")
@json_option
def stop_command(data_dir: Path, timeout_s: float, as_json: bool) -> None:
    """Stop the platform that owns the data directory and wait until it is gone."""
    data = DataDirectory(data_dir.absolute())
    owner = data.owner()
    if owner is None:
        raise click.ClickException(f"no platform runs on {data_dir}")
    try:
        os.kill(owner, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise click.ClickException(f"process {owner} belongs to another user") from error
    deadline = time.monotonic() + timeout_s
    while data.owner() is not None:
        if time.monotonic() >= deadline:
            raise click.ClickException(f"process {owner} still runs after {timeout_s:g} s")
        time.sleep(POLL_S)
    click.echo(json.dumps({"stopped": owner}) if as_json else f"stopped process {owner}")


@click.command("env")
@data_option
@json_option
def env_command(data_dir: Path, as_json: bool) -> None:
    r"""Print exports for AWS tools, with the administrator's key: eval "$(gatepost env)"."""
    data = DataDirectory(data_dir.absolute())
    endpoint = endpoint_of(data_dir)
    exports = exports_of(endpoint, administrator_of(data))
    if as_json:
        click.echo(json.dumps(exports, indent=2))
        return
    for name, value in exports.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo("unset AWS_SESSION_TOKEN AWS_PROFILE")


def exports_of(endpoint: Endpoint, key: dict[str, str]) -> dict[str, str]:
    """Give the variables by which AWS tools find the platform."""
    return {
        "AWS_ENDPOINT_URL": endpoint.addresses.aws,
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "AWS_REGION": endpoint.addresses.region,
        "AWS_DEFAULT_REGION": endpoint.addresses.region,
    }
