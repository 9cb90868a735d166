"""The service's settings: the tier of parameters that name none."""

from __future__ import annotations

from gatepost.services.ssm.service_settings import DEFAULT_TIER, HIGH_THROUGHPUT
from tests.support.policies import ACCOUNT
from tests.unit.services.ssm.test_provider import with_parameters

ARN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:servicesetting{DEFAULT_TIER}"


def test_the_default_tier_is_that_of_parameters_that_name_none_also_after_a_restart(tmp_path) -> None:
    async def before(world) -> None:
        told = (await world.ssm("GetServiceSetting", SettingId=DEFAULT_TIER))["ServiceSetting"]
        assert (told["SettingValue"], told["Status"], told["ARN"]) == ("Standard", "Default", ARN)
        assert (await world.put("/a"))["Tier"] == "Standard"
        await world.ssm("UpdateServiceSetting", SettingId=ARN, SettingValue="Advanced")

    async def after(world) -> None:
        told = (await world.ssm("GetServiceSetting", SettingId=DEFAULT_TIER))["ServiceSetting"]
        assert (told["SettingValue"], told["Status"]) == ("Advanced", "Customized")
        assert told["LastModifiedUser"] == world.root.arn
        assert (await world.put("/b"))["Tier"] == "Advanced"
        assert (await world.put("/c", Tier="Standard"))["Tier"] == "Standard"
        await world.ssm("UpdateServiceSetting", SettingId=DEFAULT_TIER, SettingValue="Intelligent-Tiering")
        assert (await world.put("/d"))["Tier"] == "Standard"
        assert (await world.put("/e", "x" * 4097))["Tier"] == "Advanced"
        reset = (await world.ssm("ResetServiceSetting", SettingId=DEFAULT_TIER))["ServiceSetting"]
        assert (reset["SettingValue"], reset["LastModifiedUser"]) == ("Standard", "System")
        await world.no("ValidationException", "PutParameter", Name="/f", Value="x" * 4097, Type="String")

    with_parameters(tmp_path, before, after)


def test_other_settings_and_values_are_refused(tmp_path) -> None:
    async def scenario(world) -> None:
        other = "/ssm/automation/customer-script-log-destination"
        await world.no("ServiceSettingNotFound", "GetServiceSetting", SettingId=other)
        update = "UpdateServiceSetting"
        await world.no("ValidationException", update, SettingId=DEFAULT_TIER, SettingValue="Fast")
        await world.no("ValidationException", update, SettingId=HIGH_THROUGHPUT, SettingValue="true")
        await world.ssm(update, SettingId=HIGH_THROUGHPUT, SettingValue="false")

    with_parameters(tmp_path, scenario)
