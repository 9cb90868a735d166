from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.gateway.router import HOSTS_REMEMBERED_MAX, Hosts, PathMatcher, parse_host, parse_path_form, split_stage


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("abc.execute-api.us-east-1.localhost", ("abc", "us-east-1")),
        ("abc.execute-api.us-east-1.localhost:8080", ("abc", "us-east-1")),
        ("abc.execute-api.localhost:8080", ("abc", "")),
        ("abc.execute-api.eu-west-1.amazonaws.com", ("abc", "eu-west-1")),
        ("abc.execute-api.cn-north-1.amazonaws.com.cn", ("abc", "cn-north-1")),
        ("abc.execute-api.us-east-1.localhost.", ("abc", "us-east-1")),
        ("localhost:8080", ("", "")),
        ("127.0.0.1:8080", ("", "")),
        ("abc.execute-api.amazonaws.com", ("", "")),
        ("x.abc.execute-api.us-east-1.localhost", ("", "")),
        ("abc.execute-api.us-east-1.localhost.evil.example", ("", "")),
        ("execute-api.us-east-1.localhost", ("", "")),
        ("", ("", "")),
    ],
)
def test_a_host_names_an_api_and_a_region(host, expected):
    found = parse_host(host)
    assert (found.api_id, found.region) == expected


def test_the_domain_of_a_host_has_no_port():
    assert parse_host("abc.execute-api.us-east-1.localhost:8080").domain == "abc.execute-api.us-east-1.localhost"


def test_hosts_are_remembered_within_a_bound():
    hosts = Hosts()
    for number in range(HOSTS_REMEMBERED_MAX * 2 + 5):
        hosts.find(f"h{number}.execute-api.localhost")
    assert len(hosts._known) <= HOSTS_REMEMBERED_MAX


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_aws/execute-api/abc/prod/orders/1", ("abc", "prod", "/orders/1", "/prod/orders/1")),
        ("/_aws/execute-api/abc/prod/", ("abc", "prod", "/", "/prod/")),
        ("/_aws/execute-api/abc/prod", ("abc", "prod", "/", "/prod")),
        ("/_aws/execute-api/abc", ("abc", "", "/", "")),
        ("/restapis/abc/prod/_user_request_/orders", ("abc", "prod", "/orders", "/prod/orders")),
        ("/restapis/abc/prod/_user_request_", ("abc", "prod", "/", "/prod/")),
        ("/restapis/abc/prod/_user_request_/", ("abc", "prod", "/", "/prod/")),
    ],
)
def test_a_path_names_an_api_and_a_stage(path, expected):
    address = parse_path_form(path)
    assert address is not None
    assert (address.api_id, address.stage_name, address.path, address.full_path) == expected


@pytest.mark.parametrize("path", ["/", "/prod/orders", "/restapis/abc/prod/orders", "/restapis/abc", "/_aws/other"])
def test_other_paths_name_no_api(path):
    assert parse_path_form(path) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/prod", ("prod", "/")), ("/prod/", ("prod", "/")), ("/prod/a/b", ("prod", "/a/b")), ("/", ("", "/"))],
)
def test_the_stage_is_the_first_part_of_the_path(path, expected):
    assert split_stage(path) == expected


def matched(paths, path):
    found = PathMatcher([(each, each) for each in paths]).match(path)
    return None if found is None else (found[0], *found[1])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ("/",)),
        ("/orders", ("/orders",)),
        ("/orders/", ("/orders",)),
        ("/orders/7", ("/orders/{id}", "7")),
        ("/orders/7/", ("/orders/{id}", "7")),
        ("/orders/open", ("/orders/open",)),
        ("/orders/7/items", ("/orders/{id}/items", "7")),
        ("/orders/open/items", ("/orders/{id}/items", "open")),
        ("/orders/7/other", ("/{proxy+}", "orders/7/other")),
        ("/orders/7/items/1", ("/{proxy+}", "orders/7/items/1")),
        ("/else", ("/{proxy+}", "else")),
        ("/a%20b", ("/{proxy+}", "a%20b")),
        ("/%6frders", ("/orders",)),
        ("/orders/a%2Fb", ("/orders/{id}", "a%2Fb")),
        ("//", ("/",)),
        ("/orders//items", ("/{proxy+}", "orders//items")),
    ],
)
def test_literals_come_before_parameters_and_those_before_greedy_ones(path, expected):
    paths = ["/", "/orders", "/orders/{id}", "/orders/open", "/orders/{id}/items", "/{proxy+}"]
    assert matched(paths, path) == expected


def test_a_greedy_parameter_needs_at_least_one_character():
    assert matched(["/files/{proxy+}"], "/files") is None
    assert matched(["/files/{proxy+}"], "/files/") is None
    assert matched(["/files/{proxy+}"], "/files/a") == ("/files/{proxy+}", "a")


def test_nothing_matches_when_nothing_is_deployed():
    assert matched([], "/") is None
    assert matched(["/a"], "/") is None


PART = st.sampled_from(["a", "b", "c", "{p}", "{q+}"])


def resource_paths():
    def whole(parts):
        cut = next((at for at, part in enumerate(parts) if part.endswith("+}")), len(parts) - 1)
        return "/" + "/".join(parts[: cut + 1])

    return st.lists(PART, min_size=0, max_size=4).map(whole)


def rank(resource, path):
    """The naive matcher: how good `resource` is for `path`, as a list to compare, or None."""
    wanted = resource.strip("/").split("/") if resource != "/" else []
    given_parts = path.strip("/").split("/") if path != "/" else []
    scores = []
    for at, part in enumerate(wanted):
        if part.endswith("+}"):
            return [*scores, 2] if at < len(given_parts) else None
        if at >= len(given_parts):
            return None
        if part.startswith("{"):
            scores.append(1)
        elif part == given_parts[at]:
            scores.append(0)
        else:
            return None
    return scores if len(wanted) == len(given_parts) else None


@settings(max_examples=300, deadline=None)
@given(
    resources=st.lists(resource_paths(), min_size=0, max_size=12, unique=True),
    path=st.lists(st.sampled_from(["a", "b", "c", "x"]), max_size=5).map(lambda parts: "/" + "/".join(parts)),
)
def test_the_tree_finds_what_comparing_every_resource_finds(resources, path):
    ranked = [(score, resource) for resource in resources if (score := rank(resource, path)) is not None]
    best = min(ranked)[1] if ranked else None
    found = matched(resources, path)
    assert (found[0] if found else None) == best


def test_a_thousand_routes_are_matched_in_as_many_steps_as_one():
    class Counted(dict):
        looked = 0

        def get(self, key, default=None):
            type(self).looked += 1
            return super().get(key, default)

    def steps(count):
        matcher = PathMatcher([(f"/r{number}/{{id}}", number) for number in range(count)])
        matcher._root.literals = Counted(matcher._root.literals)
        Counted.looked = 0
        assert matcher.match("/r0/5") == (0, ("5",))
        return Counted.looked

    assert steps(1) == steps(1000)
