"""Texts of IAM policies that match values: wildcards, policy variables and ARNs, without regular expressions.

`*` stands for any run of characters and `?` for exactly one. A pattern is cut at its stars into chunks; the first
is a prefix, the last a suffix, and each of the others is looked for from where the one before it ended. That greedy
choice is complete for globs, so a match never goes back: it costs one `str.find` per chunk, or one step per character
of the value for a chunk with `?`.

Policy variables (`${aws:username}`, `${aws:PrincipalTag/team, 'none'}`) are put in when the request is known. What
they bring in is text: a `*` in a user's tag is a star, not a wildcard. `${*}`, `${?}` and `${$}` are the characters.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

ARN_FIELDS: Final = 6


class Wildcard(Enum):
    """The two characters that match more than themselves."""

    STAR = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable: the condition key in lower case and what stands for it when the request has none."""

    key: str
    default: str | None


Token = str | Wildcard | Variable
KeyValue = str | tuple[str, ...]


class Keys(Protocol):
    """The request's condition keys by lower-case name. A tuple is a multi-valued key, None an absent one."""

    def get(self, name: str, /) -> KeyValue | None:
        """Give the value or values of a key."""
        ...


class PatternError(ValueError):
    """A pattern is malformed. The text is AWS's."""


@dataclass(frozen=True, slots=True)
class Holes:
    """A chunk with `?` in it: `text` has a filler at each of `holes`.

    `find` is the Shift-And algorithm: bit n of the state says that the chunk's first n+1 characters end here. One step
    per character of the value, whatever the chunk.
    """

    text: str
    holes: frozenset[int]
    masks: Mapping[str, int]  # by character: the places of the chunk that take it
    hole_mask: int

    def fits(self, value: str, start: int) -> bool:
        """Say whether the chunk stands in `value` at `start`."""
        if start < 0 or start + len(self.text) > len(value):
            return False
        return all(i in self.holes or value[start + i] == c for i, c in enumerate(self.text))

    def find(self, value: str, start: int) -> int:
        """Give the first place at or after `start`, or -1."""
        state, accept = 0, 1 << (len(self.text) - 1)
        for at in range(start, len(value)):
            state = ((state << 1) | 1) & self.masks.get(value[at], self.hole_mask)
            if state & accept:
                return at - len(self.text) + 1
        return -1


