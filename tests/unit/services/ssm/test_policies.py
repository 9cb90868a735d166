"""Policies: parameters that expire, and those of which somebody is told in time."""

from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.ssm.announcements import Announcements
from gatepost.services.ssm.policies import POLICIES_MAX, parse_policies
from tests.unit.services.ssm.test_provider import with_parameters

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EXPIRATION = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2030-01-11T00:00:00.000Z"}}
BEFORE = {"Type": "ExpirationNotification", "Version": "1.0", "Attributes": {"Before": "2", "Unit": "Days"}}
UNCHANGED = {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "20", "Unit": "Hours"}}
EXPIRES_AT_MS = 1_894_320_000_000


class Sink:
    def __init__(self):
        self.told = []

    async def announce(self, account_id, region, *, source, detail_type, resources, detail):
        assert source == "aws.ssm"
        self.told.append((detail_type, detail.get("operation") or detail["policy-type"]))


def test_policies_are_due_by_the_date_before_it_and_after_the_change() -> None:
    policies = parse_policies(json.dumps([EXPIRATION, BEFORE, UNCHANGED]), 5_000)
    assert [one.due_at_ms for one in policies] == [EXPIRES_AT_MS, EXPIRES_AT_MS - 2 * DAY_MS, 5_000 + 20 * HOUR_MS]
    assert parse_policies("[{}]", 0) == ()


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ([{"Type": "Rotation"}], "InvalidPolicyTypeException"),
        ([{**EXPIRATION, "Attributes": {"Timestamp": "soon"}}], "InvalidPolicyAttributeException"),
        ([{**UNCHANGED, "Attributes": {"After": "0", "Unit": "Days"}}], "InvalidPolicyAttributeException"),
        ([{**UNCHANGED, "Attributes": {"After": "1", "Unit": "Years"}}], "InvalidPolicyAttributeException"),
        ([{**UNCHANGED, "Attributes": {"After": "9" * 400, "Unit": "Days"}}], "InvalidPolicyAttributeException"),
        ([UNCHANGED | {"Attributes": 1}], "InvalidPolicyAttributeException"),
        ([BEFORE], "IncompatiblePolicyException"),
        ([EXPIRATION, EXPIRATION], "IncompatiblePolicyException"),
        ([UNCHANGED] * (POLICIES_MAX + 1), "PoliciesLimitExceededException"),
        ([1], "ValidationException"),
    ],
)
def test_policies_that_cannot_be_are_refused(policies: list, code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        parse_policies(json.dumps(policies), 0)
    assert refused.value.code == code


def test_a_parameter_expires_and_its_name_is_free(tmp_path) -> None:
    async def scenario(world) -> None:
        sink = Sink()
        world.parameters._announcements = Announcements(sink)
        world.clock.advance(ms=EXPIRES_AT_MS - 3 * DAY_MS - world.clock.now_ms())
        policies = json.dumps([EXPIRATION, BEFORE, UNCHANGED])
        await world.no("ValidationException", "PutParameter", Name="/a", Value="v", Type="String", Policies=policies)
        await world.put("/a", Tier="Advanced", Policies=policies)
        await world.put("/a", "two", Overwrite=True)
        (described,) = (await world.ssm("DescribeParameters"))["Parameters"]
        assert [one["PolicyStatus"] for one in described["Policies"]] == ["Pending"] * 3
        assert json.loads(described["Policies"][0]["PolicyText"]) == EXPIRATION
        world.clock.advance(ms=DAY_MS)
        for _ in range(2):
            await world.parameters.act_on_policies(world.clock.now_ms())
        action = "Parameter Store Policy Action"
        change = "Parameter Store Change"
        assert sink.told == [
            (change, "Create"),
            (change, "Update"),
            (action, "ExpirationNotification"),
            (action, "NoChangeNotification"),
        ]
        (described,) = (await world.ssm("DescribeParameters"))["Parameters"]
        assert [one["PolicyStatus"] for one in described["Policies"]] == ["Pending", "Finished", "Finished"]
        world.clock.advance(ms=2 * DAY_MS)
        await world.no("ParameterNotFound", "GetParameter", Name="/a")
        assert (await world.ssm("DescribeParameters"))["Parameters"] == []
        assert (await world.put("/a", "three"))["Version"] == 1
        assert sink.told[4:] == [(action, "Expiration"), (change, "Create")]
        await world.ssm("LabelParameterVersion", Name="/a", Labels=["x"])
        await world.ssm("DeleteParameter", Name="/a")
        assert sink.told[6:] == [(change, "LabelParameterVersion"), (change, "Delete")]

    with_parameters(tmp_path, scenario)


def test_a_name_that_is_given_anew_while_others_expire_keeps_its_value(tmp_path) -> None:
    async def scenario(world) -> None:
        world.clock.advance(ms=EXPIRES_AT_MS - DAY_MS - world.clock.now_ms())
        for name in ("/a", "/b"):
            await world.put(name, Tier="Advanced", Policies=json.dumps([EXPIRATION]))
        world.clock.advance(ms=DAY_MS)

        class PuttingSink(Sink):
            async def announce(self, account_id, region, *, detail, **told):
                if detail.get("policy-type") == "Expiration" and detail["parameter-name"] == "/a":
                    await world.put("/b", "new")

        world.parameters._announcements = Announcements(PuttingSink())
        await world.parameters.act_on_policies(world.clock.now_ms())
        assert (await world.ssm("GetParameter", Name="/b"))["Parameter"]["Value"] == "new"

    with_parameters(tmp_path, scenario)


def test_what_has_expired_is_deleted_though_nobody_asks_and_policies_outlive_a_restart(tmp_path) -> None:
    async def before(world) -> None:
        world.clock.advance(ms=EXPIRES_AT_MS - DAY_MS - world.clock.now_ms())
        await world.put("/a", Tier="Intelligent-Tiering", Policies=json.dumps([EXPIRATION]))
        await world.put("/b", Tier="Advanced", Policies=json.dumps([EXPIRATION]))
        await world.put("/b", "two", Overwrite=True, Policies="[]")

    async def after(world) -> None:
        await world.parameters.start()
        world.clock.advance(ms=EXPIRES_AT_MS - world.clock.now_ms())
        await world.parameters.act_on_policies(world.clock.now_ms())
        names = [record.value["name"] for record in await world.records.scan("ssm-parameter")]
        assert names == ["/b"]

    with_parameters(tmp_path, before, after)
