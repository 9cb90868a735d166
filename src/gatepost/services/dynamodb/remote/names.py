"""Names of the cluster's tables: callers, and the policies that IAM evaluates, see ARNs of this platform only.

A table of the cluster's is `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME` here, with the platform's own region and
account, whatever the cluster calls it; likewise its indexes, streams and backups. A stream whose ARN names no table
(Alternator's) keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.arn import arn
from gatepost.services.dynamodb.model import ResourceNotFoundException

_TABLE: Final = ":table/"
ARN_PARAMETERS: Final = (
    "BackupArn",
    "ExclusiveStartBackupArn",
    "ExclusiveStartStreamArn",
    "ResourceArn",
    "SourceTableArn",
    "StreamArn",
)
TABLES_MAX: Final = 10_000


class Names:
    """Translates ARNs between the platform and the cluster. Remembers how the cluster's begin, table by table."""

    def __init__(self, *, region: str, account_id: str) -> None:
        self._ours = arn("dynamodb", region, account_id, "table/")
        self._theirs: dict[str, str] = {}  # by table name: its ARN up to and with "table/"
        self._last = ""

    def learn(self, table: str, table_arn: str) -> None:
        """Remember how the cluster spells the ARN of a table."""
        begin, found, _ = table_arn.partition(_TABLE)
        if not found:
            return
        if len(self._theirs) >= TABLES_MAX:
            self._theirs.clear()
        self._theirs[table] = self._last = begin + found

    def table_of(self, text: str) -> str:
        """Give the name of the table in an ARN of ours; empty when it is none."""
        if not text.startswith(self._ours):
            return ""
        return text.removeprefix(self._ours).partition("/")[0]

    def knows(self, table: str) -> bool:
        """Say whether the ARN of this table can be translated."""
        return table in self._theirs

    def to_cluster(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a request with the cluster's ARNs for ours. Raises: ResourceNotFoundException."""
        return {name: self._cluster_arn(value) if name in ARN_PARAMETERS else value for name, value in params.items()}

    def _cluster_arn(self, text: str) -> str:
        if _TABLE not in text:
            return text
        table = self.table_of(text)
        begin = self._theirs.get(table, self._last)
        if not table or not begin:
            raise ResourceNotFoundException(f"Requested resource not found: {text[:1024]} not found")
        return begin + text.removeprefix(self._ours)

    def to_caller(self, value: Any) -> Any:
        """Give an answer with our ARNs for the cluster's. Not for answers that hold items."""
        if isinstance(value, dict):
            return {
                name: self._our_arn(one) if name.endswith("Arn") and isinstance(one, str) else self.to_caller(one)
                for name, one in value.items()
            }
        if isinstance(value, list):
            return [self.to_caller(one) for one in value]
        return value

    def _our_arn(self, text: str) -> str:
        if not text.startswith("arn:"):
            return text
        _, found, rest = text.partition(_TABLE)
        return self._ours + rest if found else text
