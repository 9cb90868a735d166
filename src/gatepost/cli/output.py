"""What people see: tables and lines. Programs get the same values as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gatepost.cli.endpoint import Addresses, Endpoint, deployed_stages
from gatepost.cli.naming import stack_name_of
from gatepost.cli.requests_to_try import curl_lines
from gatepost.config import LOOPBACK_HOSTS, Settings
from gatepost.kernel.clock import iso_8601

UNCUT: Final = 4000  # characters: more than the widest table that people are shown has


def console(*, stderr: bool = False) -> Console:
    """Give a console that never wraps URLs out of shape when it is no terminal."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, soft_wrap=True, width=160)
    return made


def a_table(*columns: str, wrapped: str = "") -> Table:
    """Make a table without lines, for terminals and files alike; only the column `wrapped` breaks its lines."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        is_wrapped = bool(column) and column == wrapped
        table.add_column(
            column,
            no_wrap=not is_wrapped,
            overflow="fold" if is_wrapped else "ellipsis",
            min_width=20 if is_wrapped else None,
        )
    return table


def print_table(out: Console, table: Table) -> None:
    """Print a table; in a file or a pipe nothing is cut, and no line ends with blanks."""
    if out.is_terminal:
        out.print(table)
        return
    is_wrapped = any(not column.no_wrap for column in table.columns)
    drawing = out if is_wrapped else Console(highlight=False, soft_wrap=True, width=UNCUT)
    with drawing.capture() as captured:
        drawing.print(table)
    for line in captured.get().splitlines():
        out.print(line.rstrip(), markup=False)


def endpoints_report(endpoint: Endpoint, settings: Settings, stack_name: str | None) -> dict[str, Any]:
    """Collect where everything answers: APIs with their stages, the AWS endpoint, and requests to try."""
    addresses = endpoint.addresses
    apis = deployed_stages(endpoint)
    return {
        "aws_endpoint": addresses.aws,
        "gateway": addresses.public,
        "gateway_private": addresses.private,
        "gateway_tls": addresses.tls,
        "region": addresses.region,
        "account_id": addresses.account_id,
        "data_dir": str(settings.data_dir),
        "notes": notes_of(settings),
        "apis": apis,
        "try": [
            line
            for template in settings.templates
            for line in curl_lines(endpoint, template, stack_name or stack_name_of(template), apis)
        ],
    }


def notes_of(settings: Settings) -> list[str]:
    """Say where this platform is friendlier, or weaker, than AWS's defaults."""
    notes = []
    if settings.templates:
        notes.append("templates given here may create IAM resources: their capabilities count as acknowledged")
    if settings.is_ephemeral:
        notes.append("--ephemeral: nothing is kept after the stop")
    elif settings.durability == "process":
        notes.append("--durability process: acknowledged writes survive kill -9, not a power cut")
    if settings.state_url:
        servers = settings.state_url.rpartition("://")[2].rpartition("@")[2]
        notes.append(f"--state: limits are shared at {servers}; while nothing answers there, each gateway has its own")
    if settings.tables_url:
        notes.append(f"--tables: tables are in {settings.tables_url}" + _clear_text(settings.tables_url))
    elif not settings.tables_throttled:
        notes.append("--no-table-throttling: provisioned tables and indexes take more than their units")
    notes.append(
        f"all APIs together: {settings.account_throttle_rate:,.10g} requests a second, "
        f"{settings.account_throttle_burst:,} at once (--account-throttle-rate, --account-throttle-burst)"
    )
    if settings.any_credentials:
        notes.append("--any-credentials: unknown access keys and roles act as the administrator")
    if settings.is_lenient:
        notes.append("--lenient: what cannot be enforced is a warning")
    return notes


def _clear_text(url: str) -> str:
    is_clear = url.startswith("http://") and urlsplit(url).hostname not in LOOPBACK_HOSTS
    return ", and what goes there is not encrypted" if is_clear else ""


def print_endpoints(report: dict[str, Any]) -> None:
    """Print where everything is."""
    out = console()
    out.print()
    for api in report["apis"]:
        out.print(f"[bold]{escape(api['api'])}[/] · {api['stage']}\n  {api['url']}")
    if not report["apis"]:
        where = "/_aws/execute-api/API_ID/STAGE"
        out.print(f"[bold]REST APIs[/]\n  {report['gateway']}{where}   none is deployed yet")
        out.print(f"  {report['gateway_private']}{where}   private ones")
    out.print(f"[bold]TLS[/]\n  {report['gateway_tls']}   gatepost trust, then browsers and curl believe it")
    out.print(f'[bold]AWS endpoint[/]\n  {report["aws_endpoint"]}   eval "$(gatepost env)", then aws, boto3, sam, cdk')
    for note in report["notes"]:
        out.print(f"[yellow]note[/] {note}")
    if report["try"]:
        out.print("\n[bold]Try it[/]")
        for line in report["try"]:
            out.print(f"  [dim]# {escape(line['title'])}[/]\n  {escape(line['curl'])}")
    out.print("\nRunning. Ctrl-C stops.")


