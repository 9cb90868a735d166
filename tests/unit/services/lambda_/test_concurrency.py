"""Reserved and provisioned concurrency, as the control plane keeps it."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import ServiceError
from tests.support.functions import LambdaControl, with_lambda

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


async def refusal(step) -> tuple[str, str]:
    with pytest.raises(ServiceError) as error:
        await step
    return error.value.code, error.value.message


def test_a_reservation_is_kept_shown_and_given_back(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        before = await aws("GetAccountSettings")
        made = await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=0)
        made = await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=3)
        shown = await aws("GetFunctionConcurrency", FunctionName="orders"), await aws("GetFunction", FunctionName=ARN)
        held, after = aws.told.held[ARN], await aws("GetAccountSettings")
        await aws("DeleteFunctionConcurrency", FunctionName="orders")
        return before, made, shown, held, after, await aws("GetFunctionConcurrency", FunctionName="orders")

    before, made, shown, held, after, gone = with_lambda(tmp_path, scenario)
    assert made == shown[0] == shown[1]["Concurrency"] == {"ReservedConcurrentExecutions": 3}
    assert held["reserved_concurrency"] == 3
    counts = [one["AccountLimit"]["UnreservedConcurrentExecutions"] for one in (before, after)]
    assert counts[0] - counts[1] == 3
    assert gone == {}


def test_some_of_the_account_stays_unreserved(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        await aws.a_function("other")
        limit = (await aws("GetAccountSettings"))["AccountLimit"]["ConcurrentExecutions"]
        kept = min(100, limit // 10)
        most = limit - kept
        await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=most)
        await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=most)
        return kept, await refusal(aws("PutFunctionConcurrency", FunctionName="other", ReservedConcurrentExecutions=1))

    kept, (code, words) = with_lambda(tmp_path, scenario)
    assert code == "InvalidParameterValueException"
    assert words.endswith(f"below its minimum value of [{kept}].")


def test_provisioned_workers_are_ready_when_the_gateway_says_so(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        name = {"FunctionName": "orders", "Qualifier": "1"}
        put = await aws("PutProvisionedConcurrencyConfig", **name, ProvisionedConcurrentExecutions=2)
        held = aws.told.held[f"{ARN}:1"]
        seen = []
        for heard in ({"ready": 1, "failure": ""}, {"ready": 1, "failure": "BROKEN"}, {"ready": 5, "failure": ""}):
            aws.provider.take_readiness({f"{ARN}:1": heard})
            seen.append(await aws("GetProvisionedConcurrencyConfig", **name))
        listed = await aws("ListProvisionedConcurrencyConfigs", FunctionName="orders")
        await aws("DeleteProvisionedConcurrencyConfig", **name)
        return put, held, seen, listed, await refusal(aws("GetProvisionedConcurrencyConfig", **name))

    put, _, seen, listed, gone = with_lambda(tmp_path, scenario)
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    assert [(one["Status"], one["AvailableProvisionedConcurrentExecutions"]) for one in seen] == [
        ("IN_PROGRESS", 1),
        ("FAILED", 1),
        ("READY", 2),
    ]
    assert seen[1]["StatusReason"] == "BROKEN"
    assert [one["FunctionArn"] for one in listed["ProvisionedConcurrencyConfigs"]] == [f"{ARN}:1"]
    assert gone[0] == "ProvisionedConcurrencyConfigNotFoundException"


def test_provisioned_concurrency_keeps_to_its_bounds(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function(Publish=True)
        await aws("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        await aws("CreateAlias", FunctionName="orders", Name="edge", FunctionVersion="$LATEST")
        put = "PutProvisionedConcurrencyConfig"
        found = []
        for qualifier in ("$LATEST", "edge", "7"):
            params = {"FunctionName": "orders", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": 1}
            found.append((await refusal(aws(put, **params)))[0])
        await aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=3)
        await aws(put, FunctionName="orders", Qualifier="1", ProvisionedConcurrentExecutions=2)
        more = {"FunctionName": "orders", "Qualifier": "live", "ProvisionedConcurrentExecutions": 2}
        found.append(await refusal(aws(put, **more)))
        lower = aws("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=1)
        found.append(await refusal(lower))
        await aws("DeleteAlias", FunctionName="orders", Name="live")
        await aws("DeleteFunction", FunctionName="orders")
        await aws.a_function(Publish=True)
        return found, await aws("ListProvisionedConcurrencyConfigs", FunctionName="orders")

    found, left = with_lambda(tmp_path, scenario)
    bad = "InvalidParameterValueException"
    assert found[:3] == [bad, bad, "ResourceNotFoundException"]
    assert found[3][1].startswith("Requested Provisioned Concurrency should not be greater")
    assert "below the 2 that are provisioned" in found[4][1]
    assert left == {"ProvisionedConcurrencyConfigs": []}  # they went with the function
