"""Requests that a template names for people to try, as lines to paste."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from gatepost.cli.endpoint import Endpoint, OperationFailed
from gatepost.templates.extensions import RequestToTry, requests_to_try
from gatepost.templates.source import parse_source


def curl_lines(
    endpoint: Endpoint, template: Path, stack_name: str, apis: list[dict[str, str]]
) -> Iterator[dict[str, str]]:
    """Give title and curl line of what the template's `Metadata: Gatepost:` names under `Try`.

    `apis` have id and url of every deployed stage.
    """
    if not template.is_file():
        return
    raw = parse_source(template.read_bytes(), file=str(template)).plain()
    for request in requests_to_try(raw) if isinstance(raw, dict) else ():
        try:
            described = endpoint.call(
                "cloudformation", "DescribeStackResource", StackName=stack_name, LogicalResourceId=request.logical_id
            )
        except OperationFailed:
            continue
        api_id = str(described["StackResourceDetail"]["PhysicalResourceId"])
        base = next((api["url"] for api in apis if api["id"] == api_id), None)
        if base is not None:
            yield {"title": request.title, "curl": curl_line(base, request)}


def curl_line(base: str, request: RequestToTry) -> str:
    """Make one curl line that can be pasted into a shell."""
    words = ["curl", "-s"]
    if request.method != "GET":
        words += ["-X", request.method]
    if request.body:
        words += ["-H", "Content-Type: application/json", "-d", request.body]
    return shlex.join([*words, base + request.path])
