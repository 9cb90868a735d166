from __future__ import annotations

import pytest

from gatepost.gateway.mapping import compile_source
from gatepost.gateway.route import StageFacts
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.support import (
    ANY,
    CONTEXT_VARIABLES,
    TEMPLATE_BYTES_MAX,
    UNSUPPORTED,
    check_context,
    check_supported,
    check_template,
    check_template_size,
    is_template_variable,
)


@pytest.mark.parametrize(("setting", "value"), sorted(UNSUPPORTED))
def test_each_line_of_the_table_refuses_and_says_what_works(setting: str, value: str) -> None:
    given: object = {"true": True, ANY: "anything"}.get(value, value)
    with pytest.raises(BadRequestException) as refused:
        check_supported(setting, given)
    assert refused.value.message.startswith(f"Gatepost does not support {setting}")
    assert refused.value.message.endswith(UNSUPPORTED[setting, value])


@pytest.mark.parametrize("nothing", [None, False, "", {}, [], ()])
def test_what_says_nothing_is_not_refused(nothing: object) -> None:
    for setting, _ in UNSUPPORTED:
        check_supported(setting, nothing)


def test_a_value_that_works_is_not_refused() -> None:
    check_supported("type", "MOCK")
    check_supported("authorizationType", "AWS_IAM")


def test_zero_is_a_value() -> None:
    with pytest.raises(BadRequestException):
        check_supported("webAclArn", 0)


@pytest.mark.parametrize("name", sorted(CONTEXT_VARIABLES))
def test_the_gateway_knows_each_context_variable_that_is_let_in(name: str) -> None:
    check_context(name)
    assert compile_source(f"context.{name}", StageFacts("000000000000", "us-east-1", "api1", "shop", "prod", "d1"))


@pytest.mark.parametrize(
    "template",
    [
        '{"statusCode": 200}',
        "costs $5, # a heading",
        '#set($a = $input.path("$"))$a.b',
        "$context.identity.sourceIp $context.authorizer.claims.sub",
        "#foreach($name in $context.identity.keySet())$name#end",
        "#set($context.responseOverride.status = 201)$context.stage",
    ],
)
def test_a_template_that_can_be_rendered_is_let_in(template: str) -> None:
    check_template("requestTemplates", "application/json", template)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a\n#if($x)", "Invalid mapping template specified: requestTemplates for a/b: "),
        ("$context.routeKey", "does not support context.routeKey yet"),
        ("$context.stageName", "does not support context.stageName yet"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_refused(template: str, words: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        check_template("requestTemplates", "a/b", template)
    assert words in refused.value.message


@pytest.mark.parametrize("name", ["identity", "identity.sourceIp", "authorizer.claims.sub", "stage"])
def test_names_of_groups_and_members_are_template_variables(name: str) -> None:
    assert is_template_variable(name)


@pytest.mark.parametrize("name", ["", "identity.shoe", "stages", "integration.status"])
def test_other_names_are_not(name: str) -> None:
    assert not is_template_variable(name)


def test_a_template_has_at_most_300_kb() -> None:
    check_template_size("requestTemplates", "a/b", "x" * TEMPLATE_BYTES_MAX)
    with pytest.raises(BadRequestException, match="at most 307200 bytes"):
        check_template_size("requestTemplates", "a/b", "x" * (TEMPLATE_BYTES_MAX + 1))
