"""No property of API Gateway's types is passed over: each of AWS's own schemas has an entry in the ledger.

The schemas are those that `tools/resource_types.py` writes from cfn-lint's, which are AWS's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost import templates
from gatepost.templates.ledger import TypeEntry
from gatepost.templates.registry import all_entries
from gatepost.templates.specification import ResourceType

SCHEMAS: dict[str, Any] = json.loads((Path(templates.__file__).parent / "data" / "types.json").read_text())
NAMES: list[str] = (Path(templates.__file__).parent / "data" / "type_names.txt").read_text().split()
OURS = sorted(name for name in SCHEMAS if name.startswith("AWS::ApiGateway"))
# AWS's types that cannot be created here; the ledger says so of each.
NOT_CREATED = {"AWS::ApiGateway::VpcLink"}


def properties_of(kind: ResourceType, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give every property path of a type, but below the author's own maps and documents."""
    for name in kind.members(path) or ():
        yield (*path, name)
        if len(path) < 6 and not kind.is_map((*path, name)):
            yield from properties_of(kind, (*path, name))


def entry_of(name: str) -> TypeEntry:
    return next(each for each in all_entries() if each.type == name)


@pytest.mark.parametrize("name", OURS)
def test_every_property_has_an_entry(name: str) -> None:
    entry = entry_of(name)
    if entry.entry.status == "refused":
        return
    missing = ["/".join(path) for path in properties_of(ResourceType(name, SCHEMAS[name])) if entry.find(path) is None]
    assert missing == []


@pytest.mark.parametrize("name", OURS)
def test_every_entry_is_of_a_property_that_aws_has(name: str) -> None:
    kind = ResourceType(name, SCHEMAS[name])
    known = {"/".join(path) for path in properties_of(kind)}
    own = {each for each in entry_of(name).properties if not any(kind.is_map(tuple(each.split("/")[:1])) for _ in "x")}
    assert sorted(own - known) == []


def test_every_type_of_rest_apis_is_created_or_refused_with_a_sentence() -> None:
    for name in NAMES:
        if name.startswith("AWS::ApiGateway::") and name not in SCHEMAS:
            assert name in NOT_CREATED
            assert entry_of(name).entry.sentence