def _holes(text: str, holes: set[int]) -> Holes:
    bits = bytearray(len(text) // 8 + 1)
    for place in holes:
        bits[place >> 3] |= 1 << (place & 7)
    by_character: dict[str, bytearray] = {}
    for place, character in enumerate(text):
        if place not in holes:
            by_character.setdefault(character, bytearray(bits))[place >> 3] |= 1 << (place & 7)
    masks = {character: int.from_bytes(mask, "little") for character, mask in by_character.items()}
    return Holes(text, frozenset(holes), masks, int.from_bytes(bits, "little"))


Chunk = str | Holes


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern without variables. `chunks` has one entry more than the pattern has stars."""

    chunks: tuple[Chunk, ...]

    def matches(self, value: str) -> bool:
        """Say whether the whole of `value` fits."""
        chunks = self.chunks
        first = chunks[0]
        if len(chunks) == 1:
            return value == first if isinstance(first, str) else len(first.text) == len(value) and first.fits(value, 0)
        if not _stands_at(first, value, 0):
            return False
        last = chunks[-1]
        at, end = _length(first), len(value) - _length(last)
        if end < at or not _stands_at(last, value, end):
            return False
        for chunk in chunks[1:-1]:
            found = value.find(chunk, at) if isinstance(chunk, str) else chunk.find(value, at)
            if found < 0:
                return False
            at = found + _length(chunk)
        return at <= end


def _length(chunk: Chunk) -> int:
    return len(chunk) if isinstance(chunk, str) else len(chunk.text)


def _stands_at(chunk: Chunk, value: str, at: int) -> bool:
    return value.startswith(chunk, at) if isinstance(chunk, str) else chunk.fits(value, at)


def compile_glob(tokens: Sequence[str | Wildcard]) -> Glob:
    """Cut tokens at their stars. Adjacent stars are one."""
    chunks: list[Chunk] = []
    text: list[str] = []
    holes: set[int] = set()
    length = 0
    was_star = False
    for token in (*tokens, None):
        if token is None or token is Wildcard.STAR:
            if not (was_star and token is Wildcard.STAR):
                joined = "".join(text)
                chunks.append(_holes(joined, holes) if holes else joined)
            text, holes, length = [], set(), 0
            was_star = True
        else:
            was_star = False
            if token is Wildcard.ONE:
                holes.add(length)
            part = "?" if isinstance(token, Wildcard) else token
            text.append(part)
            length += len(part)
    return Glob(tuple(chunks))


def parse_pattern(text: str, *, has_variables: bool, has_wildcards: bool = True) -> tuple[Token, ...]:
    """Take a text of a policy apart into literal runs, wildcards and variables.

    `has_variables` is False for Version 2008-10-17, where `${…}` is plain text.

    Raises: PatternError for a variable that does not end or has no name.
    """
    tokens: list[Token] = []
    token: Token
    literal: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if has_variables and text.startswith("${", at):
            end = text.find("}", at)
            if end < 0:
                raise PatternError(f"Variable in {text} has no closing brace")
            token = _variable(text[at + 2 : end], text)
            at = end + 1
            if isinstance(token, str):
                literal.append(token)
                continue
        elif has_wildcards and character in "*?":
            token = Wildcard(character)
            at += 1
        else:
            literal.append(character)
            at += 1
            continue
        if literal:
            tokens.append("".join(literal))
            literal = []
        tokens.append(token)
    if literal:
        tokens.append("".join(literal))
    return tuple(tokens)


def _variable(inside: str, text: str) -> str | Variable:
    if inside in ("*", "?", "$"):
        return inside
    name, comma, rest = inside.partition(",")
    name = name.strip()
    if not name or any(c in name for c in "${"):
        raise PatternError(f"Variable in {text} is not valid")
    if not comma:
        return Variable(name.lower(), None)
    default = rest.strip()
    if len(default) < 2 or default[0] != "'" or default[-1] != "'":
        raise PatternError(f"Default value of the variable in {text} must be in single quotes")
    return Variable(name.lower(), default[1:-1])


def resolve(tokens: Sequence[Token], keys: Keys) -> list[str | Wildcard] | None:
    """Put the request's values in, or give None when a variable has neither a single value nor a default.

    Multi-valued keys cannot stand in a variable (reference_policies_variables.html, "multivalued context keys").
    """
    resolved: list[str | Wildcard] = []
    for token in tokens:
        if not isinstance(token, Variable):
            resolved.append(token)
            continue
        value = keys.get(token.key)
        if isinstance(value, tuple):
            value = value[0] if len(value) == 1 else None
        if value is None:
            value = token.default
        if value is None:
            return None
        resolved.append(value)
    return resolved


def text_of(tokens: Sequence[str | Wildcard]) -> str:
    """Give the plain text of tokens, wildcards as their characters."""
    return "".join(token if isinstance(token, str) else token.value for token in tokens)


def variables_of(tokens: Sequence[Token]) -> Iterator[str]:
    """Give the condition keys that a pattern reads, in lower case."""
    return (token.key for token in tokens if isinstance(token, Variable))


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """One entry of Resource or NotResource.

    A star at the end of an ARN's segment may run over colons; one inside a segment stays in it, which `fields` checks.
    `glob` is None when the pattern has variables and is compiled per request. What fits begins with `start`: most
    patterns of a policy are passed over by looking at that.
    """

    text: str
    tokens: tuple[Token, ...]
    glob: Glob | None
    fields: tuple[tuple[int, Glob], ...]
    start: str = ""

    def matches(self, resource: str, keys: Keys) -> bool:
        """Say whether `resource` (an ARN or `*`) is meant. A variable without a value matches nothing."""
        if self.glob is not None:
            if not self.glob.matches(resource):
                return False
            return not self.fields or _fields_match(self.fields, resource)
        resolved = resolve(self.tokens, keys)
        if resolved is None:
            return False
        return compile_glob(resolved).matches(resource) and _fields_match(_inner_fields(resolved), resource)

    def is_known(self, keys: Keys) -> bool:
        """Say whether every variable of the pattern has a value."""
        return self.glob is not None or resolve(self.tokens, keys) is not None


def compile_resource(text: str, *, has_variables: bool) -> ResourcePattern:
    """Compile an entry of Resource. Raises: PatternError."""
    tokens = parse_pattern(text, has_variables=has_variables)
    plain = [token for token in tokens if not isinstance(token, Variable)]
    if len(plain) != len(tokens):
        return ResourcePattern(text, tokens, None, ())
    glob = compile_glob(plain)
    first = glob.chunks[0]
    return ResourcePattern(text, tokens, glob, _inner_fields(plain), first if isinstance(first, str) else "")


def _inner_fields(tokens: Sequence[str | Wildcard]) -> tuple[tuple[int, Glob], ...]:
    """Find those of the first five segments that have a wildcard which must not run over a colon."""
    found = []
    for index, segment in enumerate(split_arn(tokens)[: ARN_FIELDS - 1]):
        if segment and segment[-1] is Wildcard.STAR:
            break  # it may have run over colons: what follows can stand anywhere
        if any(isinstance(token, Wildcard) for token in segment):
            found.append((index, compile_glob(segment)))
    return tuple(found)


def _fields_match(fields: Sequence[tuple[int, Glob]], resource: str) -> bool:
    if not fields:
        return True
    parts = resource.split(":", ARN_FIELDS - 1)
    return all(index < len(parts) and glob.matches(parts[index]) for index, glob in fields)


def split_arn(tokens: Sequence[str | Wildcard]) -> list[list[str | Wildcard]]:
    """Cut tokens at the first five colons."""
    segments: list[list[str | Wildcard]] = [[]]
    for token in tokens:
        if isinstance(token, Wildcard):
            segments[-1].append(token)
            continue
        first, *others = token.split(":", ARN_FIELDS - len(segments))
        if first:
            segments[-1].append(first)
        segments.extend([other] if other else [] for other in others)
    return segments


@dataclass(frozen=True, slots=True)
class ArnGlob:
    """An ARN with wildcards, each of its six parts matched on its own (condition operators Arn…)."""

    parts: tuple[Glob, ...]

    def matches(self, value: str) -> bool:
        """Say whether `value` is an ARN of which every part fits."""
        values = value.split(":", ARN_FIELDS - 1)
        if len(values) != ARN_FIELDS or len(self.parts) != ARN_FIELDS:
            return False
        return all(glob.matches(part) for glob, part in zip(self.parts, values, strict=True))


def compile_arn(tokens: Sequence[str | Wildcard]) -> ArnGlob:
    """Compile an ARN for the Arn… operators. A text with fewer than six parts matches nothing."""
    return ArnGlob(tuple(compile_glob(segment) for segment in split_arn(tokens)))
