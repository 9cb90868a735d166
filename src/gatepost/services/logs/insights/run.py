"""Runs a query's commands over events: rows go in one by one, what comes of them is asked for at the end."""

from __future__ import annotations

import functools
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import re2

from gatepost.services.logs.insights.syntax import (
    Column,
    Command,
    Field,
    Function,
    Literal,
    Node,
    Operation,
    aggregates_in,
    malformed,
)
from gatepost.services.logs.insights.values import (
    Reader,
    Value,
    is_true,
    number_of,
    reader_of,
    shown,
    shown_time,
    text_of,
)

ROWS_MAX: Final = 100_000  # that a query keeps while it runs
GROUPS_MAX: Final = 10_000  # of one stats
SHOWN_MAX: Final = 10_000
_DEFAULT: Final = ("@timestamp", "@message")
_AS_TIME: Final = frozenset({"@timestamp", "@ingestionTime"})

Row = dict[str, Value]
Step = Callable[[Row], bool]  # changes a row, and says whether it stays


class TooMuch(Exception):
    """A query would keep more than it may."""


class QueryRun:
    """One query over many events: `take` each, then `results`."""

    def __init__(self, commands: Sequence[Command], limit: int) -> None:
        """Compile the commands. Raises: MalformedQueryException."""
        at = next((number for number, command in enumerate(commands) if _is_whole(command)), len(commands))
        self._steps = [_step(command) for command in commands[:at]]
        self._rest = list(commands[at:])
        self._stages = [_stage(command) for command in self._rest]
        self._shown = _shown_columns(commands)
        self._limit = limit
        self._is_sorted = any(command.name in ("sort", "stats") for command in commands)
        self._rows: list[Row] = []
        self.text_characters = 0  # of the rows that are kept

    def take(self, row: Row) -> bool:
        """Take one event; say whether it matched. Raises: TooMuch."""
        for step in self._steps:
            if not step(row):
                return False
        if len(self._rows) >= ROWS_MAX:
            raise TooMuch(f"more than {ROWS_MAX} events match")
        self._rows.append(row)
        self.text_characters += sum(len(value) for value in row.values() if isinstance(value, str))
        return True

    def results(self) -> list[list[dict[str, str]]]:
        """Give the rows as GetQueryResults does. Raises: TooMuch."""
        rows = self._rows
        if not self._is_sorted:
            rows = sorted(rows, key=lambda row: number_of(row.get("@timestamp")) or 0.0, reverse=True)
        for stage in self._stages:
            rows = stage(rows)
        return [_shown_row(row, self._shown) for row in rows[: self._limit]]


def _is_whole(command: Command) -> bool:
    """Say whether a command looks at all rows together."""
    return command.name in ("stats", "sort", "limit", "dedup")


def _shown_columns(commands: Sequence[Command]) -> list[str] | None:
    """Give the names of the columns that are shown; None: those of each row."""
    names: list[str] = []
    displayed: list[str] | None = None
    for command in commands:
        if command.name == "fields":
            names.extend(column.name for column in command.columns)
        elif command.name == "stats":
            names = [column.name for column in (*command.by, *command.columns)]
            displayed = None
        elif command.name == "display":
            displayed = [column.name for column in command.columns]
    if displayed is not None:
        return displayed
    parsed = [name for command in commands if command.name == "parse" for name in _parsed_names(command)]
    return list(dict.fromkeys([*(names or _DEFAULT), *(parsed if not names else [])]))


def _shown_row(row: Row, names: Sequence[str] | None) -> list[dict[str, str]]:
    chosen = list(names if names is not None else row)
    found = [{"field": name, "value": _text(name, row[name])} for name in chosen if row.get(name) is not None]
    pointer = row.get("@ptr")
    if pointer is not None and "@ptr" not in chosen:
        found.append({"field": "@ptr", "value": shown(pointer)})
    return found


def _text(name: str, value: Value) -> str:
    return shown_time(value) if name in _AS_TIME and isinstance(value, float) else shown(value)


