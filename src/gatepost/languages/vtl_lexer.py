r"""Where the pieces of a Velocity template begin and end: patterns, positions and expression tokens.

A template is text with two special characters, `$` and `#`, and the backslash before them. What follows them is
decided by the grammar of Velocity 1.7 (`Parser.jjt` of https://github.com/apache/velocity-engine, tag 1.7), which
API Gateway's mapping templates behave like (that AWS runs 1.7 is unverified): names may hold hyphens, a double
quote in a string is written twice, directives take the rest of their line with them when it is blank, and `#set`
takes the blanks before it, too, if they begin a piece of text.

All patterns run in linear time on any text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, NoReturn

from gatepost.languages.vtl_tree import Position, TemplateError

SPECIAL: Final = re.compile(r"[\\$#]")
SET: Final = re.compile(r"[ \t]*#(?:set|\{set\}) *\(")
REFERENCE: Final = re.compile(r"\$(!?)(\{?)([A-Za-z_][A-Za-z0-9_-]*)")
SLASHED_BANG: Final = re.compile(r"\$(\\+)!(?=\{?[A-Za-z_])")  # `$\!name`: not a reference
DIRECTIVE: Final = re.compile(r"#(?:\{([A-Za-z_][A-Za-z0-9_@]*)\}|([A-Za-z_@][A-Za-z0-9_@]*))")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MACRO_NAME: Final = re.compile(r"[A-Za-z_@][A-Za-z0-9_@]*")
PROPERTY: Final = re.compile(r"\.([A-Za-z][A-Za-z0-9_-]*)(\()?")
BLANK: Final = re.compile(r"[ \t\r\n]*")
REST_OF_LINE: Final = re.compile(r"[ \t]*(?:\r\n|\r|\n)")
SLASHES: Final = re.compile(r"\\+")
LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")

INTEGER: Final = re.compile(r"-?[0-9]+(?![0-9eE]|\.(?!\.))")
FLOAT: Final = re.compile(r"-?(?:[0-9]+\.(?!\.)[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
STRING: Final = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'')
WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR: Final = re.compile(r"&&|\|\||<=|>=|==|!=|[-+*/%<>]|(?:and|or|lt|le|gt|ge|eq|ne)(?![A-Za-z0-9_])")
NEGATION: Final = re.compile(r"!(?!=)|not(?![A-Za-z0-9_])")
UNICODE_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")

SYMBOLS: Final = {
    "and": "&&",
    "or": "||",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
# The higher binds tighter.
PRECEDENCE: Final = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
INTEGER_DIGITS_MAX: Final = 300  # a bound of ours: Java's big integers have none


class Source:
    """A template's text and where it stands; a string's content stands where the string does."""

    __slots__ = ("_line_starts", "_origin", "text")

    def __init__(self, text: str, origin: Position | None = None) -> None:
        self.text = text
        self._origin = origin or Position(1, 1)
        self._line_starts: list[int] | None = None

    def position(self, offset: int) -> Position:
        """Give line and column of an offset."""
        if self._line_starts is None:
            self._line_starts = [0, *(found.end() for found in _NEWLINE.finditer(self.text))]
        row = bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[row]
        if row == 0:
            return Position(self._origin.line, self._origin.column + column)
        return Position(self._origin.line + row, column + 1)

    def fail(self, offset: int, message: str) -> NoReturn:
        """Raise a TemplateError at an offset."""
        raise TemplateError(message, self.position(offset))

    def excerpt(self, offset: int) -> str:
        """Quote what stands at an offset, for messages."""
        if offset >= len(self.text):
            return "the end of the template"
        return repr(self.text[offset : offset + 20].partition("\n")[0] or "\n")


def skip_blank(text: str, offset: int) -> int:
    """Give the offset behind blanks and newlines."""
    found = BLANK.match(text, offset)
    return found.end() if found is not None else offset


def skip_rest_of_line(text: str, offset: int) -> int:
    """Give the offset behind the end of the line if only blanks stand before it, else `offset`."""
    found = REST_OF_LINE.match(text, offset)
    return found.end() if found is not None else offset
