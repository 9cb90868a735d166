"""Ids for requests, made cheaply: random where it matters, never the same twice.

A request id has the form of a version 4 UUID. All but its last two digits are random (114 bits) and change every
`BLOCK` ids; the last two count, from a random start, so that within a block no two are alike. An extended request id
(`x-amz-apigw-id`) is 15 characters of random base64 and a `=`, as AWS's are.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Final

BLOCK: Final = 256
_ENDS: Final = tuple(f"{number:02x}" for number in range(BLOCK))
_EXTENDED: Final = 15


class RequestIds:
    """A source of ids for one process. `entropy(n)` gives n random bytes."""

    __slots__ = ("_count", "_entropy", "_extended", "_position", "_prefix", "_start")

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy
        self._count = BLOCK
        self._prefix = ""
        self._start = 0
        self._extended = ""
        self._position = 0

    def next(self) -> str:
        """Give a new request id."""
        count = self._count
        if count >= BLOCK:
            self._begin_block()
            count = 0
        self._count = count + 1
        return self._prefix + _ENDS[(self._start + count) % BLOCK]

    def next_extended(self) -> str:
        """Give a new extended request id."""
        end = self._position + _EXTENDED
        if end > len(self._extended):
            self._extended = base64.b64encode(self._entropy(11_520)).decode("ascii")
            end = _EXTENDED
        self._position = end
        return self._extended[end - _EXTENDED : end] + "="

    def _begin_block(self) -> None:
        text = self._entropy(16).hex()
        variant = "89ab"[int(text[16], 16) & 3]
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:30]}"
        self._start = int(text[30:], 16)
