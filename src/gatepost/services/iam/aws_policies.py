"""AWS's own managed policies: all of them, with the statements that AWS publishes, read when first asked for.

`aws_managed_policies/index.json` tells of each when its default version was made and where in `documents.bin` that
version's document lies, deflated (`tools/refresh_managed_policies` writes both). AWS does not publish the ids of these
policies in its documentation, so `PolicyId` is derived from the ARN (approximated).

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import orjson

from gatepost.kernel.ids import UPPER_BASE32, stable_id
from gatepost.services.iam.model import AWS_POLICY_PREFIX, ManagedPolicy, PolicyVersion

FOLDER = Path(__file__).parent / "aws_managed_policies"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a policy. Times in AWS's form."""

    version_id: str
    created: str
    updated: str
    offset: int
    length: int


class AwsPolicies:
    """AWS's managed policies."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._read: dict[str, ManagedPolicy] = {}

    @cached_property
    def arns(self) -> tuple[str, ...]:
        """Give the ARNs of all, sorted."""
        return tuple(AWS_POLICY_PREFIX + name for name in sorted(self._index))

    def find(self, arn: str) -> ManagedPolicy | None:
        """Give a policy with its document by its ARN, or None when AWS has none of that name."""
        found = self._read.get(arn)
        if found is None and arn.startswith(AWS_POLICY_PREFIX):
            name = arn.removeprefix(AWS_POLICY_PREFIX)
            entry = self._index.get(name)
            if entry is not None:
                head = _head(name, entry)
                version = replace(head.versions[0], document=self._document(entry))
                found = self._read[arn] = replace(head, versions=(version,))
        return found

    def heads(self) -> Iterator[ManagedPolicy]:
        """Give all of them without their documents, sorted by ARN: what lists show."""
        return iter(self._heads)

    @cached_property
    def _index(self) -> Mapping[str, Entry]:
        """Give the index by path and name."""
        index = orjson.loads((self._folder / "index.json").read_bytes())
        return {name: Entry(*values) for name, values in index.items()}

    @cached_property
    def _heads(self) -> tuple[ManagedPolicy, ...]:
        return tuple(_head(name, entry) for name, entry in sorted(self._index.items()))

    def _document(self, entry: Entry) -> str:
        with (self._folder / "documents.bin").open("rb") as documents:
            documents.seek(entry.offset)
            return zlib.decompress(documents.read(entry.length)).decode()


def _head(place: str, entry: Entry) -> ManagedPolicy:
    path, _, name = f"/{place}".rpartition("/")
    return ManagedPolicy(
        account_id="aws",
        name=name,
        path=path + "/",
        id="ANPA" + stable_id(AWS_POLICY_PREFIX + place, length=17, alphabet=UPPER_BASE32),
        created_at_ms=_ms(entry.created),
        updated_at_ms=_ms(entry.updated),
        versions=(PolicyVersion(entry.version_id, "", _ms(entry.updated)),),
        default_version_id=entry.version_id,
    )


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
