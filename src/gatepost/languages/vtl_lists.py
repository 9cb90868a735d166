"""The one value of Velocity's that is a Python class of its own: a list that a template made.

It stands alone because mypyc cannot compile a class that inherits from `list`, and everything else may be compiled.
"""

from __future__ import annotations

from typing import Any


class JavaList(list[Any]):
    """A list that a template made: it prints `[a, 1]`, where an array that came from JSON prints `["a",1]`."""

    __slots__ = ()
