"""`ledger TEMPLATE`: what becomes of each line of a template, without a platform."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gatepost.cli.naming import stack_name_of, template_of
from gatepost.cli.options import (
    data_option,
    json_option,
    lenient_option,
    pairs,
    parameter_option,
    service_option,
    stack_option,
    tables_option,
    throttling_option,
)
from gatepost.config import ledger_settings
from gatepost.kernel.clock import SystemClock

if TYPE_CHECKING:
    from gatepost.templates.acceptance import Acceptance
    from gatepost.templates.code_packages import Uploads
    from gatepost.templates.compile import Compiled
    from gatepost.templates.ledger import Finding

REGION: Final = "us-east-1"
ACCOUNT_ID: Final = "000000000000"


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one property, or of a whole resource."""

    line: int
    logical_id: str
    type: str
    property: str
    status: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the row for programs."""
        return {
            "line": self.line,
            "logical_id": self.logical_id,
            "type": self.type,
            "property": self.property,
            "status": self.status,
            "note": self.note,
        }


@click.command("ledger")
@click.argument("template", type=click.Path(exists=True, path_type=Path))
@data_option
@stack_option
@parameter_option
@service_option
@tables_option
@throttling_option
@lenient_option
@json_option
def ledger_command(
    template: Path,
    data_dir: Path,
    stack_name: str | None,
    parameters: tuple[str, ...],
    service_endpoints: tuple[str, ...],
    tables_url: str,
    tables_unthrottled: bool,
    is_lenient: bool,
    as_json: bool,
) -> None:
    """Show what is enforced, approximated, inert, forwarded or refused of TEMPLATE.

    Exits with 1 if anything is refused.
    """
    from gatepost.templates.acceptance import Acceptance

    acceptance = Acceptance(
        is_lenient=True,
        forwarded=frozenset(name.lower() for name, _ in pairs(service_endpoints, "--service", form="NAME=URL")),
        settings=ledger_settings(tables_url=tables_url, tables_throttled=not tables_unthrottled),
    )
    given = dict(pairs(parameters, "--parameter"))
    cache = data_dir.absolute() / "cache"
    found: list[tuple[str, list[Row]]] = []
    with tempfile.TemporaryDirectory(prefix="gatepost-ledger-") as scratch:
        uploads = _Uploaded(Path(scratch))
        for judged in _judged(template, stack_name, cache, uploads):
            compiled = asyncio.run(_compile(judged, cache, uploads.files, {**judged.parameters, **given}, acceptance))
            rows = sorted(rows_of(compiled), key=lambda row: (row.line, row.logical_id, row.property))
            found.append((judged.file, rows))
    if as_json:
        click.echo(json.dumps([row.to_json() for _, rows in found for row in rows], indent=2))
    else:
        for file, rows in found:
            _print(file, rows)
    if any(row.status == "refused" for _, rows in found for row in rows) and not is_lenient:
        raise click.exceptions.Exit(1)


class _Uploaded:
    """Keeps what a deployment would upload."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.files: dict[str, Path] = {}

    def uploads(self) -> Uploads:
        """Give the place to upload to."""
        from gatepost.templates.code_packages import Uploads

        return Uploads(has=lambda _: False, put=self._put)

    def _put(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[sha256] = self._scratch / sha256
        self.files[sha256].write_bytes(content)
        return sha256


@dataclass(frozen=True, slots=True)
class _Judged:
    """One packaged template; `beside` is what its `gatepost.accept` lies beside."""

    stack_name: str
    file: str
    text: str
    beside: Path
    parameters: Mapping[str, str]


def _judged(template: Path, stack_name: str | None, cache: Path, uploaded: _Uploaded) -> Iterator[_Judged]:
    """Package a template, or every stack of a `cdk.out` folder. Raises: SettingsError, TemplateRefused."""
    from gatepost.templates.cloud_assembly import is_cloud_assembly, read_assembly
    from gatepost.templates.packaging import Packager

    if is_cloud_assembly(template):
        for stack in read_assembly(template, cache_dir=cache, uploads=uploaded.uploads(), progress=_progress):
            yield _Judged(stack.name, stack.file, stack.text, template.absolute(), stack.parameters)
        return
    path = template_of(template)
    packaged = Packager(cache_dir=cache, uploads=uploaded.uploads(), progress=_progress).package(path)
    yield _Judged(stack_name or stack_name_of(path), packaged.file, packaged.text, path, {})


async def _compile(
    judged: _Judged,
    cache: Path,
    files: Mapping[str, Path],
    parameters: Mapping[str, str],
    acceptance: Acceptance,
) -> Compiled:
    """Compile with everything accepted, so that all findings are seen and not only the first."""
    from gatepost.templates.checking import acceptance_beside, check_template
    from gatepost.templates.registry import template_compiler

    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date()
    return await check_template(
        template_compiler(cache),
        judged.text,
        file=judged.file,
        parameters=parameters,
        account_id=ACCOUNT_ID,
        region=REGION,
        stack_name=judged.stack_name,
        files=files,
        acceptance=acceptance_beside(judged.beside, acceptance, today=today),
    )


def _progress(line: str) -> None:
    click.echo(line, err=True)


def rows_of(compiled: Compiled) -> Iterator[Row]:
    """Give a row for every finding, and one for every property that has none: it is enforced."""
    spoken_of: set[tuple[str, str]] = set()
    for finding in compiled.findings:
        problem = finding.problem
        spoken_of.add((problem.logical_id, str(finding.steps[0]) if finding.steps else ""))
        yield Row(
            problem.line,
            problem.logical_id,
            problem.resource_type,
            problem.property_path,
            _status(finding),
            problem.message,
        )
    for name, resource in compiled.resources.items():
        if (name, "") in spoken_of and not resource.properties:
            continue
        for key in resource.properties:
            if (name, key) not in spoken_of:
                line = compiled.template.where.problem(("Resources", name, "Properties", key), "").line
                yield Row(line, name, resource.declaration.type, key, "enforced")


def _status(finding: Finding) -> str:
    if finding.status != "refused":
        return finding.status
    return "refused" if finding.accepted_by in ("", "lenient") else "accepted"


def _print(file: str, rows: list[Row]) -> None:
    from rich.markup import escape

    from gatepost.cli.output import a_table, console, print_table

    out = console()
    table = a_table("LINE", "STATUS", "RESOURCE", "PROPERTY", "NOTE", wrapped="NOTE")
    colours = {"enforced": "green", "refused": "red", "accepted": "magenta"}
    for row in rows:
        colour = colours.get(row.status, "yellow")
        table.add_row(
            str(row.line or ""),
            f"[{colour}]{row.status}[/]",
            row.logical_id,
            row.property or row.type,
            escape(row.note),
        )
    print_table(out, table)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    out.print(f"[bold]{file}[/]: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
