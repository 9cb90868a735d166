"""Secrets Manager's operations by the real dispatcher, on real records, under real policies."""

from __future__ import annotations

import asyncio
import json
import re
import string
from dataclasses import replace

import pytest

from gatepost.services.secretsmanager.errors import marked_deleted, not_found
from gatepost.services.secretsmanager.model import DAY_MS, SECRET, VALUE
from gatepost.services.secretsmanager.secrets import SUFFIX_LENGTH
from gatepost.services.secretsmanager.values import VERSIONS_KEPT
from tests.support.policies import ACCOUNT, a_document, a_statement
from tests.support.secrets import TOKENS, with_secrets

NAME = "shop/key"


def test_a_secret_is_made_and_its_value_read(tmp_path):
    async def scenario(world):
        made = await world.secret(
            "CreateSecret", Name=NAME, SecretString="sesame", ClientRequestToken=TOKENS[0], Description="d"
        )
        assert re.fullmatch(
            f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/key-[A-Za-z0-9]{{{SUFFIX_LENGTH}}}", made["ARN"]
        )
        assert made["VersionId"] == TOKENS[0]
        for name in (NAME, made["ARN"], made["ARN"].rpartition("-")[0]):
            value = await world.secret("GetSecretValue", SecretId=name)
            assert value["SecretString"] == "sesame"
            assert (value["Name"], value["VersionId"], value["VersionStages"]) == (NAME, TOKENS[0], ["AWSCURRENT"])
        described = await world.secret("DescribeSecret", SecretId=NAME)
        assert described["Description"] == "d"
        assert described["VersionIdsToStages"] == {TOKENS[0]: ["AWSCURRENT"]}
        assert "SecretString" not in described

    async def after_a_restart(world):
        assert await world.value() == "sesame"

    with_secrets(tmp_path, scenario, after_a_restart)


def test_bytes_come_back_as_bytes(tmp_path):
    async def scenario(world):
        await world.secret("CreateSecret", Name=NAME, SecretBinary=b"\x00\xff", ClientRequestToken=TOKENS[0])
        answer = await world.secret("GetSecretValue", SecretId=NAME)
        assert answer["SecretBinary"] == b"\x00\xff"
        assert "SecretString" not in answer

    with_secrets(tmp_path, scenario)


