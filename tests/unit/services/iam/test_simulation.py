"""The policy simulator."""

import asyncio
from pathlib import Path

from tests.support.identities import an_identity_world
from tests.support.policies import TABLE_ARN, a_document, a_statement


def test_the_simulator_says_what_policies_would_decide(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            documents = [
                a_document(a_statement(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
                a_document(a_statement("Deny", "dynamodb:DeleteTable")),
            ]
            asked = {
                "PolicyInputList": documents,
                "ActionNames": ["dynamodb:PutItem", "dynamodb:DeleteTable", "s3:GetObject"],
                "ResourceArns": [TABLE_ARN],
            }
            entry = {
                "ContextKeyName": "aws:RequestedRegion",
                "ContextKeyValues": ["eu-west-1"],
                "ContextKeyType": "string",
            }
            told = (await world.do("SimulateCustomPolicy", **asked, ContextEntries=[entry]))["EvaluationResults"]
            assert [one["EvalDecision"] for one in told] == ["allowed", "explicitDeny", "implicitDeny"]
            (matched,) = told[0]["MatchedStatements"]
            assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("PolicyInputList.1", "IAM Policy")
            assert matched["EndPosition"] == {"Line": 1, "Column": len(documents[0]) - 1}
            (matched,) = told[1]["MatchedStatements"]
            assert matched["SourcePolicyId"] == "PolicyInputList.2"
            assert told[0]["MissingContextValues"] == []
            told = (await world.do("SimulateCustomPolicy", **asked))["EvaluationResults"]
            assert told[0]["EvalDecision"] == "implicitDeny"
            assert told[0]["MissingContextValues"] == ["aws:RequestedRegion"]
            keys = await world.do("GetContextKeysForCustomPolicy", PolicyInputList=documents)
            assert keys["ContextKeyNames"] == ["aws:RequestedRegion"]
            await world.refused("InvalidInput", "SimulateCustomPolicy", **(asked | {"PolicyInputList": ["{}"]}))

    asyncio.run(scenario())


def test_the_simulator_knows_a_principals_policies_and_boundary(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            boundary = await world.a_policy("limit", a_statement(action="dynamodb:GetItem"))
            arn = await world.a_role("app", a_statement(), PermissionsBoundary=boundary)
            asked = {"PolicySourceArn": arn, "ActionNames": ["dynamodb:GetItem", "dynamodb:PutItem"]}
            told = (await world.do("SimulatePrincipalPolicy", **asked))["EvaluationResults"]
            assert [one["EvalDecision"] for one in told] == ["allowed", "implicitDeny"]
            (matched,) = told[0]["MatchedStatements"]
            assert matched["SourcePolicyId"] == "inline"
            assert matched["StartPosition"]["Line"] == 1
            within = [one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for one in told]
            assert within == [True, False]
            first = await world.do("SimulatePrincipalPolicy", **asked, MaxItems=1)
            assert first["IsTruncated"] is True
            await world.refused("NoSuchEntity", "SimulatePrincipalPolicy", **(asked | {"PolicySourceArn": arn + "x"}))

    asyncio.run(scenario())
