"""The model's regular expressions, which are Java's, compiled so that no input can make them slow.

RE2 runs in linear time. What it cannot express (look-around, counts above 1,000) runs on Python's `re` with the input
bounded to `BACKTRACKING_CHARACTERS_MAX`; a longer text is refused there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

BACKTRACKING_CHARACTERS_MAX: Final = 2_048
_UNICODE_ESCAPE: Final = re.compile(r"\\u([0-9A-Fa-f]{4})")
_CLASS_HYPHEN: Final = (r"[\w-\/", r"[\w\-\/")  # after a class Java takes a hyphen for itself
_JAVA_FORMS: Final = (
    (r"\p{Print}", r"[\x20-\x7E]"),
    _CLASS_HYPHEN,
    (r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}"),  # Java spells them as surrogate pairs
)


def compile_pattern(pattern: str) -> Callable[[str], bool] | None:
    """Compile a model's pattern into "does the whole text match", or None when no engine of ours reads it."""
    import re2

    text = pattern
    for java, ours in _JAVA_FORMS:
        text = text.replace(java, ours)
    text = _UNICODE_ESCAPE.sub(r"\\x{\1}", text)
    try:
        options = re2.Options()
        options.log_errors = False
        linear = re2.compile(text, options=options)
    except re2.error:
        return _backtracking(pattern)
    return lambda value: linear.fullmatch(value) is not None


def _backtracking(pattern: str) -> Callable[[str], bool] | None:
    try:
        compiled = re.compile(pattern.replace(*_CLASS_HYPHEN), re.ASCII)
    except re.error:
        return None
    return lambda value: len(value) <= BACKTRACKING_CHARACTERS_MAX and compiled.fullmatch(value) is not None
