"""Template text to a tree that remembers where everything stood.

YAML is read from libyaml's events with a stack of our own: nothing recurses on the author's depth, a
duplicate key is seen, an alias is a shared node whose expansion is counted (so that a few lines cannot
become a billion). CloudFormation reads YAML 1.1 without timestamps; `2012-10-17` stays text.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/template-formats.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml

from gatepost.kernel.limits import CLOUDFORMATION_TEMPLATE_BYTES_MAX
from gatepost.templates import source_json
from gatepost.templates.problems import Path, TemplateRefused, path_text, refused

DEPTH_MAX: Final = 100
NODES_MAX: Final = 200_000  # after aliases are expanded; a 1 MB template without them has fewer

SHORT_FORMS: Final = frozenset(
    {
        "And",
        "Base64",
        "Cidr",
        "Equals",
        "FindInMap",
        "GetAZs",
        "GetAtt",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
    }
)
YAML_TAG: Final = "tag:yaml.org,2002:"


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value with its place. `value` is a scalar, a list or a dict of nodes; `keys` places the dict's keys."""

    value: Any
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0
    keys: dict[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """One parsed file."""

    file: str
    text: str
    root: Node

    def plain(self) -> Any:
        """Give the file's value as plain dicts, lists and scalars, every alias expanded into its own copy.

        Raises: TemplateRefused when it grows beyond NODES_MAX.
        """
        return _plain(self.root, self.file, _Budget())

    def node(self, path: Path) -> Node | None:
        """Give the node at `path`, or None."""
        node = self.root
        for step in path:
            child = _child(node, step)
            if child is None:
                return None
            node = child
        return node

    def locate(self, path: Path) -> Mark:
        """Give the place of `path`'s key, or of the nearest ancestor that the file has."""
        node, mark = self.root, Mark(self.root.line, self.root.column)
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            mark = node.keys.get(str(step)) or Mark(child.line, child.column)
            node = child
        return mark

    def refuse(self, path: Path, message: str) -> TemplateRefused:
        """Make a refusal that points at `path`."""
        mark = self.locate(path)
        return refused(message, file=self.file, line=mark.line, column=mark.column, path=path_text(path))


def _child(node: Node, step: str | int) -> Node | None:
    value = node.value
    if isinstance(value, dict):
        found: Node | None = value.get(step)
        return found
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        item: Node = value[step]
        return item
    return None


def parse_source(content: str | bytes, *, file: str) -> Source:
    """Parse YAML or JSON. At most 1 MB, DEPTH_MAX deep; duplicate keys are refused.

    Raises: TemplateRefused with file and line.
    """
    text = _decoded(content, file)
    if text.lstrip()[:1] == "{":
        # As on AWS, a template that begins with a brace is JSON; read as YAML, a forgotten comma would become text.
        return Source(file, text, source_json.parse_json(text, file=file, node=Node, depth_max=DEPTH_MAX))
    return Source(file, text, _parse_yaml(text, file))


def _decoded(content: str | bytes, file: str) -> str:
    size = len(content) if isinstance(content, bytes) else len(content.encode("utf-8", "surrogatepass"))
    if size > CLOUDFORMATION_TEMPLATE_BYTES_MAX:
        raise refused(
            f"the template has {size} bytes: use at most {CLOUDFORMATION_TEMPLATE_BYTES_MAX} (nested stacks split it)",
            file=file,
        )
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1 if isinstance(content, bytes) else 0
        raise refused(f"byte {fault.start} is no UTF-8: save the file as UTF-8", file=file, line=line) from fault
    if not text.strip():
        raise refused("the template is empty: it needs at least Resources", file=file, line=1)
    return text


class _Budget:
    """Counts the nodes of an expansion."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = NODES_MAX


def _plain(node: Node, file: str, budget: _Budget) -> Any:
    budget.left -= 1
    if budget.left < 0:
        raise refused(
            f"the template's aliases grow it beyond {NODES_MAX} values: write repeated parts as nested stacks",
            file=file,
            line=node.line,
            column=node.column,
        )
    value = node.value
    if isinstance(value, dict):
        return {key: _plain(child, file, budget) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child, file, budget) for child in value]
    return value


@dataclass(slots=True)
class _Open:
    """A collection whose end was not reached yet."""

    node: Node
    tag: str
    anchor: str | None
    key: str | None = None
    key_mark: Mark | None = None
    merges: list[Node] = field(default_factory=list)


class _Builder:
    """Turns libyaml's events into nodes."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self.root: Node | None = None

    def _refuse(self, mark: Any, message: str) -> TemplateRefused:
        return refused(message, file=self._file, line=mark.line + 1, column=mark.column + 1)

    def take(self, event: Any) -> None:
        """Add one event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise self._refuse(event.start_mark, "a second document begins here: a template is one YAML document")

    def _open(self, event: Any) -> None:
        if len(self._stack) >= DEPTH_MAX:
            raise self._refuse(event.start_mark, f"nested deeper than {DEPTH_MAX} levels: flatten it")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._expect_no_key(event)
        tag = _tag(event)
        self._check_collection_tag(event, tag, is_mapping=is_mapping)
        node = Node({} if is_mapping else [], event.start_mark.line + 1, event.start_mark.column + 1)
        if event.anchor:
            self._anchors[event.anchor] = None  # an alias to itself from within has no end
        self._stack.append(_Open(node, tag, event.anchor))

    def _check_collection_tag(self, event: Any, tag: str, *, is_mapping: bool) -> None:
        if tag in ("", "map", "seq"):
            return
        if not tag.startswith("!"):
            raise self._refuse(event.start_mark, f"the tag !!{tag} has no meaning in CloudFormation: remove it")
        if tag in ("!Ref", "!Condition"):
            raise self._refuse(event.start_mark, f"{tag} takes one name, such as {tag} Name")
        if tag[1:] not in SHORT_FORMS:
            raise self._refuse(event.start_mark, _unknown_tag(tag))
        if tag == "!GetAtt" and is_mapping:
            raise self._refuse(event.start_mark, "!GetAtt takes Name.Attribute or [Name, Attribute]")

    def _expect_no_key(self, event: Any) -> None:
        top = self._stack[-1] if self._stack else None
        if top and isinstance(top.node.value, dict) and top.key is None:
            raise self._refuse(event.start_mark, "a key must be plain text, not a list or mapping")

    def _close(self, event: Any) -> None:
        top = self._stack.pop()
        node = top.node
        node.end_line, node.end_column = event.end_mark.line + 1, event.end_mark.column + 1
        for merged in reversed(top.merges):
            for key, child in merged.value.items():
                if key not in node.value:
                    node.value[key] = child
                    node.keys[key] = merged.keys[key]
        if top.tag.startswith("!"):
            node = _long_form(top.tag[1:], node)
        if top.anchor:
            self._anchors[top.anchor] = node
        self._add(node, event)

    def _scalar(self, event: Any) -> None:
        top = self._stack[-1] if self._stack else None
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if top and isinstance(top.node.value, dict) and top.key is None:
            key = event.value
            if _tag(event).startswith("!"):
                raise self._refuse(event.start_mark, f"the key {key!r} has a tag: a key must be plain text")
            if key in top.node.value:
                first = top.node.keys[key]
                raise self._refuse(
                    event.start_mark, f"the key {key!r} is there twice: it was given on line {first.line} already"
                )
            top.key, top.key_mark = key, mark
            return
        tag = _tag(event)
        try:
            value = event.value if tag.startswith("!") else _scalar_value(event, tag)
        except ValueError as fault:
            raise self._refuse(event.start_mark, str(fault)) from fault
        node = Node(value, mark.line, mark.column, event.end_mark.line + 1, event.end_mark.column + 1)
        if tag.startswith("!"):
            if tag[1:] not in SHORT_FORMS and tag not in ("!Ref", "!Condition"):
                raise self._refuse(event.start_mark, _unknown_tag(tag))
            node = _long_form(tag[1:], node)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node, event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._refuse(event.start_mark, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._refuse(event.start_mark, f"the alias *{event.anchor} contains itself")
        self._expect_no_key(event)
        self._add(node, event)

    def _add(self, node: Node, event: Any) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
            return
        key, mark = top.key, top.key_mark
        top.key = top.key_mark = None
        if key is None or mark is None:  # unreachable: every path above set them
            raise self._refuse(event.start_mark, "a key must be plain text")
        if key == "<<":
            merges = node.value if isinstance(node.value, list) else [node]
            if not all(isinstance(merged.value, dict) for merged in merges):
                raise self._refuse(event.start_mark, "<< merges mappings only")
            top.merges.extend(reversed(merges))
            return
        top.node.value[key] = node
        top.node.keys[key] = mark


def _parse_yaml(text: str, file: str) -> Node:
    builder = _Builder(file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in _events(text, loader):
            builder.take(event)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        reason = " ".join(part for part in (fault.context, fault.problem) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        words = f"Template format error: YAML not well-formed. (line {line}, column {column})"
        raise refused(f"this is no YAML: {reason}", file=file, line=line, column=column, aws=words) from fault
    except yaml.YAMLError as fault:
        reason = str(fault).splitlines()[0]
        raise refused(f"this is no YAML: {reason}", file=file, line=1) from fault
    if builder.root is None:
        raise refused("the template is empty: it needs at least Resources", file=file, line=1)
    return builder.root


def _events(text: str, loader: Callable[[str], Any]) -> Iterator[Any]:
    parser = loader(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _tag(event: Any) -> str:
    tag = event.tag or ""
    return tag.removeprefix(YAML_TAG) if tag != "!" else ""


def _unknown_tag(tag: str) -> str:
    known = ", ".join(sorted(f"!{name}" for name in (*SHORT_FORMS, "Ref", "Condition")))
    return f"{tag} is no function of CloudFormation: use one of {known}"


def _long_form(name: str, node: Node) -> Node:
    """Give the mapping that a short form stands for: `!Sub x` is `{Fn::Sub: x}`."""
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    inner = node
    if name == "GetAtt" and isinstance(node.value, str):
        logical_id, _, attribute = node.value.partition(".")
        parts = [logical_id, attribute] if attribute else [logical_id]
        inner = Node([Node(part, node.line, node.column) for part in parts], node.line, node.column)
    outer = Node({key: inner}, node.line, node.column, node.end_line, node.end_column)
    outer.keys[key] = Mark(node.line, node.column)
    return outer


# YAML 1.1's implicit types, without timestamps: https://yaml.org/type/
_BOOLEANS: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_BOOLEAN: Final = re.compile(r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_INT: Final = re.compile(r"[-+]?(0b[0-1_]+|0[0-7_]+|0x[0-9a-fA-F_]+|(?:0|[1-9][0-9_]*)|[1-9][0-9_]*(?::[0-5]?[0-9])+)")
_FLOAT: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_DIGITS_MAX: Final = 400


def _scalar_value(event: Any, tag: str) -> Any:
    text: str = event.value
    if tag == "str" or (not tag and event.style) or tag == "":
        if event.style or tag == "str" or not event.implicit[0]:
            return text
        return _implicit(text)
    if tag in ("int", "float", "bool", "null"):
        value = _implicit(text)
        if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        kinds: dict[str, type | tuple[type, ...]] = {"int": int, "float": float, "bool": bool, "null": type(None)}
        if not isinstance(value, kinds[tag]):
            raise ValueError(f"{text!r} is no {tag}")
        return value
    raise ValueError(f"the tag !!{tag} has no meaning in CloudFormation: remove it")


def _implicit(text: str) -> Any:
    if len(text) > _DIGITS_MAX:
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return _BOOLEANS[text.lower()]
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _sexagesimal(text: str, number: Callable[[str], Any]) -> Any:
    total: Any = 0
    for part in text.split(":"):
        total = total * 60 + number(part)
    return total


def _integer(text: str) -> Any:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if ":" in digits:
        return sign * _sexagesimal(digits, int)
    for prefix, base in (("0b", 2), ("0x", 16)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base) if digits[2:] else text
    if len(digits) > 1 and digits.startswith("0"):
        return sign * int(digits, 8)
    return sign * int(digits)


def _float(text: str) -> Any:
    digits = text.replace("_", "").lower()
    if digits in (".inf", "+.inf", "-.inf", ".nan"):
        return text  # JSON has no such number, and CloudFormation is JSON inside
    sign = -1.0 if digits.startswith("-") else 1.0
    digits = digits.lstrip("+-")
    if ":" in digits:
        return sign * _sexagesimal(digits, float)
    return sign * float(digits)
