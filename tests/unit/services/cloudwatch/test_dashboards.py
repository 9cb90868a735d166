"""Dashboards are kept as they were put."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.metrics import NOW_MS, MetricsControl, with_metrics
from tests.support.toys import ACCOUNT

BODY = '{"widgets": []}'


async def refusal(step) -> str:
    with pytest.raises(ServiceError) as error:
        await step
    return f"{error.value.code}: {error.value.message}"


def test_a_dashboard_is_put_listed_given_and_deleted(tmp_path) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        put = await metrics("PutDashboard", DashboardName="shop", DashboardBody=BODY)
        await metrics("PutDashboard", DashboardName="other", DashboardBody=BODY)
        listed = await metrics("ListDashboards", DashboardNamePrefix="s")
        given = await metrics("GetDashboard", DashboardName="shop")
        missing = await refusal(metrics("DeleteDashboards", DashboardNames=["shop", "nobody"]))
        await metrics("DeleteDashboards", DashboardNames=["shop"])
        gone = await refusal(metrics("GetDashboard", DashboardName="shop"))
        return put, listed, given, missing, gone

    put, listed, given, missing, gone = with_metrics(tmp_path, scenario)
    arn = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/shop"
    assert put == {"DashboardValidationMessages": []}
    entry = {"DashboardName": "shop", "DashboardArn": arn, "LastModified": NOW_MS, "Size": len(BODY)}
    assert listed == {"DashboardEntries": [entry]}
    assert given == {"DashboardArn": arn, "DashboardBody": BODY, "DashboardName": "shop"}
    assert missing == "ResourceNotFound: The specified dashboard does not exist. [nobody]"
    assert gone == "ResourceNotFound: Dashboard shop does not exist"


@pytest.mark.parametrize(
    "params",
    [
        {"DashboardName": "no name"},
        {"DashboardBody": "x"},
        {"DashboardBody": "[]"},
        {"DashboardBody": '{"widgets": 1}'},
    ],
)
def test_what_is_no_dashboard_is_refused(tmp_path, params) -> None:
    async def scenario(metrics: MetricsControl) -> Any:
        given = {"DashboardName": "shop", "DashboardBody": BODY} | params
        return await refusal(metrics("PutDashboard", **given))

    assert with_metrics(tmp_path, scenario).startswith("InvalidParameterInput: ")


def test_an_account_has_no_more_dashboards_than_it_may(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gatepost.services.cloudwatch.dashboards.DASHBOARDS_MAX", 2)

    async def scenario(metrics: MetricsControl) -> Any:
        for name in ("a", "b", "b"):
            await metrics("PutDashboard", DashboardName=name, DashboardBody=BODY)
        return await refusal(metrics("PutDashboard", DashboardName="c", DashboardBody=BODY))

    assert with_metrics(tmp_path, scenario) == "InvalidParameterInput: There are 2 dashboards: delete one first"
