"""What a target gets of an event: all of it, a part (`InputPath`), or a text made of parts (`InputTransformer`).

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gatepost.kernel.clock import iso_8601

PATHS_MAX: Final = 100
TEMPLATE_BYTES_MAX: Final = 8192
_STEP: Final = re.compile(r"\.([^.\[\]'\"]+)|\[(\d+|\*)\]|\[(?:'([^']+)'|\"([^\"]+)\")\]")
_PLACEHOLDER: Final = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_RESERVED: Final = (
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
)

Path = Sequence[str | int]
ALL: Final = -1  # a step to every element of a list


class BadInput(Exception):
    """An input cannot be used; the text says why."""


def parse_path(text: str) -> Path:
    """Read a path such as `$.detail.items[0].id`. Raises: BadInput."""
    if not text.startswith("$"):
        raise BadInput(f"Invalid JSON path {text}: it begins with $")
    steps: list[str | int] = []
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise BadInput(f"Invalid JSON path {text} at position {position}")
        name, index, quoted, double_quoted = found.groups()
        if index is not None:
            steps.append(ALL if index == "*" else int(index))
        else:
            steps.append(name or quoted or double_quoted)
        position = found.end()
    return steps


def follow(path: Path, value: Any) -> Any:
    """Give what a path leads to, or None."""
    for number, step in enumerate(path):
        if step == ALL:
            return [follow(path[number + 1 :], each) for each in value] if isinstance(value, list) else None
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        elif step == "*" and isinstance(value, dict):
            return [follow(path[number + 1 :], each) for each in value.values()]
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value


def check_target_input(target: Mapping[str, Any]) -> None:
    """Check a target's input before it is kept. Raises: BadInput."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    name = target["Id"]
    if len(given) > 1:
        raise BadInput(f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}.")
    if target.get("Input"):
        if len(target["Input"].encode()) > TEMPLATE_BYTES_MAX:
            raise BadInput(f"Input has more than {TEMPLATE_BYTES_MAX} bytes")
        try:
            json.loads(target["Input"])
        except (ValueError, RecursionError) as error:
            raise BadInput(f"JSON syntax error in input for target {name} : {error}") from error
    if target.get("InputPath"):
        parse_path(target["InputPath"])
    if target.get("InputTransformer"):
        _check_transformer(name, target["InputTransformer"])


def _check_transformer(target_id: str, transformer: Mapping[str, Any]) -> None:
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > PATHS_MAX:
        raise BadInput(f"InputPathsMap of target {target_id} has more than {PATHS_MAX} paths")
    for name, path in paths.items():
        if name.startswith("AWS."):
            raise BadInput(f"InputPathsMap of target {target_id}: names do not begin with AWS.")
        parse_path(path)
    template = transformer["InputTemplate"]
    if len(template.encode()) > TEMPLATE_BYTES_MAX:
        raise BadInput(f"InputTemplate of target {target_id} has more than {TEMPLATE_BYTES_MAX} bytes")
    for name in _PLACEHOLDER.findall(template):
        if name not in paths and name not in _RESERVED:
            raise BadInput(f"InputTemplate for target {target_id} contains invalid placeholder {name}.")
    if template.strip()[:1] in ("{", "["):
        try:
            json.loads(_filled(template, lambda _: "x"))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"Invalid InputTemplate for target {target_id} : {error}") from error


def payload_of(
    target: Mapping[str, Any], event: Mapping[str, Any], *, rule_arn: str, rule_name: str, now_ms: int
) -> bytes:
    """Give the bytes that a target gets: JSON, unless a template makes it another text."""
    if target.get("Input"):
        return str(target["Input"]).encode()
    if target.get("InputPath"):
        return orjson.dumps(follow(parse_path(target["InputPath"]), event))
    transformer = target.get("InputTransformer")
    if not transformer:
        return orjson.dumps(event)
    values = {name: follow(parse_path(path), event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": iso_8601(now_ms),
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    return _filled(transformer["InputTemplate"], values.get).encode()


def _filled(template: str, value_of: Any) -> str:
    """Put values in the places of a template: as JSON, or as text between quotation marks."""
    parts = []
    position, is_quoted = 0, False
    while position < len(template):
        character = template[position]
        found = _PLACEHOLDER.match(template, position) if character == "<" else None
        if found is not None:
            parts.append(_shown(value_of(found.group(1)), is_quoted=is_quoted))
            position = found.end()
            continue
        if character == "\\" and is_quoted:
            parts.append(template[position : position + 2])
            position += 2
            continue
        if character == '"':
            is_quoted = not is_quoted
        parts.append(character)
        position += 1
    return "".join(parts)


def _shown(value: Any, *, is_quoted: bool) -> str:
    if is_quoted:
        if value is None:
            return ""
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return json.dumps(text, ensure_ascii=False)[1:-1]
    return orjson.dumps(value).decode()
