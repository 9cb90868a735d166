"""What tables never have here: exports and imports by S3, global tables, Kinesis destinations, Contributor Insights.

Operations that ask for such things say, truly, that there are none; those that would make them are refused with what
works instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.model import (
    ExportNotFoundException,
    GlobalTableNotFoundException,
    ImportNotFoundException,
    Table,
)
from gatepost.services.dynamodb.tables import Tables

_GLOBAL: Final = "a table is in one region: make one in each region that you need"
_BULK: Final = "use BatchWriteItem, or `gatepost tables import`"
_KINESIS: Final = "there is no Kinesis: enable the table's stream, and read it or map a function to it"
REFUSALS: Final[Mapping[str, str]] = {
    "CancelBulkOperation": _BULK,
    "CreateGlobalTable": _GLOBAL,
    "DescribeBulkOperation": _BULK,
    "DescribeTableReplicaAutoScaling": _GLOBAL,
    "DisableKinesisStreamingDestination": _KINESIS,
    "EnableKinesisStreamingDestination": _KINESIS,
    "ExportTableToPointInTime": "there is no S3 to export to: `gatepost tables export TABLE FOLDER --format dynamodb` "
    "writes what DynamoDB's export does",
    "ImportTable": "there is no S3 to import from: `gatepost tables import TABLE FOLDER` reads what DynamoDB's export "
    "wrote, CSV and JSON lines",
    "ListBulkOperations": _BULK,
    "SearchVectors": "there are no vector indexes",
    "StartBulkPutItems": _BULK,
    "UpdateContributorInsights": "there is no Contributor Insights",
    "UpdateGlobalTable": _GLOBAL,
    "UpdateGlobalTableSettings": _GLOBAL,
    "UpdateKinesisStreamingDestination": _KINESIS,
    "UpdateTableReplicaAutoScaling": _GLOBAL,
}
Params = Mapping[str, Any]
Answer = dict[str, Any]


class Absent:
    """Answers the operations that ask for what there is none of."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def listed(self, call: Call, params: Params, member: str) -> Answer:
        """Answer a List operation: there are none, of this table or of any."""
        if "NextToken" in params:
            raise ValidationException("Invalid NextToken: it was not given by this operation")
        name = params.get("TableName") or params.get("TableArn")
        if name:
            self._tables.described(call, name)
        return {member: []}

    @staticmethod
    def export(params: Params) -> NoReturn:
        """Say that there is no such export. Raises: ExportNotFoundException."""
        raise ExportNotFoundException(f"Export not found: {params['ExportArn']}")

    @staticmethod
    def import_(params: Params) -> NoReturn:
        """Say that there is no such import. Raises: ImportNotFoundException."""
        raise ImportNotFoundException(f"Import not found: {params['ImportArn']}")

    @staticmethod
    def global_table(params: Params) -> NoReturn:
        """Say that there is no such global table. Raises: GlobalTableNotFoundException."""
        raise GlobalTableNotFoundException(
            f"Global table not found: Global table with name: '{params['GlobalTableName']}' does not exist."
        )

    def insights(self, call: Call, params: Params) -> Answer:
        """Answer DescribeContributorInsights: they are disabled."""
        table = self._tables.described(call, params["TableName"])
        answer: Answer = {"TableName": table.definition.name, "ContributorInsightsStatus": "DISABLED"}
        if "IndexName" in params:
            answer["IndexName"] = _index_of(table, params["IndexName"])
        return answer

    def destinations(self, call: Call, params: Params) -> Answer:
        """Answer DescribeKinesisStreamingDestination: there are none."""
        table = self._tables.described(call, params["TableName"])
        return {"TableName": table.definition.name, "KinesisDataStreamDestinations": []}


def _index_of(table: Table, name: str) -> str:
    if all(index.name != name for index in table.definition.indexes):
        raise ValidationException(f"The table does not have the specified index: {name}")
    return name
