"""Options that several commands share, each said once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from gatepost.config import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("GATEPOST_DATA", ".gatepost")),
    show_default=".gatepost, or $GATEPOST_DATA",
    help="The data directory.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
parameter_option = click.option(
    "--parameter", "parameters", multiple=True, metavar="KEY=VALUE", help="A template parameter; may be repeated."
)
stack_option = click.option(
    "--stack-name", default=None, help="The stack's name. Default: that of the template's folder."
)
lenient_option = click.option(
    "--lenient", "is_lenient", is_flag=True, help="Accept what cannot be enforced, with a warning each."
)
service_option = click.option(
    "--service",
    "service_endpoints",
    multiple=True,
    metavar="NAME=URL",
    help="Send that AWS service's operations, signed, to an endpoint of yours; may be repeated.",
)


cache_option = click.option(
    "--data",
    "cached_in",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("GATEPOST_DATA", ".gatepost")),
    show_default=".gatepost, or $GATEPOST_DATA",
    help="The data directory whose cache is used; the platform itself gets a fresh one.",
)
host_option = click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind.")
tls_name_option = click.option(
    "--tls-name",
    "tls_names",
    multiple=True,
    metavar="DOMAIN",
    help="A domain that the local certificate authority may certify, with all names below it; may be repeated.",
)
PORTS: Final = (
    click.option("--port", type=int, default=8080, show_default=True, help="The gateway's port; 0 picks one."),
    click.option("--private-port", type=int, default=8081, show_default=True, help="For private APIs; 0 picks one."),
    click.option(
        "--vpc-endpoint",
        "vpc_endpoints",
        multiple=True,
        metavar="VPCE=VPC[,NETWORK...]",
        help="A VPC endpoint for which the private port stands, for callers of these networks; may be repeated.",
    ),
    click.option("--aws-port", type=int, default=4566, show_default=True, help="The AWS endpoint; 0 picks one."),
    click.option(
        "--tls-port", type=int, default=None, show_default="8443 if free", help="The gateway over TLS; 0 picks one."
    ),
    tls_name_option,
)
IDENTITY: Final = (
    click.option("--region", default="us-east-1", show_default=True, help="The region of what is created."),
    click.option("--account-id", default="000000000000", show_default=True, help="Twelve digits."),
    click.option(
        "--any-credentials", is_flag=True, help="Unknown access keys are the administrator's (loopback only)."
    ),
)
DURABILITY: Final = (
    click.option("--ephemeral", "is_ephemeral", is_flag=True, help="Keep nothing; allow a reset."),
    click.option(
        "--durability",
        type=click.Choice(["full", "process"]),
        default="full",
        show_default=True,
        help="process: acknowledged writes survive kill -9 but not a power cut.",
    ),
)
tables_option = click.option(
    "--tables",
    "tables_url",
    default="",
    metavar="URL",
    help="Keep tables in that DynamoDB-compatible cluster, with the key in GATEPOST_TABLES_ACCESS_KEY_ID and …SECRET….",
)
throttling_option = click.option(
    "--no-table-throttling", "tables_unthrottled", is_flag=True, help="Let provisioned tables exceed their units."
)
TABLES: Final = (tables_option, throttling_option)
LIMITS: Final = (
    click.option(
        "--quota",
        "quotas",
        multiple=True,
        metavar="NAME=N",
        help="Raise or lower a quota of REST APIs, such as resources-per-api; may be repeated.",
    ),
    click.option(
        "--account-throttle-rate",
        type=float,
        default=10_000.0,
        show_default=True,
        help="Requests a second of all APIs together.",
    ),
    click.option(
        "--account-throttle-burst", type=int, default=5_000, show_default=True, help="Requests of all APIs at once."
    ),
    click.option(
        "--state",
        "state_url",
        default="",
        metavar="URL",
        help="Share limits with other gateways in that Valkey: valkey://HOST[:PORT][/DATABASE].",
    ),
    click.option(
        "--trusted-proxy",
        "trusted_proxies",
        multiple=True,
        metavar="NETWORK",
        help="Believe the X-Forwarded-For of these for limits by address; may be repeated.",
    ),
)
USER_POOLS: Final = (
    click.option(
        "--issuer", default="", metavar="URL", help="What user pools' tokens name as issuer; aws: AWS's own form."
    ),
    click.option(
        "--smtp",
        "smtp_url",
        default=lambda: os.environ.get("GATEPOST_SMTP", ""),
        show_default="$GATEPOST_SMTP",
        metavar="URL",
        help="Send user pools' e-mails by that server: smtp://HOST:PORT, smtps://USER:PASSWORD@HOST.",
    ),
    click.option(
        "--password-memory-kib", type=int, default=19 * 1024, show_default=True, help="What one password hash takes."
    ),
    click.option("--password-passes", type=int, default=2, show_default=True, help="Passes of one password hash."),
)
FUNCTIONS: Final = (
    click.option(
        "--workers",
        type=int,
        default=1,
        show_default=True,
        help="Gateway processes: as many as there are cores to use. They share every limit.",
    ),
    click.option(
        "--concurrency", type=int, default=1_000, show_default=True, help="Executions of all functions together."
    ),
    click.option(
        "--concurrency-scaling",
        type=int,
        default=1_000,
        show_default=True,
        help="By how many executions a function may grow in ten seconds.",
    ),
)
TEMPLATES: Final = (lenient_option, service_option, parameter_option)


def pairs(texts: tuple[str, ...], flag: str, *, form: str = "KEY=VALUE") -> tuple[tuple[str, str], ...]:
    """Split texts of this `form`. Raises: click.BadParameter."""
    found = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not {form}", param_hint=flag)
        found.append((key, value))
    return tuple(found)


def platform_options(command: Command) -> Command:
    """Add the options that make a platform's settings."""
    groups = (*PORTS, *IDENTITY, *DURABILITY, *LIMITS, *TABLES, *USER_POOLS, *FUNCTIONS, *TEMPLATES)
    return with_options(command, data_option, host_option, *groups)


