"""Ids for requests, made cheaply: random where it matters, never the same twice.

A request id has the form of a version 4 UUID. Its first 74 bits are random and change every 4,096 ids; its last
48 bits are a counter put through a bijection, so that within a block no two are alike. An extended request id
(`x-amz-apigw-id`) is 15 characters of random base64 and a `=`, as AWS's are.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Final

BLOCK: Final = 4096
_FACTOR: Final = 0x9E3779B97F4B  # odd, so that multiplying by it modulo 2**48 is a bijection
_MASK: Final = (1 << 48) - 1
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
        return f"{self._prefix}{(self._start + count) * _FACTOR & _MASK:012x}"

    def next_extended(self) -> str:
        """Give a new extended request id."""
        end = self._position + _EXTENDED
        if end > len(self._extended):
            self._extended = base64.b64encode(self._entropy(11_520)).decode("ascii")
            end = _EXTENDED
        self._position = end
        return f"{self._extended[end - _EXTENDED : end]}="

    def _begin_block(self) -> None:
        text = self._entropy(16).hex()
        variant = "89ab"[int(text[16], 16) & 3]
        self._prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-"
        self._start = int(text[20:], 16)