# --- row by row ----------------------------------------------------------------------------------------------------


def _step(command: Command) -> Step:
    if command.name == "filter":
        assert command.condition is not None
        condition = reader_of(command.condition)
        return lambda row: is_true(condition(row))
    if command.name == "parse":
        return _parse(command)
    readers = [(column.name, reader_of(column.node)) for column in command.columns]

    def compute(row: Row) -> bool:
        for name, reader in readers:
            if name not in row:
                row[name] = reader(row)
        return True

    return compute


def _regex_of(text: str) -> Any:
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        return re2.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", text), options)
    except re2.error as error:
        raise malformed(f"the regular expression {text} is not supported: {error}") from error


def _parse_regex(command: Command) -> Any:
    assert command.pattern is not None
    if command.pattern.kind == "regex":
        return _regex_of(command.pattern.value)
    parts = command.pattern.value.split("*")
    if len(parts) - 1 != len(command.names):
        raise malformed(f"parse has {len(parts) - 1} places and {len(command.names)} names")
    last = "" if parts[-1] else "$"
    return _regex_of("(?s)" + "(.*?)".join(re2.escape(part) for part in parts) + last)


def _parsed_names(command: Command) -> list[str]:
    if command.names:
        return list(command.names)
    return sorted(_parse_regex(command).groupindex, key=_parse_regex(command).groupindex.__getitem__)


def _parse(command: Command) -> Step:
    assert command.source is not None
    source, compiled, names = reader_of(command.source), _parse_regex(command), _parsed_names(command)

    def parse(row: Row) -> bool:
        text = source(row)
        found = compiled.search(text_of(text)) if text is not None else None
        if found is not None:
            row.update(zip(names, found.groups(), strict=False))
        return True

    return parse


# --- all rows together ---------------------------------------------------------------------------------------------


def _stage(command: Command) -> Callable[[list[Row]], list[Row]]:
    if command.name == "stats":
        return _stats(command)
    if command.name == "sort":
        return _sort(command)
    if command.name == "limit":
        return lambda rows: rows[: command.limit]
    if command.name == "dedup":
        return _dedup(command)
    step = _step(command)
    return lambda rows: [row for row in rows if step(row)]


def _dedup(command: Command) -> Callable[[list[Row]], list[Row]]:
    readers = [reader_of(column.node) for column in command.columns]

    def keep_first(rows: list[Row]) -> list[Row]:
        seen: set[tuple[str, ...]] = set()
        kept = []
        for row in rows:
            key = tuple(text_of(reader(row)) for reader in readers)
            if key not in seen:
                seen.add(key)
                kept.append(row)
        return kept

    return keep_first


def _sort(command: Command) -> Callable[[list[Row]], list[Row]]:
    orders = [(_column_reader(column), is_descending) for column, is_descending in command.order]

    def compare(one: Row, other: Row) -> int:
        for reader, is_descending in orders:
            first, second = _sort_key(reader(one)), _sort_key(reader(other))
            if first != second:
                return (1 if first > second else -1) * (-1 if is_descending else 1)
        return 0

    return lambda rows: sorted(rows, key=functools.cmp_to_key(compare))


def _column_reader(column: Column) -> Reader:
    """Read what an earlier command has worked out under this name (`sort count(*) desc`), or work it out."""
    if aggregates_in(column.node) or isinstance(column.node, Field):
        return lambda row: row.get(column.name)
    reader = reader_of(column.node)
    return lambda row: row[column.name] if column.name in row else reader(row)


def _sort_key(value: Value) -> tuple[int, float, str]:
    number = number_of(value)
    if value is None:
        return (0, 0.0, "")
    return (1, number, "") if number is not None else (2, 0.0, text_of(value))


