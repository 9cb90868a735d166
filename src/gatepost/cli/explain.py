"""`gatepost explain`: why a request was answered as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gatepost.cli.endpoint import endpoint_of
from gatepost.cli.options import data_option, json_option


@click.command("explain")
@click.argument("request_id")
@data_option
@json_option
def explain_command(request_id: str, data_dir: Path, as_json: bool) -> None:
    """Show a request's way through its guards, what decided it, and what would have let it in.

    REQUEST_ID is in the answer's x-amzn-RequestId header, for deployed APIs and for AWS operations.
    """
    endpoint = endpoint_of(data_dir)
    try:
        status, body = endpoint.send("GET", f"/_gatepost/explain/{request_id}")
        told = json.loads(body)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the AWS endpoint does not answer: {error}") from error
    if status != 200:
        raise click.ClickException(str(told.get("message", told)))
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(lines_of(told)))


def lines_of(told: Mapping[str, Any]) -> list[str]:
    """Give an explanation as people read it."""
    if "operation" in told:
        lines = [f"{told['service']} {told['operation']} by {told['principal']} from {told['ip']}: denied"]
        lines.append(f"  {told['message']}")
    else:
        where = f"{told['apiId'] or '(no API)'}/{told['stage']}"
        lines = [f"{told['httpMethod']} {told['path']} ({where}) from {told['ip']}: {told['status']}"]
        for step in told.get("guards", ()):
            lines += _step(step)
    if isinstance(told.get("policies"), Mapping):
        lines += _policies(told["policies"], "  ")
    if told.get("wouldHaveAllowed"):
        lines.append(f"would have allowed it: {told['wouldHaveAllowed']}")
    return lines


def _step(step: Mapping[str, Any]) -> list[str]:
    name = step.get("guard") or step.get("backend") or step.get("part")
    lines = [f"  {step['verdict']:<12} {name}"]
    if isinstance(authorizer := step.get("authorizer"), Mapping):
        said = ", ".join(f"{key}: {value}" for key, value in authorizer.items())
        lines.append(f"{'':15}{said}")
    if step.get("reason"):
        lines.append(f"{'':15}{step['refusal']}: {step['reason']}")
    if isinstance(step.get("policies"), Mapping):
        lines += _policies(step["policies"], " " * 15)
    return lines


def _policies(told: Mapping[str, Any], margin: str) -> list[str]:
    lines = [f"{margin}{told['action']} on {told['resource']} for {told['principal']}: {told['decidedBy']}"]
    for one in told["statements"]:
        fits = "applies" if one["applies"] else f"does not apply: {', '.join(one['failed'])}"
        policy = one["policy"] or one["layer"]
        lines.append(f"{margin}  {one['effect']} {one['statement']} of {policy} ({one['layer']}) {fits}")
        for condition in one["conditions"]:
            seen = "absent" if condition["seen"] is None else condition["seen"]
            mark = "holds" if condition["holds"] else "fails"
            wanted = ", ".join(condition["wanted"])
            lines.append(f"{margin}    {mark}: {condition['operator']} {condition['key']} {wanted} (seen: {seen})")
    return lines
