"""What metric math comes to: numbers, series (values by time) and arrays of series.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import itertools
import math
import statistics
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from gatepost.services.cloudwatch.math_syntax import (
    Array,
    BadExpression,
    Function,
    Name,
    Node,
    Number,
    Operation,
    Text,
    functions_in,
)

ITEMS_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Series:
    """Values by time in seconds, one for each period at most."""

    label: str
    values: Mapping[int, float]
    period_s: int


Value = float | Series | list[Series]


@dataclass(frozen=True, slots=True)
class Setting:
    """What an expression is worked out with: the other queries' series, in order, and the times it is for."""

    series: Mapping[str, Value]
    metrics: Sequence[str]  # ids of those that are metrics and not expressions
    times: range  # of the expression's own period


def _truth(test: bool) -> float:
    return 1.0 if test else 0.0


_SIGNS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "^": lambda one, other: float(one**other),
    "==": lambda one, other: _truth(one == other),
    "!=": lambda one, other: _truth(one != other),
    "<": lambda one, other: _truth(one < other),
    "<=": lambda one, other: _truth(one <= other),
    ">": lambda one, other: _truth(one > other),
    ">=": lambda one, other: _truth(one >= other),
    "&&": lambda one, other: _truth(one != 0 and other != 0),
    "||": lambda one, other: _truth(one != 0 or other != 0),
}
_OF_ONE: Final[Mapping[str, Callable[[float], float]]] = {
    "ABS": abs,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "LOG": math.log,
    "LOG10": math.log10,
}
_TOTALS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": statistics.pstdev,
}
_OF_TIME: Final[Mapping[str, Callable[[datetime], float]]] = {
    "MINUTE": lambda at: at.minute,
    "HOUR": lambda at: at.hour,
    "DAY": lambda at: at.isoweekday(),
    "DATE": lambda at: at.day,
    "MONTH": lambda at: at.month,
    "YEAR": lambda at: at.year,
    "EPOCH": lambda at: int(at.timestamp()),
}


def check_functions(node: Node) -> None:
    """Refuse functions that are not known. Raises: BadExpression."""
    for function in functions_in(node):
        if function.name not in {"METRICS", "FILL", *_FUNCTIONS, *_OF_ONE, *_TOTALS, *_OF_TIME}:
            raise BadExpression(f"the function {function.name} is not supported by Gatepost")


