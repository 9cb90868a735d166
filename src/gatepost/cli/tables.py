"""`tables`: what is in tables, for people who look; and items in and out of them by files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from gatepost.cli.endpoint import Endpoint, OperationFailed, endpoint_of
from gatepost.cli.item_text import Item, cell, item_json, parse_item
from gatepost.cli.options import data_option, json_option, pairs
from gatepost.cli.table_files import FORMATS, FileRefused, data_files, format_of, read_items
from gatepost.kernel.clock import SystemClock

CELL_MAX: Final = 48  # characters of a value in a table on the screen
COLUMNS_MAX: Final = 8
SHOWN_MAX: Final = 25
NEAR_MAX: Final = 5  # tables that are named to whom names one that is not there
OPERATORS: Final = ("=", "<", "<=", ">", ">=", "begins_with")

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("tables")
@data_option
@json_option
@click.pass_context
def tables_command(context: click.Context, data_dir: Path, as_json: bool) -> None:
    """Look into DynamoDB tables, change items, and move them to and from files."""
    context.obj = (data_dir, as_json)


def _shared(command: Command) -> Command:
    """Add --data and --json, which may stand before or after the command's name."""
    command = json_option(command)
    return click.option(
        "--data", "data_dir", type=click.Path(file_okay=False, path_type=Path), default=None, help="The data directory."
    )(command)


def _connect(context: click.Context, data_dir: Path | None) -> Endpoint:
    return endpoint_of(data_dir or context.obj[0])


@tables_command.command("list")
@_shared
@click.pass_context
def list_command(context: click.Context, data_dir: Path | None, as_json: bool) -> None:
    """List the tables with their keys, sizes and indexes."""
    with closing(_connect(context, data_dir)) as endpoint:
        found = [described_table(endpoint, name) for name in _names(endpoint)]
    if as_json or context.obj[1]:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    from gatepost.cli.output import a_table, console, print_table

    table = a_table("TABLE", "STATUS", "ITEMS", "BYTES", "KEY", "INDEXES")
    for one in found:
        indexes = [*one.get("GlobalSecondaryIndexes", []), *one.get("LocalSecondaryIndexes", [])]
        table.add_row(
            one["TableName"],
            one["TableStatus"],
            f"{one['ItemCount']:,}",
            f"{one['TableSizeBytes']:,}",
            ", ".join(_key_names(one)),
            ", ".join(index["IndexName"] for index in indexes),
        )
    print_table(console(), table)


def _names(endpoint: Endpoint) -> Iterator[str]:
    start: dict[str, str] = {}
    while True:
        page = endpoint.call("dynamodb", "ListTables", **start)
        yield from page["TableNames"]
        if "LastEvaluatedTableName" not in page:
            return
        start = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}


def described_table(endpoint: Endpoint, name: str) -> dict[str, Any]:
    """Describe a table. Raises: click.ClickException, which tells the names that hold this one, when there is none."""
    try:
        found: dict[str, Any] = endpoint.call("dynamodb", "DescribeTable", TableName=name)["Table"]
    except OperationFailed as failed:
        if failed.code != "ResourceNotFoundException":
            raise
        near = [known for known in _names(endpoint) if name.lower() in known.lower()][:NEAR_MAX]
        hint = f"did you mean {' or '.join(near)}?" if near else "`gatepost tables list` shows those that there are"
        raise click.ClickException(f"there is no table {name}: {hint}") from failed
    return found


def _key_names(table: Mapping[str, Any], index: str | None = None) -> list[str]:
    schema = table["KeySchema"]
    if index is not None:
        indexes = [*table.get("GlobalSecondaryIndexes", []), *table.get("LocalSecondaryIndexes", [])]
        schema = next((one["KeySchema"] for one in indexes if one["IndexName"] == index), None)
        if schema is None:
            raise click.ClickException(f"{table['TableName']} has no index {index}")
    return [element["AttributeName"] for element in schema]


def _types(table: Mapping[str, Any]) -> dict[str, str]:
    return {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}


