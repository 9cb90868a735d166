"""The grammar of policy documents, and AWS's words for what is wrong."""

import json

import pytest

from gatepost.languages.iam_policy import (
    DOCUMENT_CHARACTERS_MAX,
    REMEMBERED_ACTIONS_MAX,
    SYNTAX_ERRORS,
    CompiledPolicies,
    PolicyError,
    parse_policy,
)
from tests.support.policies import a_document, a_policy, a_statement, a_trust_document


def refusal(text: str, kind: str = "identity") -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, kind)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        "{}",
        '{"Statement": []}',
        '{"Statement": "x"}',
        '{"Statement": [1]}',
        '{"Version": "2012-10-18", "Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*"}]}',
        '{"Version": 2012, "Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*"}]}',
        '{"Versoin": "2012-10-17", "Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*"}]}',
        '{"Id": 5, "Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Effect":"Deny","Action":"a:b","Resource":"*"}]}',
        '{"Statement": [{"Effect":"allow","Action":"a:b","Resource":"*"}]}',
        '{"Statement": [{"Action":"a:b","Resource":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Action":"a:b","NotAction":"a:c","Resource":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*","NotResource":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Action":[1],"Resource":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Action":"a:b","Resource":{"x":1}}]}',
        '{"Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*","Resources":"*"}]}',
        '{"Statement": [{"Effect":"Allow","Action":"a:b","Resource":"*","Sid":5}]}',
        "[" * 100_000,
    ],
)
def test_what_breaks_the_grammar_is_a_syntax_error(text: str) -> None:
    assert refusal(text) == SYNTAX_ERRORS


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (a_statement(action=None), "Policy statement must contain actions."),
        (a_statement(action=[]), "Policy statement must contain actions."),
        (a_statement(resource=None), "Policy statement must contain resources."),
        (a_statement(resource=[]), "Policy statement must contain resources."),
        (
            a_statement(action="PutItem"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (a_statement(action="a:b:c"), "Actions/Condition can contain only one colon."),
        (a_statement(action="a b:c"), "Vendor a b is not valid"),
        (a_statement(resource="table/x"), 'Resource table/x must be in ARN format or "*".'),
        (a_statement(resource="arn:abc:s3:::x"), 'Partition "abc" is not valid for resource "arn:abc:s3:::x".'),
        (a_statement(resource="arn:aws:s3"), "The policy failed legacy parsing"),
        (a_statement(Principal="*"), "Policy document should not specify a principal."),
        (
            a_statement(Sid="a b"),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*",
        ),
        (a_statement(Condition={"StringIs": {"a": "b"}}), "Invalid Condition type : StringIs."),
    ],
)
def test_a_faulty_statement_is_refused_in_awss_words(statement: dict, message: str) -> None:
    assert refusal(a_document(statement)) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Resource": "*"}, "Has prohibited field Resource"),
        ({"Action": "s3:GetObject"}, "AssumeRole policy may only specify STS AssumeRole actions."),
        ({"Colour": "red"}, "Unknown field Colour"),
        ({"Principal": {"AWS": "arn:aws:iam::1:user/x"}}, 'Invalid principal in policy: "AWS":"arn:aws:iam::1:user/x"'),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}, None),
        ({"Principal": {"Person": "x"}}, 'Invalid principal in policy: "Person"'),
        ({"Principal": {}}, None),
        ({"Principal": "x"}, None),
        ({"Principal": {"Service": "lambda"}}, 'Invalid principal in policy: "Service":"lambda"'),
    ],
)
def test_a_faulty_trust_policy_is_refused_in_awss_words(changes: dict, message: str | None) -> None:
    text = refusal(a_trust_document(**changes), "trust")
    assert text == message if message else text.startswith("Invalid principal in policy")


@pytest.mark.parametrize("missing", ["Effect", "Principal", "Action"])
def test_a_trust_policy_names_the_field_that_is_missing(missing: str) -> None:
    document = json.loads(a_trust_document())
    del document["Statement"][0][missing]
    assert refusal(json.dumps(document), "trust") == f"Missing required field {missing}"