def work_out(node: Node, setting: Setting) -> Value:
    """Give what an expression comes to. Raises: BadExpression."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        if node.name not in setting.series:
            raise BadExpression(f"{node.name} is no id of a query")
        return setting.series[node.name]
    if isinstance(node, Text):
        raise BadExpression(f"the text {node.value[:40]!r} is no value")
    if isinstance(node, Array):
        return _series_of([work_out(item, setting) for item in node.items])
    if isinstance(node, Operation):
        right = work_out(node.right, setting)
        if node.left is None:
            return _combine("*", -1.0 if node.sign == "-" else 1.0, right)
        return _combine(node.sign, work_out(node.left, setting), right)
    return _call(node, setting)


def _series_of(values: Sequence[Value]) -> list[Series]:
    found: list[Series] = []
    for value in values:
        if isinstance(value, float):
            raise BadExpression("an array holds series, not numbers")
        found.extend(value if isinstance(value, list) else [value])
    if len(found) > ITEMS_MAX:
        raise BadExpression(f"an array holds at most {ITEMS_MAX} series")
    return found


def _combine(sign: str, one: Value, other: Value) -> Value:
    if isinstance(one, list):
        if isinstance(other, list):
            raise BadExpression(f"{sign} does not take two arrays")
        return [_as_series(_combine(sign, each, other)) for each in one]
    if isinstance(other, list):
        return [_as_series(_combine(sign, one, each)) for each in other]
    apply = _SIGNS[sign]
    if isinstance(one, Series):
        if isinstance(other, Series):
            both = [at for at in one.values if at in other.values]
            return _made(one, {at: (one.values[at], other.values[at]) for at in both}, apply)
        return _made(one, {at: (value, other) for at, value in one.values.items()}, apply)
    if isinstance(other, Series):
        return _made(other, {at: (one, value) for at, value in other.values.items()}, apply)
    found = _safely(apply, one, other)
    if found is None:
        raise BadExpression(f"{one} {sign} {other} has no value")
    return found


def _as_series(value: Value) -> Series:
    if not isinstance(value, Series):
        raise BadExpression("an array holds series")
    return value


def _made(like: Series, pairs: Mapping[int, tuple[float, float]], apply: Callable[[float, float], float]) -> Series:
    found = {at: _safely(apply, one, other) for at, (one, other) in pairs.items()}
    return replace(like, values={at: value for at, value in found.items() if value is not None})


def _safely(apply: Callable[..., float], *values: float) -> float | None:
    """Give a value, or None where there is none: divisions by zero, logarithms of what is not positive."""
    try:
        found = apply(*values)
    except (ArithmeticError, ValueError, TypeError):
        return None
    return float(found) if not isinstance(found, complex) and math.isfinite(found) else None


def _call(node: Function, setting: Setting) -> Value:
    name = node.name
    if name == "METRICS":
        return _metrics(node, setting)
    if name == "FILL":
        return _fill(node, setting)
    values = [work_out(argument, setting) for argument in node.arguments]
    if not values:
        raise BadExpression(f"{name} needs an argument")
    if name in _TOTALS:
        return _total(name, values)
    first = values[0]
    if name in _OF_ONE:
        return _each(first, lambda value: _safely(_OF_ONE[name], value))
    if name in _OF_TIME:
        read = _OF_TIME[name]
        return _every(first, lambda one: {at: float(read(datetime.fromtimestamp(at, UTC))) for at in one.values})
    return _FUNCTIONS[name](values, setting)


def _metrics(node: Function, setting: Setting) -> list[Series]:
    part = node.arguments[0].value if node.arguments and isinstance(node.arguments[0], Text) else ""
    return _series_of([setting.series[name] for name in setting.metrics if part in name])


def _each(value: Value, apply: Callable[[float], float | None]) -> Value:
    if isinstance(value, float):
        found = apply(value)
        if found is None:
            raise BadExpression(f"there is no value of {value}")
        return found

    def change(one: Series) -> dict[int, float]:
        changed = {at: apply(each) for at, each in one.values.items()}
        return {at: each for at, each in changed.items() if each is not None}

    return _every(value, change)


def _every(value: Value, change: Callable[[Series], Mapping[int, float]]) -> Value:
    """Change a series, or every one of an array; what comes to more than a number can hold has no point."""
    if isinstance(value, float):
        raise BadExpression("a series was expected, not a number")
    if isinstance(value, list):
        return [_as_series(_every(one, change)) for one in value]
    return replace(value, values={at: each for at, each in change(value).items() if math.isfinite(each)})


def _total(name: str, values: Sequence[Value]) -> Value:
    """Of one series a number, of an array a series: time by time."""
    if len(values) == 1 and isinstance(values[0], Series):
        found = list(values[0].values.values())
        return _total_of_one(name, found) if found else 0.0
    if all(isinstance(value, float) for value in values):
        return _total_of_one(name, [value for value in values if isinstance(value, float)])
    series = _series_of([value for value in values if not isinstance(value, float)])
    by_time: dict[int, list[float]] = {}
    for one in series:
        for at, value in one.values.items():
            by_time.setdefault(at, []).append(value)
    period_s = max((one.period_s for one in series), default=60)
    totals = {at: _safely(lambda found=found: _TOTALS[name](found)) for at, found in by_time.items()}
    return Series(name, {at: total for at, total in totals.items() if total is not None}, period_s)


def _total_of_one(name: str, found: Sequence[float]) -> float:
    total = _safely(lambda: _TOTALS[name](found))
    if total is None:
        raise BadExpression(f"{name} comes to more than a number can hold")
    return total


def _fill(node: Function, setting: Setting) -> Value:
    if len(node.arguments) != 2:
        raise BadExpression("FILL needs a series and what to fill it with")
    value, filling = work_out(node.arguments[0], setting), node.arguments[1]
    word = filling.name.upper() if isinstance(filling, Name) else ""
    if word in ("REPEAT", "LINEAR"):
        return _every(value, lambda one: _bridged(one, setting.times, is_linear=word == "LINEAR"))
    number = work_out(filling, setting)

    def fill(one: Series) -> dict[int, float]:
        filled = {at: _at(number, at) for at in setting.times if at not in one.values}
        return {**one.values, **{at: each for at, each in filled.items() if each is not None}}

    return _every(value, fill)


def _at(value: Value, at_s: int) -> float | None:
    if isinstance(value, Series):
        return value.values.get(at_s)
    return value if isinstance(value, float) else None


def _bridged(one: Series, times: range, *, is_linear: bool) -> dict[int, float]:
    """Fill gaps with the value before, or along the line to the next one."""
    known = sorted(one.values)
    filled = dict(one.values)
    for at in times:
        place = bisect(known, at)
        if at in filled or not place or (is_linear and place == len(known)):
            continue
        before = known[place - 1]
        filled[at] = one.values[before]
        if is_linear:
            after = known[place]
            filled[at] += (one.values[after] - one.values[before]) * (at - before) / (after - before)
    return filled


def _choose(values: Sequence[Value], setting: Setting) -> Value:
    del setting
    if len(values) not in (2, 3):
        raise BadExpression("IF needs a condition and one or two values")
    condition, yes = values[0], values[1]
    no: Value | None = values[2] if len(values) == 3 else None
    if isinstance(condition, float):
        chosen = yes if condition else no
        if chosen is None:
            raise BadExpression("IF has no value for a condition that is never true")
        return chosen
    if isinstance(condition, list):
        raise BadExpression("IF takes one series as its condition")

    def choose(one: Series) -> dict[int, float]:
        found = {at: _at(yes, at) if value else (_at(no, at) if no is not None else None)
                 for at, value in one.values.items()}  # fmt: skip
        return {at: value for at, value in found.items() if value is not None}

    return _every(condition, choose)


def _steps(change: Callable[[int, float, int, float], float | None]) -> Callable[[Sequence[Value], Setting], Value]:
    """Make a function of each value and the one before it."""

    def apply(values: Sequence[Value], setting: Setting) -> Value:
        del setting

        def differences(one: Series) -> dict[int, float]:
            times = sorted(one.values)
            found = {
                later: change(earlier, one.values[earlier], later, one.values[later])
                for earlier, later in itertools.pairwise(times)
            }
            return {at: value for at, value in found.items() if value is not None}

        return _every(values[0], differences)

    return apply


def _running_sum(values: Sequence[Value], setting: Setting) -> Value:
    del setting

    def add_up(one: Series) -> dict[int, float]:
        total, found = 0.0, {}
        for at in sorted(one.values):
            total += one.values[at]
            found[at] = total
        return found

    return _every(values[0], add_up)


def _listed(value: Value) -> list[Series]:
    return _series_of([value])


def _slice(values: Sequence[Value], setting: Setting) -> Value:
    del setting
    numbers = [int(value) for value in values[1:3] if isinstance(value, float)]
    start, end = numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else None
    return _listed(values[0])[start:end]


def _one_of(values: Sequence[Value], index: int) -> Value:
    if isinstance(values[0], Series):
        times = sorted(values[0].values)
        if not times:
            raise BadExpression("there is no value of a series without points")
        return values[0].values[times[index]]
    found = _listed(values[0])
    if not found:
        raise BadExpression("there is no series in an empty array")
    return found[index]


def _period(values: Sequence[Value], setting: Setting) -> Value:
    del setting
    return float(_listed(values[0])[0].period_s) if _listed(values[0]) else 0.0


def _time_series(values: Sequence[Value], setting: Setting) -> Value:
    if not isinstance(values[0], float):
        raise BadExpression("TIME_SERIES takes a number")
    return Series("TIME_SERIES", dict.fromkeys(setting.times, values[0]), setting.times.step)


_FUNCTIONS: Final[Mapping[str, Callable[[Sequence[Value], Setting], Value]]] = {
    "DATAPOINT_COUNT": lambda values, _: float(sum(len(one.values) for one in _listed(values[0]))),
    "DIFF": _steps(lambda _, before, __, after: after - before),
    "DIFF_TIME": _steps(lambda earlier, _, later, __: float(later - earlier)),
    "FIRST": lambda values, _: _one_of(values, 0),
    "IF": _choose,
    "LAST": lambda values, _: _one_of(values, -1),
    "METRIC_COUNT": lambda values, _: float(len(_listed(values[0]))),
    "PERIOD": _period,
    "RATE": _steps(lambda earlier, before, later, after: (after - before) / (later - earlier)),
    "REMOVE_EMPTY": lambda values, _: [one for one in _listed(values[0]) if one.values],
    "RUNNING_SUM": _running_sum,
    "SLICE": _slice,
    "TIME_SERIES": _time_series,
}
