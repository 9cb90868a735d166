from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control


async def some_arns(control: Control) -> list[str]:
    api = await control.an_api(tags={"a": "1"})
    await control.a_method(api)
    deployment = await control("CreateDeployment", restApiId=api["id"])
    named = {"restApiId": api["id"], "stageName": "prod", "deploymentId": deployment["id"]}
    await control("CreateStage", **named, tags={"a": "1"})
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api['id']}"
    return [arn, f"{arn}/stages/prod"]


def test_apis_and_stages_are_tagged_and_untagged(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        for arn in await some_arns(control):
            await control("TagResource", resourceArn=arn, tags={"a": "2", "b": "3"})
            assert await control("GetTags", resourceArn=arn) == {"tags": {"a": "2", "b": "3"}}
            await control("UntagResource", resourceArn=arn, tagKeys=["a", "nothing"])
            assert await control("GetTags", resourceArn=arn) == {"tags": {"b": "3"}}

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("arn", "error"),
    [
        ("nonsense", BadRequestException),
        ("arn:aws:lambda:us-east-1::/restapis/a", BadRequestException),
        ("arn:aws:apigateway:eu-west-1::/restapis/a", BadRequestException),
        ("arn:aws:apigateway:us-east-1::/usageplans/a", NotFoundException),
        ("arn:aws:apigateway:us-east-1::/restapis/a", NotFoundException),
        ("arn:aws:apigateway:us-east-1::/restapis/a/stages/b", NotFoundException),
    ],
)
def test_what_is_not_there_cannot_be_tagged(tmp_path, arn: str, error: type[Exception]) -> None:
    async def scenario(control: Control) -> None:
        for operation, more in (
            ("TagResource", {"tags": {"a": "1"}}),
            ("UntagResource", {"tagKeys": ["a"]}),
            ("GetTags", {}),
        ):
            with pytest.raises(error):
                await control(operation, resourceArn=arn, **more)

    with_control(tmp_path, scenario)


def test_the_51st_tag_is_refused(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        arn = (await some_arns(control))[0]
        await control("TagResource", resourceArn=arn, tags={f"t{i}": "" for i in range(49)})
        with pytest.raises(BadRequestException, match="Too many tags"):
            await control("TagResource", resourceArn=arn, tags={"more": ""})

    with_control(tmp_path, scenario)


def test_the_gateway_learns_of_a_stages_tags(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        arn = (await some_arns(control))[1]
        await control("TagResource", resourceArn=arn, tags={"a": "2"})
        assert {each.key: each.value for each in await control.provider.published()} == control.changes.held
        ((_, told),) = control.changes.held.items()
        assert told["stage"]["tags"] == {"a": "2"}

    with_control(tmp_path, scenario)