def test_sids_are_unique_in_a_document() -> None:
    assert "must be unique" in refusal(a_document(a_statement(Sid="A"), a_statement(Sid="A")))


def test_a_document_has_a_bound() -> None:
    assert "longer than" in refusal(" " * (DOCUMENT_CHARACTERS_MAX + 1))


def test_characters_outside_latin_1_are_refused() -> None:
    assert refusal(a_document(a_statement()).replace("Orders", "x") + "\u2603")


def test_a_single_statement_needs_no_list() -> None:
    assert len(parse_policy(json.dumps({"Statement": a_statement()}), "identity").statements) == 1


def test_a_statement_is_called_by_its_sid_or_its_place() -> None:
    policy = a_policy(a_statement(), a_statement(Sid="Second"))
    assert [statement.label for statement in policy.statements] == ["0", "Second"]


def test_services_have_their_own_resource_forms_in_resource_policies() -> None:
    statement = a_statement(action="execute-api:Invoke", resource="execute-api:/prod/GET/x", Principal="*")
    assert parse_policy(a_document(statement), "resource").statements
    assert refusal(a_document(statement | {"Principal": None}))


@pytest.mark.parametrize(
    ("actions", "action", "expected"),
    [
        ("*", "dynamodb:putitem", True),
        ("dynamodb:PutItem", "dynamodb:putitem", True),
        ("DynamoDB:putITEM", "dynamodb:putitem", True),
        ("dynamodb:*Item", "dynamodb:putitem", True),
        ("dynamodb:*Item", "dynamodb:query", False),
        ("dynamodb:?utItem", "dynamodb:putitem", True),
        ("*:PutItem", "dynamodb:putitem", True),
        ("dynamo*:PutItem", "dynamodb:putitem", True),
        ("s3:*", "dynamodb:putitem", False),
        (["s3:*", "dynamodb:Put*"], "dynamodb:putitem", True),
    ],
)
def test_actions_match_without_regard_to_case(actions: object, action: str, expected: bool) -> None:
    (statement,) = a_policy(a_statement(action=actions)).statements
    assert statement.names_action(action) is expected
    (opposite,) = a_policy(a_statement(action=None, NotAction=actions)).statements
    assert opposite.names_action(action) is not expected


def test_a_policy_tells_which_condition_keys_it_reads() -> None:
    policy = a_policy(
        a_statement(
            resource="arn:aws:s3:::b/${aws:username}",
            Condition={"StringEquals": {"aws:RequestedRegion": "${aws:PrincipalTag/region}"}, "Null": {"a:B": "true"}},
        )
    )
    assert policy.keys_read() == {"aws:username", "aws:requestedregion", "aws:principaltag/region", "a:b"}


def test_compiled_policies_are_kept_and_bounded() -> None:
    compiled = CompiledPolicies(count_max=2)
    documents = [a_document(a_statement(Sid=f"S{n}")) for n in range(3)]
    first = compiled.get(documents[0], "identity")
    assert compiled.get(documents[0], "identity") is first
    compiled.get(documents[1], "identity")
    compiled.get(documents[2], "identity")
    assert compiled.get(documents[0], "identity") is not first


def test_a_document_cannot_pass_for_another_kind() -> None:
    compiled = CompiledPolicies()
    compiled.get(a_document(a_statement()), "identity")
    with pytest.raises(PolicyError):
        compiled.get(a_document(a_statement()), "resource")


def test_remembered_actions_are_bounded() -> None:
    policy = a_policy()
    for n in range(REMEMBERED_ACTIONS_MAX + 10):
        assert len(policy.about(f"dynamodb:a{n}", is_allow=True)) == 1
        assert policy.about(f"dynamodb:a{n}", is_allow=False) == ()
    assert len(policy._about) == REMEMBERED_ACTIONS_MAX