def _pages(endpoint: Endpoint, operation: str, params: dict[str, Any], count_max: int) -> Iterator[Item]:
    """Give items page by page, at most `count_max`."""
    start: dict[str, Any] = {}
    left = count_max
    while left > 0:
        page = endpoint.call("dynamodb", operation, **params, **start)
        yield from page["Items"][:left]
        left -= len(page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _show(context: click.Context, items: list[Item], keys: list[str], *, as_json: bool) -> None:
    if as_json or context.obj[1]:
        for item in items:
            click.echo(item_json(item))
        return
    from rich.markup import escape

    from gatepost.cli.output import a_table, console, print_table

    names = [*keys, *dict.fromkeys(name for item in items for name in item if name not in keys)]
    shown = names[:COLUMNS_MAX]
    table = a_table(*(escape(name) for name in shown))
    for item in items:
        table.add_row(*(escape(_short(cell(item.get(name)))) for name in shown))
    out = console()
    print_table(out, table)
    hidden = f", {len(names) - len(shown)} attributes not shown (--json shows all)" if len(names) > len(shown) else ""
    out.print(f"[dim]{len(items)} item{'' if len(items) == 1 else 's'}{escape(hidden)}[/]")


def _short(text: str) -> str:
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= CELL_MAX else line[: CELL_MAX - 1] + "…"


@tables_command.command("scan")
@click.argument("table")
@click.option("--index", default=None, help="Read an index instead of the table.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN_MAX, show_default=True, help="Items at most.")
@_shared
@click.pass_context
def scan_command(
    context: click.Context, table: str, index: str | None, limit: int, data_dir: Path | None, as_json: bool
) -> None:
    """Show items of TABLE."""
    with closing(_connect(context, data_dir)) as endpoint:
        described = described_table(endpoint, table)
        params = {"TableName": table, "Limit": min(limit, 1000), **({"IndexName": index} if index else {})}
        items = list(_pages(endpoint, "Scan", params, limit))
    _show(context, items, _key_names(described, index), as_json=as_json)


@tables_command.command("query")
@click.argument("table")
@click.argument("partition", metavar="KEY=VALUE")
@click.option("--sort", nargs=2, default=None, metavar="OPERATOR VALUE", help=f"One of {' '.join(OPERATORS)}.")
@click.option("--index", default=None, help="Query an index instead of the table.")
@click.option("--reverse", is_flag=True, help="The last items first.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN_MAX, show_default=True, help="Items at most.")
@_shared
@click.pass_context
def query_command(
    context: click.Context,
    table: str,
    partition: str,
    sort: tuple[str, str] | None,
    index: str | None,
    reverse: bool,
    limit: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show the items of TABLE under one partition key, in order: gatepost tables query orders customer=ann."""
    with closing(_connect(context, data_dir)) as endpoint:
        described = described_table(endpoint, table)
        keys, types = _key_names(described, index), _types(described)
        condition, names, values = "#p = :p", {"#p": keys[0]}, _typed_key([keys[0]], types, (partition,))
        operands = {":p": values[keys[0]]}
        if sort is not None:
            operator, value = sort
            if operator not in OPERATORS or len(keys) < 2:
                raise click.BadParameter(f"an operator ({' '.join(OPERATORS)}) for a sort key", param_hint="--sort")
            condition += " AND begins_with(#s, :s)" if operator == "begins_with" else f" AND #s {operator} :s"
            names["#s"], operands[":s"] = keys[1], {types[keys[1]]: value}
        params: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": operands,
            "ScanIndexForward": not reverse,
            "Limit": min(limit, 1000),
            **({"IndexName": index} if index else {}),
        }
        items = list(_pages(endpoint, "Query", params, limit))
    _show(context, items, keys, as_json=as_json)


def _typed_key(names: list[str], types: Mapping[str, str], given: tuple[str, ...]) -> Item:
    told = dict(pairs(given, "KEY=VALUE"))
    if set(told) != set(names):
        raise click.BadParameter(f"give {' '.join(f'{name}=VALUE' for name in names)}", param_hint="KEY=VALUE")
    return {name: {types[name]: told[name]} for name in names}


@tables_command.command("get")
@click.argument("table")
@click.argument("key", nargs=-1, required=True, metavar="KEY=VALUE...")
@_shared
@click.pass_context
def get_command(context: click.Context, table: str, key: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Show one item of TABLE whole; exit with 1 when there is none."""
    del as_json  # one item is JSON either way
    with closing(_connect(context, data_dir)) as endpoint:
        described = described_table(endpoint, table)
        item_key = _typed_key(_key_names(described), _types(described), key)
        answer = endpoint.call("dynamodb", "GetItem", TableName=table, Key=item_key, ConsistentRead=True)
    if "Item" not in answer:
        raise click.ClickException("there is no such item")
    click.echo(item_json(answer["Item"]))


@tables_command.command("put")
@click.argument("table")
@click.argument("item")
@_shared
@click.pass_context
def put_command(context: click.Context, table: str, item: str, data_dir: Path | None, as_json: bool) -> None:
    """Write ITEM, a JSON object (- reads it from standard input), into TABLE."""
    try:
        parsed = parse_item(sys.stdin.read() if item == "-" else item)
    except ValueError as error:
        raise click.BadParameter(f"no JSON object: {error}", param_hint="ITEM") from error
    with closing(_connect(context, data_dir)) as endpoint:
        endpoint.call("dynamodb", "PutItem", TableName=table, Item=parsed)
    click.echo(item_json(parsed) if as_json or context.obj[1] else f"written to {table}")


@tables_command.command("salvage")
@_shared
@click.pass_context
def salvage_command(context: click.Context, data_dir: Path | None, as_json: bool) -> None:
    """Make a damaged store of tables anew, of what can be read; list the rest. Stop the platform first.

    Exits with 1 when something is missing.
    """
    from gatepost.cli.table_salvage import salvage_store

    if not salvage_store(data_dir or context.obj[0], as_json=as_json or context.obj[1]):
        raise click.exceptions.Exit(1)


# -- files --------------------------------------------------------------------------------------------


def _progress(title: str, total: float, unit: str) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from gatepost.cli.output import console

    columns = (TextColumn(title), BarColumn(), TextColumn(f"{{task.fields[items]:,}} {unit}"), TimeRemainingColumn())
    out = console(stderr=True)
    progress = Progress(*columns, console=out, disable=not out.is_terminal, transient=True)
    return progress, progress.add_task(title, total=total or None, items=0)


@tables_command.command("import")
@click.argument("table")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), default=None, help="Default: by the file's name.")
@_shared
@click.pass_context
def import_command(
    context: click.Context, table: str, path: Path, kind: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Load the items of a file, or of the folder of a DynamoDB export, into TABLE, which must exist."""
    from gatepost.cli.table_import import ItemsRefused, load

    place = data_dir or context.obj[0]
    with closing(endpoint_of(place)) as endpoint:
        described = described_table(endpoint, table)
    progress, task = _progress(f"import {table}", sum(file.stat().st_size for file in data_files(path)), "items")

    def loaded(count: int) -> None:
        progress.update(task, items=progress.tasks[task].fields["items"] + count)

    items = read_items(
        path, kind or format_of(path), _types(described), lambda done: progress.update(task, completed=done)
    )
    try:
        with progress:
            count = load(items, table, _key_names(described), lambda: endpoint_of(place), loaded)
    except (FileRefused, ItemsRefused) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps({"imported": count}) if as_json or context.obj[1] else f"{count:,} items imported")


@tables_command.command("export")
@click.argument("table")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), default=None, help="Default: by the file's name.")
@_shared
@click.pass_context
def export_command(
    context: click.Context, table: str, path: Path, kind: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Write the items of TABLE to a file that is not there yet, or to a folder as DynamoDB's own export does."""
    if path.exists():
        raise click.ClickException(f"{path} is there already")
    with closing(_connect(context, data_dir)) as endpoint:
        described = described_table(endpoint, table)
        count = _export(endpoint, described, path, kind or format_of(path))
    click.echo(json.dumps({"exported": count}) if as_json or context.obj[1] else f"{count:,} items exported")


def _export(endpoint: Endpoint, table: Mapping[str, Any], path: Path, kind: str) -> int:
    from gatepost.cli.table_files import CsvWriter, ExportWriter, JsonLinesWriter

    name = table["TableName"]
    everything = {"TableName": name, "ConsistentRead": True}
    count = 0

    def items(what: str) -> Iterator[Item]:
        progress, task = _progress(what, table["ItemCount"], "items")
        with progress:
            for number, item in enumerate(_pages(endpoint, "Scan", everything, 1 << 62), start=1):
                yield item
                if number % 100 == 0:
                    progress.update(task, completed=number, items=number)

    if kind == "dynamodb":
        export = ExportWriter(path, table, now_ms=SystemClock().now_ms())
        for count, item in enumerate(items(f"export {name}"), start=1):  # noqa: B007 - the count is what is told
            export.write(item)
        export.close()
        return count
    columns: dict[str, None] = dict.fromkeys(_key_names(table))
    if kind == "csv":
        for item in items(f"columns of {name}"):
            columns.update(dict.fromkeys(item))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = CsvWriter(file, list(columns)) if kind == "csv" else JsonLinesWriter(file)
        for count, item in enumerate(items(f"export {name}"), start=1):  # noqa: B007 - as above
            writer.write(item)
    return count
