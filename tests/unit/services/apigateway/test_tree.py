from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import Method, Resource
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    Definition,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.tree import (
    add_resource,
    delete_resource,
    last_part,
    method_of,
    move_resource,
    parent_path,
    resource_of,
    with_method,
    without_method,
)


def a_tree(*paths: str) -> Definition:
    definition = Definition(resources={"root": Resource("root", "/")})
    for path in paths:
        here = definition.resources["root"]
        for part in path.strip("/").split("/"):
            below = f"{here.path.rstrip('/')}/{part}"
            found = at(definition, below)
            if found is None:
                definition, found = add_resource(definition, "api1", here, part)
            here = found
    return definition


def at(definition: Definition, path: str) -> Resource | None:
    return next((each for each in definition.resources.values() if each.path == path), None)


def paths_of(definition: Definition) -> list[str]:
    return sorted(each.path for each in definition.resources.values())


@pytest.mark.parametrize("part", ["orders", "a.b_c-d:e", "{id}", "{proxy+}", "A9", "*"])
def test_a_path_part_that_aws_takes_is_taken(part: str) -> None:
    _, resource = add_resource(a_tree(), "api1", Resource("root", "/"), part)
    assert resource.path == f"/{part}"


@pytest.mark.parametrize(
    "part", ["", "a/b", "{id", "id}", "x{id}", "{}", "{+}", "{a b}", "ä", "a b", "{proxy+}x", "\n"]
)
def test_a_path_part_that_cannot_be_is_refused_in_awss_words(part: str) -> None:
    with pytest.raises(BadRequestException, match="Resource's path part only allow"):
        add_resource(a_tree(), "api1", Resource("root", "/"), part)


def test_the_id_of_a_resource_is_the_same_for_the_same_api_and_path() -> None:
    first, second = at(a_tree("/orders/{id}"), "/orders/{id}"), at(a_tree("/carts", "/orders/{id}"), "/orders/{id}")
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert len(first.id) == 6


def test_two_variables_cannot_stand_side_by_side() -> None:
    definition = a_tree("/orders/{id}")
    with pytest.raises(BadRequestException, match=r"A sibling \(\{id\}\) of this resource already has a variable"):
        add_resource(definition, "api1", at(definition, "/orders"), "{other}")


def test_a_name_cannot_be_there_twice() -> None:
    definition = a_tree("/orders")
    with pytest.raises(ConflictException, match="Another resource with the same parent already has this name: orders"):
        add_resource(definition, "api1", definition.resources["root"], "orders")


def test_nothing_stands_below_a_greedy_variable() -> None:
    definition = a_tree("/{proxy+}")
    with pytest.raises(BadRequestException, match="Cannot create a child of a resource with a greedy path variable"):
        add_resource(definition, "api1", at(definition, "/{proxy+}"), "more")


def test_the_bad_part_is_told_before_the_taken_name() -> None:
    definition = a_tree("/{proxy+}")
    with pytest.raises(BadRequestException, match="path part only allow"):
        add_resource(definition, "api1", at(definition, "/{proxy+}"), "a b")


def test_an_api_has_at_most_300_resources() -> None:
    definition = a_tree()
    for index in range(299):
        definition, _ = add_resource(definition, "api1", definition.resources["root"], f"p{index}")
    assert len(definition.resources) == 300
    with pytest.raises(LimitExceededException):
        add_resource(definition, "api1", definition.resources["root"], "one-more")


def test_deleting_takes_what_is_below_and_only_that() -> None:
    definition = a_tree("/orders/{id}/lines", "/orders2", "/carts")
    assert paths_of(delete_resource(definition, at(definition, "/orders"))) == ["/", "/carts", "/orders2"]


def test_the_root_stays() -> None:
    definition = a_tree("/orders")
    with pytest.raises(BadRequestException):
        delete_resource(definition, definition.resources["root"])
    with pytest.raises(BadRequestException):
        move_resource(definition, definition.resources["root"], at(definition, "/orders"), "x")


def test_moving_takes_what_is_below_along_and_keeps_ids() -> None:
    definition = a_tree("/orders/{id}/lines", "/archive")
    moved = move_resource(definition, at(definition, "/orders"), at(definition, "/archive"), "old")
    assert paths_of(moved) == ["/", "/archive", "/archive/old", "/archive/old/{id}", "/archive/old/{id}/lines"]
    assert set(moved.resources) == set(definition.resources)


def test_a_resource_cannot_be_moved_below_itself() -> None:
    definition = a_tree("/orders/{id}")
    with pytest.raises(BadRequestException, match="below itself"):
        move_resource(definition, at(definition, "/orders"), at(definition, "/orders/{id}"), "x")


def test_a_resource_with_children_cannot_become_greedy() -> None:
    definition = a_tree("/orders/{id}")
    with pytest.raises(BadRequestException, match="greedy"):
        move_resource(definition, at(definition, "/orders"), definition.resources["root"], "{proxy+}")


def test_renaming_to_the_own_name_is_no_conflict() -> None:
    definition = a_tree("/orders/{id}")
    renamed = move_resource(definition, at(definition, "/orders/{id}"), at(definition, "/orders"), "{key}")
    assert "/orders/{key}" in paths_of(renamed)


def test_a_new_resource_at_a_path_that_was_moved_away_gets_another_id() -> None:
    definition = a_tree("/orders")
    old = at(definition, "/orders")
    definition = move_resource(definition, old, definition.resources["root"], "archive")
    definition, new = add_resource(definition, "api1", definition.resources["root"], "orders")
    assert new.id != old.id
    assert len(definition.resources) == 3


def test_methods_come_go_and_are_found() -> None:
    definition = with_method(a_tree(), "root", Method("POST"))
    definition = with_method(definition, "root", Method("GET"))
    assert [each.http_method for each in definition.resources["root"].methods] == ["GET", "POST"]
    definition = with_method(definition, "root", Method("GET", operation_name="changed"))
    assert method_of(definition, "root", "GET").operation_name == "changed"
    definition = without_method(definition, "root", "GET")
    with pytest.raises(NotFoundException, match="Invalid Method identifier specified"):
        method_of(definition, "root", "GET")
    with pytest.raises(NotFoundException, match="Invalid Method identifier specified"):
        without_method(definition, "root", "GET")


def test_an_unknown_resource_is_not_found() -> None:
    with pytest.raises(NotFoundException, match="Invalid Resource identifier specified"):
        resource_of(a_tree(), "nothing")


@pytest.mark.parametrize(
    ("path", "above", "part"), [("/", "", ""), ("/a", "/", "a"), ("/a/{b}", "/a", "{b}"), ("/a/b/c", "/a/b", "c")]
)
def test_paths_come_apart(path: str, above: str, part: str) -> None:
    assert (parent_path(path), last_part(path)) == (above, part)
