"""The credential report: made on demand, true, and old after four hours."""

import asyncio
import csv
from pathlib import Path

from tests.support.identities import an_identity_world


def test_a_report_tells_of_everybodys_credentials(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.refused("ReportNotPresent", "GetCredentialReport")
            await world.do("UpdateAccountPasswordPolicy", MaxPasswordAge=90)
            ana = await world.a_user("ana")
            await world.do("CreateLoginProfile", UserName="ana", Password="Correct-Horse-1")
            world.iam.uses.note(ana, "lambda", "us-east-1", world.clock.now_ms())
            started = await world.do("GenerateCredentialReport")
            assert started["State"] == "STARTED"
            assert await world.do("GenerateCredentialReport") == {"State": "COMPLETE"}
            report = await world.do("GetCredentialReport")
            assert report["ReportFormat"] == "text/csv"
            root, user = csv.DictReader(report["Content"].decode().splitlines())
            assert (root["user"], root["arn"]) == ("<root_account>", world.root.arn)
            assert (user["user"], user["password_enabled"], user["mfa_active"]) == ("ana", "true", "false")
            assert user["password_next_rotation"] > user["password_last_changed"]
            used = [user[f"access_key_1_{what}"] for what in ("active", "last_used_service", "last_used_region")]
            assert used == ["true", "lambda", "us-east-1"]
            assert (user["access_key_2_active"], user["access_key_2_last_rotated"]) == ("false", "N/A")
            assert (user["cert_1_active"], user["cert_2_last_rotated"]) == ("false", "N/A")
            world.clock.advance(ms=4 * 60 * 60 * 1000)
            await world.refused("ReportExpired", "GetCredentialReport")

    asyncio.run(scenario())
