"""ImportApiKeys makes keys of a CSV file, with their plans, or says line by line why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.services.apigateway.api_keys_csv import BYTES_MAX, parse_key_rows
from gatepost.services.apigateway.model import BadRequestException
from tests.support.rest_apis import Control, with_control

GOOD = (
    "Name,key,Description,Enabled,UsagePlanIds\n"
    'partner one,0123456789abcdefghij,"first, of two",TRUE,"{plan}"\n'
    "partner two,abcdefghij0123456789,,false,\n"
)


def test_keys_come_with_their_plans(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        plan = await control("CreateUsagePlan", name="gold")
        body = GOOD.replace("{plan}", plan["id"]).encode()
        imported = await control("ImportApiKeys", body=body, format="csv", failOnWarnings=True)
        assert imported["warnings"] == []
        first, second = [await control("GetApiKey", apiKey=each, includeValue=True) for each in imported["ids"]]
        assert (first["name"], first["value"], first["enabled"]) == ("partner one", "0123456789abcdefghij", True)
        assert first["description"] == "first, of two"
        assert second["enabled"] is False
        members = (await control("GetUsagePlanKeys", usagePlanId=plan["id"]))["items"]
        assert [each["name"] for each in members] == ["partner one"]

    with_control(tmp_path, scenario)


def test_lines_that_cannot_be_keys_are_warnings_and_the_others_are_made(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        body = (
            b"name,KEY,usageplanids\n"
            b"a,0123456789abcdefghij,\n"
            b"twice,0123456789abcdefghij,\n"
            b"short,tooshort,\n"
            b"planless,abcdefghij0123456789,nosuchplan\n"
            b"columns,abcdefghij9876543210\n"
            b"\n"
        )
        imported = await control("ImportApiKeys", body=body, format="csv")
        assert len(imported["ids"]) == 1
        assert [each.partition(":")[0] for each in sorted(imported["warnings"])] == [f"Line {n}" for n in (3, 4, 5, 6)]
        assert "abcdefghij" not in " ".join(imported["warnings"])

    with_control(tmp_path, scenario)


def test_with_fail_on_warnings_nothing_is_made(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        body = b"name,key\na,0123456789abcdefghij\nb,short\n"
        with pytest.raises(BadRequestException, match="rolled back: Line 3"):
            await control("ImportApiKeys", body=body, format="csv", failOnWarnings=True)
        assert (await control("GetApiKeys"))["items"] == []

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"name\na\n",
        b"key\na\n",
        b"name,key,colour\n",
        b"name,name,key\n",
        b"\xff\xfe",
        b'name,key\n"open,0123456789abcdefghij\n',
        b"name,key\n" + bytes(BYTES_MAX),
    ],
)
def test_a_file_that_is_no_list_of_keys_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestException):
        parse_key_rows(body)


def test_columns_come_in_any_order_and_case() -> None:
    rows, warnings = parse_key_rows(b"\xef\xbb\xbfENABLED, Key ,name\ntrue,k,n\n")
    assert warnings == []
    assert [(row.name, row.value, row.is_enabled) for row in rows] == [("n", "k", True)]


def test_another_format_is_refused(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException, match="only csv"):
            await control("ImportApiKeys", body=b"", format="json")

    with_control(tmp_path, scenario)
