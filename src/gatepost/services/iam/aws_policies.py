"""AWS's own managed policies: the ones we have, with the statements that AWS publishes, read when first asked for.

One JSON file per policy lies under `aws_managed_policies/`, in the folder of its path (`service-role/…`). A policy
that is not there is refused, never taken for an empty one. AWS does not publish the ids of these policies in its
documentation, so `PolicyId` is derived from the ARN (approximated).

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path

from gatepost.kernel.ids import UPPER_BASE32, stable_id
from gatepost.services.iam.model import AWS_POLICY_PREFIX, ManagedPolicy, PolicyVersion

FOLDER = Path(__file__).parent / "aws_managed_policies"


class AwsPolicies:
    """The managed policies of AWS's that Gatepost has."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._read: dict[str, ManagedPolicy] = {}

    @cached_property
    def arns(self) -> tuple[str, ...]:
        """Give the ARNs of all that we have, sorted."""
        files = self._folder.rglob("*.json")
        return tuple(sorted(AWS_POLICY_PREFIX + f.relative_to(self._folder).with_suffix("").as_posix() for f in files))

    def find(self, arn: str) -> ManagedPolicy | None:
        """Give a policy by its ARN, or None when we do not have it."""
        found = self._read.get(arn)
        if found is None and arn in self._known:
            found = self._read[arn] = self._load(arn)
        return found

    def every(self) -> Iterator[ManagedPolicy]:
        """Give all of them, sorted by ARN."""
        for arn in self.arns:
            policy = self.find(arn)
            if policy is not None:
                yield policy

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.arns)

    def _load(self, arn: str) -> ManagedPolicy:
        path, _, name = ("/" + arn.removeprefix(AWS_POLICY_PREFIX)).rpartition("/")
        value = json.loads((self._folder / path.lstrip("/") / f"{name}.json").read_text("utf-8"))
        version_id = value["DefaultVersionId"]
        updated = _ms(value["UpdateDate"])
        document = json.dumps(value["Document"], separators=(",", ":"))
        return ManagedPolicy(
            account_id="aws",
            name=name,
            path=path + "/",
            id="ANPA" + stable_id(arn, length=17, alphabet=UPPER_BASE32),
            created_at_ms=_ms(value["CreateDate"]),
            updated_at_ms=updated,
            versions=(PolicyVersion(version_id, document, updated),),
            default_version_id=version_id,
        )


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
