from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.patches import (
    PATCHES_MAX,
    Patch,
    PatchTable,
    boolean,
    integer,
    one_of,
    rule,
    set_entry,
)

TABLE: PatchTable[dict] = PatchTable(
    (
        rule("/name", "replace", lambda held, patch: {**held, "name": patch.value}),
        rule("/tags/*", "add remove", lambda held, patch: set_entry(held, patch, patch.value)),
    )
)


def apply(*patches: dict) -> dict:
    return TABLE.apply({"name": "before"}, {"patchOperations": list(patches)})


def test_patches_are_carried_out_in_their_order() -> None:
    assert apply(
        {"op": "replace", "path": "/name", "value": "a"},
        {"op": "add", "path": "/tags/x", "value": "1"},
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "remove", "path": "/tags/x"},
    ) == {"name": "b"}


def test_no_patches_change_nothing() -> None:
    assert TABLE.apply({"name": "a"}, {}) == {"name": "a"}


def test_names_are_unescaped() -> None:
    assert apply({"op": "add", "path": "/tags/a~1b~0c", "value": "1"})["a/b~c"] == "1"


@pytest.mark.parametrize(
    ("op", "path"),
    [("add", "/name"), ("replace", "/nothing"), ("replace", "name"), ("add", "/tags/"), ("add", "/tags/a/b")],
)
def test_a_path_that_cannot_be_patched_so_is_refused_with_those_that_can(op: str, path: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        apply({"op": op, "path": path, "value": "x"})
    allowed = "/name" if op == "replace" else "/tags/*"
    assert refused.value.message == (
        f"Invalid patch path  '{path}' specified for op '{op}'. Must be one of: [{allowed}]"
    )


def test_a_patch_without_op_and_path_is_refused() -> None:
    with pytest.raises(BadRequestException, match="Invalid patch operation specified"):
        apply({})


def test_removing_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequestException, match="does not exist"):
        apply({"op": "remove", "path": "/tags/x"})


def test_the_number_of_patches_is_bounded() -> None:
    with pytest.raises(BadRequestException, match="At most"):
        apply(*[{"op": "replace", "path": "/name", "value": "a"}] * (PATCHES_MAX + 1))


def test_values_are_read_and_refused() -> None:
    assert boolean(Patch("replace", "/x", "True")) is True
    assert boolean(Patch("replace", "/x", "false")) is False
    assert integer(Patch("replace", "/x", "50")) == 50
    assert one_of(Patch("replace", "/x", "A"), ("A", "B")) == "A"
    for read in (boolean, integer, lambda patch: one_of(patch, ("A", "B"))):
        with pytest.raises(BadRequestException, match="Invalid patch value  'yes' specified for path '/x'"):
            read(Patch("replace", "/x", "yes"))
