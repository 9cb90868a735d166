"""The words of filter patterns: regular expressions, texts with wildcards, comparisons, and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import re2

from gatepost.services.logs.model import InvalidParameterException


def invalid(why: str) -> InvalidParameterException:
    """Make the error for a pattern that cannot be used."""
    return InvalidParameterException(f"Invalid filter pattern: {why}")


def regex(text: str) -> Callable[[str], bool]:
    """Compile `%regular expression%`. Raises: InvalidParameterException."""
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        compiled = re2.compile(text[1:-1], options)
    except re2.error as error:
        raise invalid(f"the regular expression {text} is not supported: {error}") from error
    return lambda message: compiled.search(message) is not None


def wildcards(text: str) -> Callable[[str], bool]:
    """Compile a text in which `*` stands for anything; many of them cost no more than one."""
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    pattern = re2.compile("(?s)" + ".*".join(re2.escape(part) for part in text.split("*")), options)
    return lambda found: pattern.fullmatch(found) is not None


COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}
