"""Dashboards: kept as they were put, for an account. Nothing draws them here.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call, RecordKey, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cloudwatch.alarms import AlarmReach
from gatepost.services.cloudwatch.model import InvalidParameterValueException
from gatepost.storage.base import Write

Params = Mapping[str, Any]
Answer = dict[str, Any]

DASHBOARD: Final = "cloudwatch_dashboard"  # kinds of records: what lists tell, and the body, which they do not read
BODY: Final = "cloudwatch_dashboard_body"
BODY_BYTES_MAX: Final = 1_048_576
DASHBOARDS_MAX: Final = 5_000  # of an account; AWS states no such quota
PAGE_MAX: Final = 1_000
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


class DashboardInvalidInputError(ServiceError):
    """A dashboard cannot be used."""

    code = "InvalidParameterInput"
    status = 400


class DashboardNotFoundError(ServiceError):
    """There is no such dashboard."""

    code = "ResourceNotFound"
    status = 404


class DashboardOperations:
    """Mixed into the provider, which sets these."""

    _reach: AlarmReach
    _clock: Clock

    @operation("PutDashboard")
    async def put_dashboard(self, call: Call, params: Params) -> Answer:
        """Keep a dashboard. Raises: DashboardInvalidInputError."""
        name, body = params["DashboardName"], params["DashboardBody"]
        if params.get("Tags"):
            raise _invalid("Tags of dashboards are not supported by Gatepost: leave them out")
        if not _NAME.fullmatch(name):
            raise _invalid(f"The value {name} for field DashboardName contains invalid characters. ")
        size = len(body.encode())
        if size > BODY_BYTES_MAX:
            raise _invalid(f"The field DashboardBody must be at most {BODY_BYTES_MAX} bytes")
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _invalid("The field DashboardBody must be a valid JSON object") from error
        if not isinstance(parsed, dict) or not isinstance(parsed.get("widgets", []), list):
            raise _invalid("The field DashboardBody must be a valid JSON object")
        if await self._reach.records.get(_key(call, name)) is None:
            held = await self._reach.records.page(DASHBOARD, call.account_id, "", count_max=DASHBOARDS_MAX)
            if len(held) >= DASHBOARDS_MAX:
                raise _invalid(f"There are {DASHBOARDS_MAX} dashboards: delete one first")
        told = {"size": size, "modified_at_ms": self._clock.now_ms()}
        writes = [Write(_key(call, name), told), Write(_key(call, name, BODY), {"body": body})]
        await self._reach.records.commit(writes)
        return {"DashboardValidationMessages": []}

    @operation("GetDashboard")
    async def get_dashboard(self, call: Call, params: Params) -> Answer:
        """Give a dashboard. Raises: DashboardNotFoundError."""
        name = params["DashboardName"]
        record = await self._reach.records.get(_key(call, name, BODY))
        if record is None:
            raise DashboardNotFoundError(f"Dashboard {name} does not exist")
        return {"DashboardArn": _arn(call, name), "DashboardBody": record.value["body"], "DashboardName": name}

    @operation("ListDashboards")
    async def list_dashboards(self, call: Call, params: Params) -> Answer:
        """Give the dashboards by name. Raises: InvalidParameterValueException."""
        bad = InvalidParameterValueException("The value for parameter NextToken is invalid.")
        (after,) = place_of(params.get("NextToken"), bad, "")
        prefix = params.get("DashboardNamePrefix") or ""
        found = await self._reach.records.page(
            DASHBOARD, call.account_id, "", prefix=prefix, after=after, count_max=PAGE_MAX + 1
        )
        entries = [
            {
                "DashboardName": record.key.id,
                "DashboardArn": _arn(call, record.key.id),
                "LastModified": record.value["modified_at_ms"],
                "Size": record.value["size"],
            }
            for record in found[:PAGE_MAX]
        ]
        token = {"NextToken": page_token(found[PAGE_MAX - 1].key.id)} if len(found) > PAGE_MAX else {}
        return {"DashboardEntries": entries, **token}

    @operation("DeleteDashboards")
    async def delete_dashboards(self, call: Call, params: Params) -> Answer:
        """Delete dashboards, all or none. Raises: DashboardNotFoundError."""
        keys = [_key(call, name) for name in params["DashboardNames"]]
        missing = [key.id for key in keys if await self._reach.records.get(key) is None]
        if missing:
            raise DashboardNotFoundError(f"The specified dashboard does not exist. [{', '.join(missing)}]")
        bodies = [_key(call, key.id, BODY) for key in keys]
        await self._reach.records.commit([Write(key, None) for key in (*keys, *bodies)])
        return {}


def _key(call: Call, name: str, kind: str = DASHBOARD) -> RecordKey:
    return RecordKey(kind, call.account_id, "", name)  # dashboards are of no region


def _arn(call: Call, name: str) -> str:
    return f"arn:aws:cloudwatch::{call.account_id}:dashboard/{name}"


def _invalid(message: str) -> DashboardInvalidInputError:
    return DashboardInvalidInputError(message)
