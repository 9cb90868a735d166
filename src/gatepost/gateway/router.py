"""From a request's Host and path to an API, its stage, and the plan of the method that it asks for.

Three address forms reach an API, so that every tool finds one that works:

- by Host: `{apiId}.execute-api.{region}.localhost`, `….localhost` without region, `….amazonaws.com`: `/{stage}/path`
- by path: `/_aws/execute-api/{apiId}/{stage}/path`
- by path, as people know it from elsewhere: `/restapis/{apiId}/{stage}/_user_request_/path`

Which resource takes a path: literal parts before `{param}` before `{proxy+}`, from the left, trying the next
when a choice leads nowhere. The cost depends on the number of the path's segments, never on the number of
routes. A trailing slash finds the same resource and stays in the event's path. unverified: a resource that
has methods, but not this one, ends the search; a resource without any method does not.

Source: API Gateway developer guide, "Set up a proxy integration with a proxy resource"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-set-up-simple-proxy.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar
from urllib.parse import unquote

T = TypeVar("T")

HOSTS_REMEMBERED_MAX: Final = 1024
_HOST: Final = re.compile(
    r"([a-z0-9][a-z0-9-]{0,62})\.execute-api\.(?:(?:([a-z0-9-]+)\.)?localhost|([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?)"
    r"\.?(?::\d{1,5})?"
)
_BY_PATH: Final = "/_aws/execute-api/"
_USER_REQUEST: Final = "/restapis/"


class ApiHost(NamedTuple):
    """What a Host header says. An empty `api_id` means that the path has to say it; `region` may be empty."""

    api_id: str
    region: str
    domain: str


class Address(NamedTuple):
    """Which stage of which API a request means; `path` is below the stage, `full_path` has the stage."""

    api_id: str
    region: str
    stage_name: str
    path: str
    full_path: str
    domain: str


class Hosts:
    """Host headers taken apart, each once; at most `HOSTS_REMEMBERED_MAX` are remembered."""

    def __init__(self) -> None:
        self._known: dict[str, ApiHost] = {}

    def find(self, host: str) -> ApiHost:
        """Take a lower-case Host header apart."""
        known = self._known.get(host)
        if known is None:
            known = parse_host(host)
            if len(self._known) >= HOSTS_REMEMBERED_MAX:
                self._known.clear()  # an attacker's hosts must not stay; the real ones are back at once
            self._known[host] = known
        return known


def parse_host(host: str) -> ApiHost:
    """Take a lower-case host, port included, apart."""
    found = _HOST.fullmatch(host)
    if found is None:
        return ApiHost("", "", "")
    domain = host.rpartition(":")[0] if ":" in host else host
    return ApiHost(found.group(1), found.group(2) or found.group(3) or "", domain.rstrip("."))


def split_stage(path: str) -> tuple[str, str]:
    """Take `/{stage}/rest` apart: the stage and `/rest` (`/` when nothing follows)."""
    end = path.find("/", 1)
    if end < 0:
        return path[1:], "/"
    return path[1:end], path[end:]


def parse_path_form(path: str) -> Address | None:
    """Take a path that names the API apart, or give None when it names none."""
    if path.startswith(_BY_PATH):
        end = path.find("/", len(_BY_PATH))
        api_id, full_path = (path[len(_BY_PATH) :], "") if end < 0 else (path[len(_BY_PATH) : end], path[end:])
        stage_name, rest = split_stage(full_path) if full_path else ("", "/")
        return Address(api_id, "", stage_name, rest, full_path, "")
    if path.startswith(_USER_REQUEST):
        parts = path.split("/", 5)  # "", restapis, api, stage, _user_request_, rest
        if len(parts) >= 5 and parts[4] == "_user_request_":
            rest = "/" + (parts[5] if len(parts) == 6 else "")
            return Address(parts[2], "", parts[3], rest, f"/{parts[3]}{rest}", "")
    return None


class _Node(Generic[T]):
    __slots__ = ("greedy", "literals", "parameter", "target")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.greedy: T | None = None
        self.target: T | None = None


class PathMatcher(Generic[T]):
    """Finds what stands under a path, in a tree of path parts.

    A resource path made of literals only is found by one dictionary look-up: nothing can come before it.
    """

    def __init__(self, targets: Iterable[tuple[str, T]]) -> None:
        """Build the tree from (resource path, target) pairs; targets without methods are not handed in."""
        self._literal: dict[str, T] = {}
        self._root: _Node[T] = _Node()
        for path, target in targets:
            if "{" not in path:
                self._literal[path] = target
            self._add(path, target)

    def _add(self, path: str, target: T) -> None:
        node = self._root
        for part in path.strip("/").split("/") if path != "/" else ():
            if part.startswith("{") and part.endswith("+}"):
                node.greedy = target
                return
            if part.startswith("{") and part.endswith("}"):
                if node.parameter is None:
                    node.parameter = _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(part, _Node())
        node.target = target

    def match(self, path: str) -> tuple[T, tuple[str, ...]] | None:
        """Find the target for `path` with the raw values of the path's parameters, from left to right."""
        target = self._literal.get(path)
        if target is not None:
            return target, ()
        if len(path) > 1 and path[-1] == "/":
            path = path[:-1]
        raw = path[1:].split("/") if path != "/" else []
        plain = [unquote(part) for part in raw] if "%" in path else raw
        node = self._root
        values: list[str] = []
        for position, part in enumerate(plain):
            child = node.literals.get(part)
            if child is None:
                child = node.parameter
                if child is None or node.greedy is not None or not part:
                    break
                values.append(raw[position])
            elif node.parameter is not None or node.greedy is not None:
                break
            node = child
        else:
            if node.target is not None:
                return node.target, tuple(values)
        values = []
        target = _walk(self._root, raw, plain, 0, values)  # more than one way, or none
        return None if target is None else (target, tuple(values))


def _walk(node: _Node[T], raw: list[str], plain: list[str], position: int, values: list[str]) -> T | None:
    if position == len(raw):
        return node.target
    child = node.literals.get(plain[position])
    if child is not None and (found := _walk(child, raw, plain, position + 1, values)) is not None:
        return found
    if node.parameter is not None and raw[position]:
        values.append(raw[position])
        if (found := _walk(node.parameter, raw, plain, position + 1, values)) is not None:
            return found
        values.pop()
    if node.greedy is not None and (rest := "/".join(raw[position:])):
        values.append(rest)
        return node.greedy
    return None


Methods = Mapping[str, T]
