"""Secrets read by way of Parameter Store, with both services' permissions."""

from __future__ import annotations

import json
from typing import Any

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.security.sealing import Seal
from gatepost.services.ssm.provider import SsmProvider
from gatepost.services.ssm.secret_references import PREFIX
from tests.support.identities import SEAL_KEY
from tests.support.policies import ACCOUNT, a_statement
from tests.support.secrets import TOKENS, SecretsWorld, with_secrets


class Late:
    """Operations that reach the dispatcher which is made after them."""

    def __init__(self) -> None:
        self.dispatcher: Any = None

    async def invoke(self, *arguments: Any, **options: Any) -> Any:
        return await self.dispatcher.invoke(*arguments, **options)


def joined(world: SecretsWorld) -> None:
    late = Late()
    parameters = SsmProvider(world.records, Seal(SEAL_KEY), late)
    providers = (world.iam, world.sts, world.secrets, parameters)
    world.dispatcher = late.dispatcher = Dispatcher(
        providers, authorization=world.authorizer, clock=world.clock, account_id=ACCOUNT, region="us-east-1"
    )


def test_a_reference_gives_the_secret_at_a_version_or_stage(tmp_path: Any) -> None:
    async def scenario(world: SecretsWorld) -> None:
        joined(world)
        arn = await world.a_secret("shop/key", "one")
        await world.secret("PutSecretValue", SecretId="shop/key", SecretString="two", ClientRequestToken=TOKENS[1])
        name = f"{PREFIX}shop/key"
        got = (await world.do("GetParameter", service="ssm", Name=name, WithDecryption=True))["Parameter"]
        assert (got["Name"], got["Type"], got["Value"], got["Version"]) == (name, "SecureString", "two", 0)
        assert got["ARN"] == arn
        source = json.loads(got["SourceResult"])
        assert (source["Name"], source["SecretString"], source["VersionId"]) == ("shop/key", "two", TOKENS[1])
        for selector in ("AWSPREVIOUS", TOKENS[0]):
            asked = {"Name": f"{name}:{selector}", "WithDecryption": True}
            old = (await world.do("GetParameter", service="ssm", **asked))["Parameter"]
            assert (old["Value"], old["Selector"]) == ("one", f":{selector}")
        several = await world.do("GetParameters", service="ssm", Names=[name, f"{PREFIX}none"], WithDecryption=True)
        assert [one["Value"] for one in several["Parameters"]] == ["two"]
        assert several["InvalidParameters"] == [f"{PREFIX}none"]

    with_secrets(tmp_path, scenario)


def test_a_reference_needs_decryption_a_secret_and_both_permissions(tmp_path: Any) -> None:
    async def scenario(world: SecretsWorld) -> None:
        joined(world)
        await world.a_secret("shop/key")
        name = f"{PREFIX}shop/key"
        told = await world.refused("ValidationException", "GetParameter", service="ssm", Name=name)
        assert told == "WithDecryption flag must be True for retrieving a Secret Manager secret."
        none = {"Name": f"{PREFIX}none", "WithDecryption": True}
        told = await world.refused("ParameterNotFound", "GetParameter", service="ssm", **none)
        assert told.endswith(f"Secret {PREFIX}none not found.")
        ana = await world.a_user("ana")
        await world.allow_user("ana", a_statement(action="ssm:GetParameter", resource="*"))
        asked = {"Name": name, "WithDecryption": True}
        told = await world.refused("AccessDeniedException", "GetParameter", ana, service="ssm", **asked)
        assert "secretsmanager:GetSecretValue" in told
        await world.allow_user(
            "ana", a_statement(action="secretsmanager:GetSecretValue", resource="*"), policy="secrets"
        )
        assert (await world.do("GetParameter", ana, service="ssm", **asked))["Parameter"]["Value"] == "sesame"

    with_secrets(tmp_path, scenario)