def print_status(addresses: Addresses, health: dict[str, Any], state: dict[str, Any]) -> None:
    """Print what runs; each of `state`'s APIs knows the `url` where it answers."""
    out = console()
    out.print(f"[bold]{health['status']}[/]  {addresses.aws}  {addresses.region}  account {addresses.account_id}")
    roles = a_table("ROLE", "STATE", "PROCESS")
    for role in state.get("roles", []):
        roles.add_row(role["role"], role["state"], str(role.get("pid", "")))
    print_table(out, roles)
    if state.get("stacks"):
        stacks = a_table("STACK", "STATUS", "CHANGED")
        for stack in state["stacks"]:
            stacks.add_row(stack["name"], stack["status"], _when(stack["changed_at_ms"]))
        print_table(out, stacks)
    if state.get("apis"):
        apis = a_table("API", "STAGE", "COUNT", "4XX", "5XX", "LATENCY P50", "P99", "URL")
        for api in state["apis"]:
            apis.add_row(
                escape(api["api"]),
                api["stage"],
                str(api["count"]),
                str(api["4xx"]),
                str(api["5xx"]),
                f"{api['latency_p50_ms']:.1f} ms" if api["count"] else "-",
                f"{api['latency_p99_ms']:.1f} ms" if api["count"] else "-",
                api["url"],
            )
        print_table(out, apis)


WHAT: Final = {"Add": "[green]+ add[/]", "Modify": "[yellow]~ modify[/]", "Remove": "[red]- remove[/]"}


def print_plan(stack_name: str, changes: Sequence[Mapping[str, Any]], warnings: Sequence[str]) -> None:
    """Print what would change, and why; and what of the template is not enforced as on AWS."""
    out = console()
    for warning in warnings:
        out.print(f"[yellow]warning[/] {escape(warning)}")
    if not changes:
        out.print(f"[bold]{stack_name}[/]: nothing would change")
        return
    out.print(f"[bold]{stack_name}[/]: {len(changes)} change{'s' if len(changes) > 1 else ''}")
    table = a_table("", "RESOURCE", "TYPE", "BECAUSE OF")
    for change in changes:
        what = WHAT.get(change["Action"], change["Action"])
        if change.get("Replacement") == "True":
            what = "[red]± replace[/]"
        causes = sorted({_cause(detail) for detail in change.get("Details", [])})
        table.add_row(what, change["LogicalResourceId"], change["ResourceType"], escape(", ".join(causes)))
    print_table(out, table)


def print_outcome(outcome: Mapping[str, Any]) -> None:
    """Print what a deployed stack gives: its outputs, and where its APIs answer on this machine."""
    out = console()
    width = max(map(len, outcome["outputs"]), default=0)
    for key, value in outcome["outputs"].items():
        out.print(f"  [bold]{key:<{width}}[/]  {escape(value)}")
    for url in outcome["urls"]:
        out.print(f"  [bold]answers at[/]  {url}")
    for url in outcome["sign_in_urls"]:
        out.print(f"  [bold]users sign in at[/]  {url}")


def _cause(detail: Mapping[str, Any]) -> str:
    target = detail.get("Target", {})
    return str(target.get("Path") or target.get("Name") or target.get("Attribute", "")).removeprefix("/Properties/")


class EventPrinter:
    """Prints a stack's events as they come: one line for each resource that is done, or that failed."""

    def __init__(self) -> None:
        self._out = console()
        self._began_ms: dict[str, int] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Print one event, or note when a resource was begun."""
        name, status = event["LogicalResourceId"], event["ResourceStatus"]
        at_ms = int(event["Timestamp"])
        reason = event.get("ResourceStatusReason", "")
        if status.endswith("_IN_PROGRESS"):
            self._began_ms.setdefault(name, at_ms)
            return
        took_ms = at_ms - self._began_ms.pop(name, at_ms)
        mark = "[red]✗[/]" if "FAILED" in status or "ROLLBACK" in status else "[green]✓[/]"
        self._out.print(
            f"  {mark} {status:<28} {name}  [dim]{took_ms} ms[/]" + (f"  {escape(reason)}" if reason else "")
        )


def _when(at_ms: int) -> str:
    return iso_8601(at_ms)[:19].replace("T", " ")
