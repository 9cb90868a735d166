"""Resource policies of tables are kept, revised and handed to the authorizer with every call on the table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call
from gatepost.services.dynamodb.model import PolicyNotFoundException
from tests.support.dynamodb import DynamoDb, a_table, on_dynamodb

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/things"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::000000000000:user/ann"},
                "Action": "dynamodb:GetItem",
                "Resource": ARN,
            }
        ],
    }
)


def test_a_policy_is_put_got_and_deleted() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        assert isinstance(await db.refused("GetResourcePolicy", ResourceArn=ARN), PolicyNotFoundException)
        put = {"ResourceArn": ARN, "Policy": POLICY}
        assert isinstance(await db.refused("PutResourcePolicy", **put, ExpectedRevisionId="1"), PolicyNotFoundException)
        revision = (await db("PutResourcePolicy", **put, ExpectedRevisionId="NO_POLICY"))["RevisionId"]
        assert await db("GetResourcePolicy", ResourceArn=ARN) == {"Policy": POLICY, "RevisionId": revision}
        second = (await db("PutResourcePolicy", **put, ExpectedRevisionId=revision))["RevisionId"]
        assert second != revision
        deleting = {"ResourceArn": ARN, "ExpectedRevisionId": revision}
        assert isinstance(await db.refused("DeleteResourcePolicy", **deleting), PolicyNotFoundException)
        assert await db("DeleteResourcePolicy", ResourceArn=ARN) == {"RevisionId": second}
        assert await db("DeleteResourcePolicy", ResourceArn=ARN) == {}

    on_dynamodb(scenario)


def test_every_access_to_the_table_carries_its_policy() -> None:
    async def scenario(db: DynamoDb) -> list[Any]:
        await db("CreateTable", **a_table(sort=None, ResourcePolicy=POLICY))
        await db("CreateTable", **a_table("others", sort=None))
        db.authorization.asked.clear()
        key = {"pk": {"S": "a"}}
        await db("GetItem", TableName="things", Key=key)
        await db("BatchGetItem", RequestItems={"things": {"Keys": [key]}, "others": {"Keys": [key]}})
        await db("TransactGetItems", TransactItems=[{"Get": {"TableName": "things", "Key": key}}])
        await db("ExecuteStatement", Statement="SELECT * FROM things")
        await db("DescribeTable", TableName="things")
        return [(one.resource == ARN, one.resource_policy == POLICY) for one in db.authorization.asked]

    asked = on_dynamodb(scenario)
    assert len(asked) == 6
    assert all(is_table == has_policy for is_table, has_policy in asked)


def test_a_policy_outlives_a_restart(tmp_path: Any) -> None:
    async def before(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None, ResourcePolicy=POLICY))

    async def after(db: DynamoDb) -> Any:
        await db("GetItem", TableName="things", Key={"pk": {"S": "a"}})
        return db.authorization.asked[-1].resource_policy

    path = tmp_path / "items.db"
    on_dynamodb(before, path=path)
    assert on_dynamodb(after, path=path) == POLICY


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Policy": "no"}, "Invalid policy document"),
        ({"Policy": '{"Statement": []}' + " " * 20_480}, "larger than 20480 bytes"),
        ({"ResourceArn": ARN + "/stream/x"}, "of tables only"),
        ({"ResourceArn": ARN + "x"}, "not found"),
        ({"ResourceArn": "things"}, "Invalid ResourceArn"),
    ],
)
def test_what_cannot_be_a_policy_is_refused(params: dict[str, Any], message: str) -> None:
    async def scenario(db: DynamoDb) -> str:
        await db("CreateTable", **a_table(sort=None))
        return (await db.refused("PutResourcePolicy", **{"ResourceArn": ARN, "Policy": POLICY, **params})).message

    assert message in on_dynamodb(scenario)


class Guarded:
    """An authorization under which a resource policy that denies anything shuts everyone out."""

    def __init__(self) -> None:
        self.asked: list[Access] = []

    def check(self, call: Call, access: Access) -> None:
        """Look at the policy that would be the table's."""
        del call
        self.asked.append(access)
        if "Deny" in (access.resource_policy or ""):
            raise AccessDeniedException("no")


@pytest.mark.parametrize(
    ("effect", "is_confirmed", "is_put"),
    [("Deny", False, False), ("Allow", False, True), ("Deny", True, True)],
)
def test_nobody_shuts_himself_out_without_saying_so(effect: str, is_confirmed: bool, is_put: bool) -> None:
    guard = Guarded()

    async def scenario(db: DynamoDb) -> str:
        await db("CreateTable", **a_table(sort=None))
        policy = POLICY.replace("Allow", effect)
        put = {"ResourceArn": ARN, "Policy": policy, "ConfirmRemoveSelfResourceAccess": is_confirmed}
        if is_put:
            await db("PutResourcePolicy", **put)
            return ""
        refused = await db.refused("PutResourcePolicy", **put)
        assert isinstance(await db.refused("GetResourcePolicy", ResourceArn=ARN), PolicyNotFoundException)
        return refused.message

    told = on_dynamodb(scenario, authorization=guard)
    assert ("would not allow you to change it" in told) is not is_put
    assert [(one.action, one.resource) for one in guard.asked] == (
        [] if is_confirmed else [("dynamodb:PutResourcePolicy", ARN)]
    )
