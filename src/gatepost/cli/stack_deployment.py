"""One deployment as a client does it: package, ask for a change set, show the plan, carry it out, tell of progress."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from gatepost.cli.endpoint import Endpoint, OperationFailed, deployed_stages, sign_in_url
from gatepost.kernel.ids import random_id
from gatepost.kernel.limits import CLOUDFORMATION_TEMPLATE_BODY_BYTES_MAX
from gatepost.templates.asset_files import asset_url
from gatepost.templates.code_packages import Uploads
from gatepost.templates.packaging import Packaged, Packager
from gatepost.templates.source import parse_source
from gatepost.templates.stack_tags import own_tags

CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
POOL_DOMAIN: Final = "AWS::Cognito::UserPoolDomain"
POLL_S: Final = 0.05
TIMEOUT_S: Final = 3600.0
NO_CHANGES: Final = ("No updates are to be performed", "didn't contain changes")
CREATABLE: Final = ("", "REVIEW_IN_PROGRESS")
LEFTOVER: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})  # what cannot be updated
REFUSAL: Final = "Template error: "  # CloudFormation's word before ours; a person sees file and line anyway


class DeploymentFailed(click.ClickException):
    """A stack could not be deployed. The text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be deployed, and as what."""

    stack_name: str
    packaged: Packaged
    parameters: Mapping[str, str]
    is_lenient: bool = False
    tags: Mapping[str, str] | None = None
    is_protected: bool = False


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A plan that waits to be carried out. `changes` are AWS's ResourceChange objects.

    `warnings` say what of the template is approximated, or accepted and not enforced.
    """

    stack_name: str
    id: str
    is_new_stack: bool
    changes: Sequence[Mapping[str, Any]]
    warnings: Sequence[str] = ()