def test_values_are_sealed_where_they_lie(tmp_path):
    async def scenario(world):
        await world.a_secret(value="open-sesame-please")
        rows = [*await world.records.scan(SECRET), *await world.records.scan(VALUE)]
        assert len(rows) == 2
        assert "open-sesame-please" not in json.dumps([row.value for row in rows])

    with_secrets(tmp_path, scenario)
    assert all(b"open-sesame-please" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_sealed_value_opens_only_where_it_belongs(tmp_path):
    async def scenario(world):
        await world.a_secret("one", "first", token=0)
        await world.a_secret("two", "second", token=1)
        one, two = sorted(await world.records.scan(VALUE), key=lambda row: row.key.id)
        await world.records.put(two.key, one.value, expected_version=None)
        await world.no("DecryptionFailure", "GetSecretValue", SecretId="two")

    with_secrets(tmp_path, scenario)


def test_the_same_request_again_is_answered_alike_and_another_is_refused(tmp_path):
    async def scenario(world):
        arn = await world.a_secret()
        assert await world.a_secret() == arn
        await world.no(
            "ResourceExistsException", "CreateSecret", Name=NAME, SecretString="other", ClientRequestToken=TOKENS[0]
        )
        await world.no("ResourceExistsException", "CreateSecret", Name=NAME)
        put = {"SecretId": NAME, "ClientRequestToken": TOKENS[1]}
        for _ in range(2):
            answer = await world.secret("PutSecretValue", SecretString="new", **put)
            assert (answer["VersionId"], answer["VersionStages"]) == (TOKENS[1], ["AWSCURRENT"])
        await world.no("ResourceExistsException", "PutSecretValue", SecretString="newer", **put)
        assert await world.value() == "new"

    with_secrets(tmp_path, scenario)


def test_a_new_value_is_current_and_the_one_before_it_previous(tmp_path):
    async def scenario(world):
        await world.a_secret(value="one")
        for number in (1, 2):
            await world.secret(
                "PutSecretValue", SecretId=NAME, SecretString=f"v{number}", ClientRequestToken=TOKENS[number]
            )
        assert await world.value() == "v2"
        assert await world.value(VersionStage="AWSPREVIOUS") == "v1"
        assert await world.value(VersionId=TOKENS[0]) == "one"
        await world.no(
            "InvalidRequestException", "GetSecretValue", SecretId=NAME, VersionId=TOKENS[0], VersionStage="AWSCURRENT"
        )
        await world.no("ResourceNotFoundException", "GetSecretValue", SecretId=NAME, VersionStage="AWSPENDING")
        await world.no("ResourceNotFoundException", "GetSecretValue", SecretId=NAME, VersionId=TOKENS[9])
        listed = await world.secret("ListSecretVersionIds", SecretId=NAME)
        assert {one["VersionId"] for one in listed["Versions"]} == {TOKENS[1], TOKENS[2]}
        listed = await world.secret("ListSecretVersionIds", SecretId=NAME, IncludeDeprecated=True)
        assert len(listed["Versions"]) == 3

    with_secrets(tmp_path, scenario)


def test_old_versions_without_a_stage_go_after_a_day_when_there_are_a_hundred(tmp_path):
    async def scenario(world):
        await world.a_secret(value="v")
        for number in range(105):
            token = f"{number:032d}"
            await world.secret("PutSecretValue", SecretId=NAME, SecretString=f"v{number}", ClientRequestToken=token)
        count = len((await world.secret("ListSecretVersionIds", SecretId=NAME, IncludeDeprecated=True))["Versions"])
        assert count == 100  # a page
        world.clock.advance(ms=DAY_MS + 1)
        await world.secret("PutSecretValue", SecretId=NAME, SecretString="last", ClientRequestToken="x" * 32)
        listed = await world.secret("ListSecretVersionIds", SecretId=NAME, IncludeDeprecated=True)
        assert len(listed["Versions"]) == VERSIONS_KEPT
        assert "NextToken" not in listed
        assert await world.value(VersionStage="AWSPREVIOUS") == "v104"

    with_secrets(tmp_path, scenario)


def test_stages_move_only_from_where_the_caller_says_they_are(tmp_path):
    async def scenario(world):
        await world.a_secret(value="one")
        put = {"SecretId": NAME, "SecretString": "two", "ClientRequestToken": TOKENS[1], "VersionStages": ["blue"]}
        await world.secret("PutSecretValue", **put)
        move = {"SecretId": NAME, "VersionStage": "AWSCURRENT", "MoveToVersionId": TOKENS[1]}
        words = await world.no("InvalidParameterException", "UpdateSecretVersionStage", **move)
        assert TOKENS[0] in words
        await world.secret("UpdateSecretVersionStage", **move, RemoveFromVersionId=TOKENS[0])
        assert (await world.value(), await world.value(VersionStage="AWSPREVIOUS")) == ("two", "one")
        gone = {"SecretId": NAME, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": TOKENS[1]}
        await world.no("InvalidParameterException", "UpdateSecretVersionStage", **gone)
        await world.secret("UpdateSecretVersionStage", **(gone | {"VersionStage": "blue"}))
        await world.no("ResourceNotFoundException", "GetSecretValue", SecretId=NAME, VersionStage="blue")

    with_secrets(tmp_path, scenario)


def test_a_deleted_secret_can_be_restored_until_its_window_ends(tmp_path):
    async def scenario(world):
        await world.a_secret()
        answer = await world.secret("DeleteSecret", SecretId=NAME, RecoveryWindowInDays=7)
        assert answer["DeletionDate"] == world.clock.now_ms() + 7 * DAY_MS
        words = await world.no("InvalidRequestException", "GetSecretValue", SecretId=NAME)
        assert words == marked_deleted().message
        assert "DeletedDate" in await world.secret("DescribeSecret", SecretId=NAME)
        assert (await world.secret("ListSecrets"))["SecretList"] == []
        assert len((await world.secret("ListSecrets", IncludePlannedDeletion=True))["SecretList"]) == 1
        await world.no("InvalidRequestException", "CreateSecret", Name=NAME)
        await world.no("InvalidRequestException", "DeleteSecret", SecretId=NAME)
        await world.secret("RestoreSecret", SecretId=NAME)
        assert await world.value() == "sesame"
        await world.secret("DeleteSecret", SecretId=NAME)
        world.clock.advance(ms=30 * DAY_MS - 1)
        await world.secret("DescribeSecret", SecretId=NAME)
        world.clock.advance(ms=1)
        await world.no("ResourceNotFoundException", "DescribeSecret", SecretId=NAME)
        assert await world.secrets.sweep() == 1
        assert await world.records.scan(SECRET) == await world.records.scan(VALUE) == []
        await world.a_secret(value="again")
        assert await world.value() == "again"

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize("days", [6, 31, 0, -1])
def test_the_window_has_7_to_30_days(tmp_path, days):
    async def scenario(world):
        await world.a_secret()
        await world.no("InvalidParameterException", "DeleteSecret", SecretId=NAME, RecoveryWindowInDays=days)
        both = {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True}
        await world.no("InvalidParameterException", "DeleteSecret", SecretId=NAME, **both)

    with_secrets(tmp_path, scenario)


def test_a_forced_deletion_is_at_once_and_never_fails(tmp_path):
    async def scenario(world):
        await world.a_secret()
        for _ in range(2):
            await world.secret("DeleteSecret", SecretId=NAME, ForceDeleteWithoutRecovery=True)
        words = await world.no("ResourceNotFoundException", "GetSecretValue", SecretId=NAME)
        assert words == not_found().message == "Secrets Manager can't find the specified secret."

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Name": "a b"}, "InvalidParameterException"),
        ({"Name": "a", "SecretString": "x"}, "InvalidParameterException"),  # no ClientRequestToken
        ({"Name": "a", "SecretString": "x", "SecretBinary": b"x"}, "InvalidParameterException"),
        ({"Name": "a", "KmsKeyId": "alias/mine"}, "InvalidParameterException"),
        ({"Name": "a", "AddReplicaRegions": [{"Region": "eu-west-1"}]}, "InvalidParameterException"),
        ({"Name": "a", "Type": "Partner"}, "InvalidParameterException"),
        ({"Name": "a", "Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidParameterException"),
        ({"Name": "a", "Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "InvalidParameterException"),
        ({"Name": "a", "SecretString": "x" * 65_537}, "ValidationException"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, params, code):
    async def scenario(world):
        await world.no(code, "CreateSecret", **params)
        assert await world.records.scan(SECRET) == []

    with_secrets(tmp_path, scenario)


def test_tags_and_descriptions_change(tmp_path):
    async def scenario(world):
        await world.a_secret(Tags=[{"Key": "team", "Value": "shop"}])
        await world.secret("TagResource", SecretId=NAME, Tags=[{"Key": "cost", "Value": "1"}])
        await world.secret("UntagResource", SecretId=NAME, TagKeys=["team"])
        answer = await world.secret("UpdateSecret", SecretId=NAME, Description="new")
        assert "VersionId" not in answer
        answer = await world.secret("UpdateSecret", SecretId=NAME, SecretString="v2", ClientRequestToken=TOKENS[1])
        assert answer["VersionId"] == TOKENS[1]
        described = await world.secret("DescribeSecret", SecretId=NAME)
        assert described["Tags"] == [{"Key": "cost", "Value": "1"}]
        assert described["Description"] == "new"
        assert await world.value() == "v2"

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"shop/key", "shop/db", "mail"}),
        ([{"Key": "name", "Values": ["shop/"]}], {"shop/key", "shop/db"}),
        ([{"Key": "name", "Values": ["Shop/"]}], set()),
        ([{"Key": "name", "Values": ["!shop/"]}], {"mail"}),
        ([{"Key": "name", "Values": ["shop/", "mail"]}], {"shop/key", "shop/db", "mail"}),
        ([{"Key": "description", "Values": ["DATA"]}], {"shop/db"}),
        ([{"Key": "tag-key", "Values": ["te"]}], {"shop/key"}),
        ([{"Key": "tag-value", "Values": ["red"]}], {"shop/key"}),
        ([{"Key": "all", "Values": ["shop base"]}], set()),
        ([{"Key": "all", "Values": ["SHOP database"]}], {"shop/db"}),
        ([{"Key": "name", "Values": ["shop"]}, {"Key": "tag-key", "Values": ["team"]}], {"shop/key"}),
    ],
)
def test_lists_are_filtered(tmp_path, filters, expected):
    async def scenario(world):
        await world.a_secret("shop/key", Tags=[{"Key": "team", "Value": "red"}])
        await world.a_secret("shop/db", Description="the database's")
        await world.a_secret("mail")
        listed = await world.secret("ListSecrets", Filters=filters)
        assert {one["Name"] for one in listed["SecretList"]} == expected

    with_secrets(tmp_path, scenario)


def test_lists_are_sorted_and_come_in_pages(tmp_path):
    async def scenario(world):
        for name in ("b", "a", "c"):
            await world.a_secret(name)
            world.clock.advance(ms=1000)

        async def names(**params):
            return [one["Name"] for one in (await world.secret("ListSecrets", **params))["SecretList"]]

        assert await names() == ["c", "a", "b"]
        assert await names(SortOrder="asc") == ["b", "a", "c"]
        assert await names(SortBy="name", SortOrder="asc") == ["a", "b", "c"]
        page = await world.secret("ListSecrets", MaxResults=2)
        assert len(page["SecretList"]) == 2
        assert await names(MaxResults=2, NextToken=page["NextToken"]) == ["b"]
        await world.no("InvalidNextTokenException", "ListSecrets", NextToken="nonsense")

    with_secrets(tmp_path, scenario)


def test_identity_policies_are_asked_with_the_secrets_arn_and_keys(tmp_path):
    async def scenario(world):
        arn = await world.a_secret(Tags=[{"Key": "team", "Value": "shop"}])
        ana = await world.a_user()
        await world.no("AccessDeniedException", "GetSecretValue", ana, SecretId=NAME)
        current = {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT", "aws:ResourceTag/team": "shop"}}
        await world.allow_user(
            "ana", a_statement(action="secretsmanager:GetSecretValue", resource=f"{arn}", Condition=current)
        )
        await world.no("AccessDeniedException", "GetSecretValue", ana, SecretId=NAME)
        answer = await world.secret("GetSecretValue", ana, SecretId=NAME, VersionStage="AWSCURRENT")
        assert answer["SecretString"] == "sesame"
        await world.no("AccessDeniedException", "DescribeSecret", ana, SecretId=NAME)

    with_secrets(tmp_path, scenario)


def test_a_policy_with_six_question_marks_covers_the_secret_that_is_to_be_made(tmp_path):
    async def scenario(world):
        ana = await world.a_user()
        resource = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:shop/key-??????"
        await world.allow_user("ana", a_statement(action="secretsmanager:*", resource=resource))
        await world.secret("CreateSecret", ana, Name=NAME, SecretString="x", ClientRequestToken=TOKENS[0])
        await world.no("AccessDeniedException", "CreateSecret", ana, Name="shop/key2")

    with_secrets(tmp_path, scenario)


def test_a_resource_policy_lets_in_and_keeps_out(tmp_path):
    async def scenario(world):
        await world.a_secret()
        ana = await world.a_user()
        role = await world.a_role()
        policy = a_document(
            a_statement(action="secretsmanager:GetSecretValue", Principal={"AWS": ana.arn}),
            a_statement("Deny", "secretsmanager:DeleteSecret", Principal="*"),
        )
        await world.secret("PutResourcePolicy", SecretId=NAME, ResourcePolicy=policy, BlockPublicPolicy=True)
        assert (await world.secret("GetSecretValue", ana, SecretId=NAME))["SecretString"] == "sesame"
        await world.no("AccessDeniedException", "DeleteSecret", SecretId=NAME)  # root too
        assert (await world.secret("GetResourcePolicy", SecretId=NAME))["ResourcePolicy"] == policy
        await world.secret("DeleteResourcePolicy", SecretId=NAME)
        await world.no("AccessDeniedException", "GetSecretValue", ana, SecretId=NAME)
        assert role

    with_secrets(tmp_path, scenario)


EVERYONE = a_document(a_statement(action="secretsmanager:*", Principal="*"))
OFFICE = a_document(
    a_statement(action="secretsmanager:*", Principal="*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
)


@pytest.mark.parametrize(
    ("policy", "passes", "code"),
    [
        (EVERYONE, False, "PublicPolicyException"),
        (OFFICE, True, ""),
        ("{}", False, "MalformedPolicyDocumentException"),
        ("nonsense", False, "MalformedPolicyDocumentException"),
        (a_document(a_statement("Deny", "secretsmanager:*", Principal="*")), True, ""),
    ],
)
def test_policies_are_validated_before_and_when_they_are_put(tmp_path, policy, passes, code):
    async def scenario(world):
        await world.a_secret()
        answer = await world.secret("ValidateResourcePolicy", SecretId=NAME, ResourcePolicy=policy)
        assert answer["PolicyValidationPassed"] == passes
        assert bool(answer["ValidationErrors"]) != passes
        put = {"SecretId": NAME, "ResourcePolicy": policy, "BlockPublicPolicy": True}
        if code:
            await world.no(code, "PutResourcePolicy", **put)
        else:
            await world.secret("PutResourcePolicy", **put)

    with_secrets(tmp_path, scenario)


def test_a_batch_gives_what_may_be_read_and_tells_what_may_not(tmp_path):
    async def scenario(world):
        one, two = await world.a_secret("one", "1"), await world.a_secret("two", "2")
        assert two
        ana = await world.a_user()
        await world.allow_user(
            "ana",
            a_statement(action="secretsmanager:BatchGetSecretValue"),
            a_statement(action="secretsmanager:GetSecretValue", resource=one),
        )
        answer = await world.secret("BatchGetSecretValue", ana, SecretIdList=["one", "two", "three"])
        assert [value["SecretString"] for value in answer["SecretValues"]] == ["1"]
        assert [(error["SecretId"], error["ErrorCode"]) for error in answer["Errors"]] == [
            ("two", "AccessDeniedException"),
            ("three", "AccessDeniedException"),
        ]
        answer = await world.secret("BatchGetSecretValue", Filters=[{"Key": "name", "Values": ["t"]}])
        assert [value["Name"] for value in answer["SecretValues"]] == ["two"]
        await world.no("InvalidParameterException", "BatchGetSecretValue")
        await world.no("InvalidParameterException", "BatchGetSecretValue", SecretIdList=["one"], MaxResults=1)

    with_secrets(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "pattern"),
    [
        ({}, r"[!-~]{32}"),
        ({"PasswordLength": 4}, r"[!-~]{4}"),
        ({"PasswordLength": 64, "ExcludePunctuation": True}, r"[A-Za-z0-9]{64}"),
        (
            {"PasswordLength": 20, "ExcludeUppercase": True, "ExcludeLowercase": True, "ExcludePunctuation": True},
            r"\d{20}",
        ),
        ({"ExcludeCharacters": string.punctuation + string.ascii_letters}, r"\d{32}"),
        ({"PasswordLength": 1, "RequireEachIncludedType": False}, r"[!-~]"),
        ({"PasswordLength": 5, "IncludeSpace": True}, r"[ -~]{5}"),
    ],
)
def test_random_passwords_are_as_they_were_asked_for(tmp_path, params, pattern):
    async def scenario(world):
        passwords = {(await world.secret("GetRandomPassword", **params))["RandomPassword"] for _ in range(20)}
        assert all(re.fullmatch(pattern, password) for password in passwords)
        assert len(passwords) > 1
        if params in ({}, {"PasswordLength": 4}):
            for alphabet in (string.ascii_uppercase, string.ascii_lowercase, string.digits, string.punctuation):
                assert all(set(alphabet) & set(password) for password in passwords)

    with_secrets(tmp_path, scenario)


def test_impossible_passwords_are_refused(tmp_path):
    async def scenario(world):
        await world.no("InvalidParameterException", "GetRandomPassword", PasswordLength=3)
        await world.no("InvalidParameterException", "GetRandomPassword", ExcludeCharacters=string.printable)

    with_secrets(tmp_path, scenario)


def test_the_day_of_an_access_is_noted(tmp_path):
    async def scenario(world):
        await world.a_secret()
        assert "LastAccessedDate" not in await world.secret("DescribeSecret", SecretId=NAME)
        await world.value()
        accessed = (await world.secret("DescribeSecret", SecretId=NAME))["LastAccessedDate"]
        assert accessed == world.clock.now_ms() // DAY_MS * DAY_MS

    with_secrets(tmp_path, scenario)


def test_changes_of_one_secret_at_the_same_time_wait_for_each_other(tmp_path):
    async def scenario(world):
        await world.a_secret()
        tags = [world.secret("TagResource", SecretId=NAME, Tags=[{"Key": f"k{n}", "Value": ""}]) for n in range(10)]
        await asyncio.gather(*tags, world.value(), world.value())
        assert len((await world.secret("DescribeSecret", SecretId=NAME))["Tags"]) == 10

    with_secrets(tmp_path, scenario)


def test_a_sweep_leaves_a_secret_that_was_made_meanwhile_under_the_same_name(tmp_path):
    async def scenario(world):
        await world.a_secret()
        await world.secret("DeleteSecret", SecretId=NAME)
        world.clock.advance(ms=30 * DAY_MS)
        secrets = world.secrets._secrets
        old = secrets.find(ACCOUNT, "us-east-1", NAME)
        async with secrets.lock(old.account_id, old.region, NAME):
            sweeping = asyncio.ensure_future(world.secrets.sweep())
            await asyncio.sleep(0)
            await secrets.remove(old)
            await secrets.keep(None, replace(old, deleted_at_ms=0, gone_at_ms=0))
        assert await sweeping == 0
        assert len(await world.records.scan(SECRET)) == 1

    with_secrets(tmp_path, scenario)