def _stats(command: Command) -> Callable[[list[Row]], list[Row]]:
    keys = [(column.name, reader_of(column.node)) for column in command.by]
    columns = [(column.name, _aggregate(column.node)) for column in command.columns]

    def together(rows: list[Row]) -> list[Row]:
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            key = tuple(text_of(reader(row)) for _, reader in keys)
            if key not in groups and len(groups) >= GROUPS_MAX:
                raise TooMuch(f"stats makes more than {GROUPS_MAX} groups")
            groups.setdefault(key, []).append(row)
        if not groups and not keys:
            groups[()] = []
        return [
            {
                **{name: text or None for (name, _), text in zip(keys, key, strict=True)},
                **{name: aggregate(members) for name, aggregate in columns},
            }
            for key, members in groups.items()
        ]

    return together


Aggregate = Callable[[Sequence[Row]], Value]


def _aggregate(node: Node) -> Aggregate:
    """Compile an expression over aggregations. Raises: MalformedQueryException."""
    if isinstance(node, Function) and node in aggregates_in(node):
        return _aggregation(node)
    if isinstance(node, Operation) and aggregates_in(node):
        parts = [_aggregate(operand) for operand in node.operands]
        names = [Field(str(number)) for number in range(len(parts))]
        combine = reader_of(Operation(node.sign, tuple(names)))
        return lambda rows: combine({str(number): part(rows) for number, part in enumerate(parts)})
    if isinstance(node, Literal):
        reader = reader_of(node)
        return lambda _: reader({})
    raise malformed("stats takes aggregations such as count(*)")


_OF_NUMBERS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "avg": statistics.fmean,
    "max": max,
    "median": statistics.median,
    "min": min,
    "stddev": statistics.pstdev,
    "sum": sum,
}


def _aggregation(node: Function) -> Aggregate:
    name, arguments = node.name, node.arguments
    if name == "count" and (not arguments or isinstance(arguments[0], Literal)):
        return lambda rows: float(len(rows))
    if not arguments:
        raise malformed(f"{name} needs a field")
    reader = reader_of(arguments[0])
    if name == "count":
        return lambda rows: float(sum(reader(row) is not None for row in rows))
    if name == "count_distinct":
        return lambda rows: float(len({text_of(value) for row in rows if (value := reader(row)) is not None}))
    if name in ("earliest", "latest"):
        return _by_time(reader, is_latest=name == "latest")
    if name in ("sortsfirst", "sortslast"):
        choose = min if name == "sortsfirst" else max
        return lambda rows: choose((text_of(v) for row in rows if (v := reader(row)) is not None), default=None)
    if name == "pct":
        percent = _percent(arguments)
        return lambda rows: _percentile(_numbers(reader, rows), percent)
    return lambda rows: _total(name, _numbers(reader, rows))


def _total(name: str, numbers: list[float]) -> Value:
    """Put numbers together; None when there are none, or it comes to more than a number can hold."""
    try:
        total = float(_OF_NUMBERS[name](numbers)) if numbers else math.nan
    except OverflowError:
        return None
    return total if math.isfinite(total) else None


def _numbers(reader: Reader, rows: Sequence[Row]) -> list[float]:
    return [number for row in rows if (number := number_of(reader(row))) is not None]


def _by_time(reader: Reader, *, is_latest: bool) -> Aggregate:
    def find(rows: Sequence[Row]) -> Value:
        known = [row for row in rows if reader(row) is not None]
        choose = max if is_latest else min
        return reader(choose(known, key=lambda row: number_of(row.get("@timestamp")) or 0.0)) if known else None

    return find


def _percent(arguments: Sequence[Node]) -> float:
    if len(arguments) != 2 or not isinstance(arguments[1], Literal) or arguments[1].kind != "number":
        raise malformed("pct needs a field and a number")
    return float(arguments[1].value)


def _percentile(numbers: list[float], percent: float) -> float | None:
    if not numbers:
        return None
    ordered = sorted(numbers)
    place = math.ceil(len(ordered) * percent / 100) - 1
    return ordered[min(len(ordered) - 1, max(0, place))]