class Deployer:
    """Deploys to the platform behind `endpoint`; `say` is given one line at a time."""

    def __init__(self, endpoint: Endpoint, *, say: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._say = say

    def packager(self, cache_dir: Path) -> Packager:
        """Give a packager that uploads to the platform."""
        return Packager(cache_dir=cache_dir, uploads=self.uploads(), progress=self._say)

    def uploads(self) -> Uploads:
        """Give the platform's assets."""
        return Uploads(has=self._has_asset, put=self._put_asset, patch=self._patch_asset)

    def _has_asset(self, sha256: str) -> bool:
        return self._endpoint.send("HEAD", f"/_gatepost/assets/{sha256}")[0] == 200

    def _put_asset(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        status, answer = self._endpoint.send("PUT", f"/_gatepost/assets/{sha256}", content)
        if status != 200:
            raise DeploymentFailed(f"an upload of {len(content)} bytes failed: {answer[:300].decode(errors='replace')}")
        return sha256

    def _patch_asset(self, sha256: str, patch: bytes) -> bool:
        return self._endpoint.send("PATCH", f"/_gatepost/assets/{sha256}", patch)[0] == 200

    def stack_status(self, stack_name: str) -> str:
        """Give a stack's status, or an empty text when there is none."""
        try:
            found = self._endpoint.call("cloudformation", "DescribeStacks", StackName=stack_name)
        except OperationFailed as failed:
            if "does not exist" in failed.reason:
                return ""
            raise
        return str(found["Stacks"][0]["StackStatus"])

    def leftover(self, stack_name: str) -> str:
        """Give the status of a stack that has to be deleted before it can be deployed again, or an empty text."""
        status = self.stack_status(stack_name)
        return status if status in LEFTOVER else ""

    def plan(self, target: Target) -> ChangeSet | None:
        """Have the platform work out a change set; None when nothing changes. Raises: DeploymentFailed."""
        status = self.stack_status(target.stack_name)
        if status in LEFTOVER:
            self._say(f"{target.stack_name} is {status}: deleting what is left of it first")
            self.delete(target.stack_name)
            status = ""
        is_new = status in CREATABLE
        params: dict[str, Any] = {
            "StackName": target.stack_name,
            "ChangeSetName": f"gatepost-{random_id(12)}",
            "ChangeSetType": "CREATE" if is_new else "UPDATE",
            "Capabilities": list(CAPABILITIES),
            "Parameters": self._parameters(target, is_new=is_new),
            "Tags": [{"Key": key, "Value": value} for key, value in self._tags(target).items()],
            **self._template(target.packaged),
        }
        try:
            change_set_id = self._endpoint.call("cloudformation", "CreateChangeSet", **params)["Id"]
        except OperationFailed as failed:
            raise DeploymentFailed(failed.reason.removeprefix(REFUSAL)) from failed
        return self._planned(target.stack_name, change_set_id, is_new=not status)

    def _planned(self, stack_name: str, change_set_id: str, *, is_new: bool) -> ChangeSet | None:
        changes: list[Mapping[str, Any]] = []
        described = self._until_described(change_set_id)
        warnings = described.get("StatusReason", "").splitlines()
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            self._endpoint.call("cloudformation", "DeleteChangeSet", ChangeSetName=change_set_id)
            if any(text in reason for text in NO_CHANGES):
                return None
            if is_new and self.stack_status(stack_name) == "REVIEW_IN_PROGRESS":
                self._endpoint.call("cloudformation", "DeleteStack", StackName=stack_name)
            raise DeploymentFailed(reason)
        while True:
            changes += [change["ResourceChange"] for change in described.get("Changes", [])]
            token = described.get("NextToken")
            if not token:
                return ChangeSet(stack_name, change_set_id, is_new, changes, warnings)
            described = self._endpoint.call(
                "cloudformation", "DescribeChangeSet", ChangeSetName=change_set_id, NextToken=token
            )

    def _until_described(self, change_set_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            described = self._endpoint.call("cloudformation", "DescribeChangeSet", ChangeSetName=change_set_id)
            if described["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                return described
            time.sleep(POLL_S)
        raise DeploymentFailed(f"the change set was not worked out within {TIMEOUT_S:.0f} s")

    def discard(self, change_set: ChangeSet) -> None:
        """Throw a plan away, and the empty stack that was made for it."""
        self._endpoint.call("cloudformation", "DeleteChangeSet", ChangeSetName=change_set.id)
        if change_set.is_new_stack:
            self._endpoint.call("cloudformation", "DeleteStack", StackName=change_set.stack_name)

    def execute(self, change_set: ChangeSet, *, event: Callable[[Mapping[str, Any]], None]) -> str:
        """Carry a plan out, telling of each event; give the stack's status at the end."""
        seen = {known["EventId"] for known in self._events(change_set.stack_name)}
        self._endpoint.call("cloudformation", "ExecuteChangeSet", ChangeSetName=change_set.id)
        return self._follow(change_set.stack_name, seen, event)

    def protect(self, stack_name: str) -> None:
        """Let a stack only be deleted by who first takes its protection away."""
        self._endpoint.call(
            "cloudformation", "UpdateTerminationProtection", StackName=stack_name, EnableTerminationProtection=True
        )

    def outcome(self, stack_name: str) -> dict[str, Any]:
        """Give a stack's `outputs`, and here the `urls` of its REST APIs and the `sign_in_urls` of its user pools."""
        stack = self._endpoint.call("cloudformation", "DescribeStacks", StackName=stack_name)["Stacks"][0]
        resources = self._endpoint.call("cloudformation", "DescribeStackResources", StackName=stack_name)
        ids = {resource.get("PhysicalResourceId") for resource in resources["StackResources"]}
        domains = [
            resource["PhysicalResourceId"]
            for resource in resources["StackResources"]
            if resource["ResourceType"] == POOL_DOMAIN and resource.get("PhysicalResourceId")
        ]
        return {
            "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
            "urls": [stage["url"] for stage in deployed_stages(self._endpoint) if stage["id"] in ids],
            "sign_in_urls": [sign_in_url(self._endpoint.addresses, domain) for domain in domains],
        }

    def delete(self, stack_name: str, *, event: Callable[[Mapping[str, Any]], None] = lambda _: None) -> str:
        """Delete a stack, telling of each event; give its status at the end."""
        found = self._endpoint.call("cloudformation", "DescribeStacks", StackName=stack_name)
        stack_id = str(found["Stacks"][0]["StackId"])
        seen = {known["EventId"] for known in self._events(stack_id)}
        self._endpoint.call("cloudformation", "DeleteStack", StackName=stack_name)
        return self._follow(stack_id, seen, event)

    def _follow(self, stack: str, seen: set[str], event: Callable[[Mapping[str, Any]], None]) -> str:
        try:
            return self._followed(stack, seen, event)
        except KeyboardInterrupt:
            self._say("The platform goes on with it: `gatepost status` shows how far it is")
            raise

    def _followed(self, stack: str, seen: set[str], event: Callable[[Mapping[str, Any]], None]) -> str:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            described = self._endpoint.call("cloudformation", "DescribeStacks", StackName=stack)
            status = str(described["Stacks"][0]["StackStatus"])
            fresh = [each for each in self._events(stack) if each["EventId"] not in seen]
            for each in reversed(fresh):
                seen.add(each["EventId"])
                event(each)
            if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
                return status
            time.sleep(POLL_S)
        raise DeploymentFailed(f"{stack} was not done within {TIMEOUT_S:.0f} s")

    def _events(self, stack: str) -> list[dict[str, Any]]:
        """Give a stack's newest events, the newest first."""
        found = self._endpoint.call("cloudformation", "DescribeStackEvents", StackName=stack)
        events: list[dict[str, Any]] = found["StackEvents"]
        return events

    def _parameters(self, target: Target, *, is_new: bool) -> list[dict[str, Any]]:
        """Give the values that were named, and have the stack keep those it has of what was not.

        As `aws cloudformation deploy` does: a value given once stays until another is given.
        """
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(target.parameters.items())]
        if is_new:
            return given
        raw = parse_source(target.packaged.text.encode(), file=target.packaged.file).plain()
        declared = raw.get("Parameters") if isinstance(raw, dict) else None
        found = self._endpoint.call("cloudformation", "DescribeStacks", StackName=target.stack_name)["Stacks"][0]
        kept = {parameter["ParameterKey"] for parameter in found.get("Parameters", [])}
        kept &= set(declared if isinstance(declared, dict) else ())
        return given + [
            {"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept - set(target.parameters))
        ]

    @staticmethod
    def _tags(target: Target) -> dict[str, str]:
        packaged = target.packaged
        own = own_tags(file=packaged.file, accept_sha256=packaged.accept_sha256, is_lenient=target.is_lenient)
        return {**(target.tags or {}), **own}

    def _template(self, packaged: Packaged) -> dict[str, str]:
        content = packaged.text.encode()
        if len(content) <= CLOUDFORMATION_TEMPLATE_BODY_BYTES_MAX:
            return {"TemplateBody": packaged.text}
        return {"TemplateURL": asset_url(self._put_asset(content), "template")}