def fresh_platform_options(command: Command) -> Command:
    """Add the options of a platform for one command: it has its own directory and ports, and keeps nothing."""
    return with_options(command, cache_option, host_option, tls_name_option, *IDENTITY, *TEMPLATES)


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Add options so that help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(chosen: dict[str, Any], *, templates: tuple[Path, ...] = ()) -> Settings:
    """Make the platform's settings of what `platform_options` gave. Raises: click.BadParameter."""
    return Settings(
        data_dir=chosen["data_dir"],
        host=chosen["host"],
        port=chosen["port"],
        private_port=chosen["private_port"],
        aws_port=chosen["aws_port"],
        tls_port=chosen["tls_port"],
        tls_names=tuple(name.lower() for name in chosen["tls_names"]),
        region=chosen["region"],
        account_id=chosen["account_id"],
        durability="process" if chosen["is_ephemeral"] else chosen["durability"],
        is_ephemeral=chosen["is_ephemeral"],
        is_lenient=chosen["is_lenient"],
        any_credentials=chosen["any_credentials"],
        service_endpoints=pairs(chosen["service_endpoints"], "--service", form="NAME=URL"),
        quotas=pairs(chosen.get("quotas", ()), "--quota", form="NAME=N"),
        account_throttle_rate=chosen.get("account_throttle_rate", 10_000.0),
        account_throttle_burst=chosen.get("account_throttle_burst", 5_000),
        state_url=chosen.get("state_url", ""),
        trusted_proxies=tuple(chosen.get("trusted_proxies", ())),
        vpc_endpoints=tuple(chosen.get("vpc_endpoints", ())),
        tables_url=chosen.get("tables_url", ""),
        tables_throttled=not chosen.get("tables_unthrottled", False),
        workers=chosen.get("workers", 1),
        concurrency=chosen.get("concurrency", 1_000),
        concurrency_scaling=chosen.get("concurrency_scaling", 1_000),
        debug_function=chosen.get("debug_function") or "",
        debug_port=chosen.get("debug_port") or 0,
        issuer=chosen.get("issuer", ""),
        smtp_url=chosen.get("smtp_url", ""),
        password_memory_kib=chosen.get("password_memory_kib", 19 * 1024),
        password_passes=chosen.get("password_passes", 2),
        parameters=pairs(chosen["parameters"], "--parameter"),
        templates=templates,
    )
