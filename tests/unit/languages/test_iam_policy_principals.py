"""How a Principal element names a subject."""

import pytest

from gatepost.languages.iam_policy_principals import Grant, Subject, parse_principals
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, ROLE_ARN, ROOT, SESSION, SESSION_ARN, USER, USER_ARN

LAMBDA = Subject("service", ACCOUNT, "lambda.amazonaws.com", service="lambda.amazonaws.com")
ANYONE = Subject("anonymous", "", "")


@pytest.mark.parametrize(
    ("principal", "subject", "grant"),
    [
        ("*", USER, Grant.DIRECT),
        ("*", ANYONE, Grant.DIRECT),
        ({"AWS": "*"}, SESSION, Grant.DIRECT),
        ({"AWS": USER_ARN}, USER, Grant.DIRECT),
        ({"AWS": [ROLE_ARN, USER_ARN]}, USER, Grant.DIRECT),
        ({"AWS": "AIDAEXAMPLEEXAMPLE"}, USER, Grant.NONE),
        ({"AWS": USER_ARN}, SESSION, Grant.NONE),
        ({"AWS": ROLE_ARN}, SESSION, Grant.ROLE),
        ({"AWS": SESSION_ARN}, SESSION, Grant.DIRECT),
        ({"AWS": SESSION_ARN.replace("s1", "s2")}, SESSION, Grant.NONE),
        ({"AWS": ACCOUNT}, USER, Grant.ACCOUNT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, SESSION, Grant.ACCOUNT),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ROOT, Grant.DIRECT),
        ({"AWS": OTHER_ACCOUNT}, USER, Grant.NONE),
        ({"AWS": USER_ARN}, ANYONE, Grant.NONE),
        ({"Service": "lambda.amazonaws.com"}, LAMBDA, Grant.DIRECT),
        ({"Service": "apigateway.amazonaws.com"}, LAMBDA, Grant.NONE),
        ({"AWS": ACCOUNT}, LAMBDA, Grant.NONE),
        ({"Service": "lambda.amazonaws.com"}, USER, Grant.NONE),
        ({"Federated": "cognito-identity.amazonaws.com"}, USER, Grant.NONE),
    ],
)
def test_a_principal_names_a_subject_by_its_closest_name(principal: object, subject: Subject, grant: Grant) -> None:
    named = parse_principals({"Principal": principal}, is_trust=False)
    assert named is not None
    assert named.grant(subject) is grant


def test_an_allow_with_not_principal_is_for_everyone_who_is_not_listed() -> None:
    others = parse_principals({"NotPrincipal": {"AWS": [USER_ARN]}}, is_trust=False)
    assert others is not None
    assert others.grant(USER) is Grant.NONE
    assert others.grant(SESSION) is Grant.DIRECT
    assert others.grant(Subject("user", OTHER_ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:user/x")) is Grant.DIRECT


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
@pytest.mark.parametrize(
    ("listed", "subject", "is_denied"),
    [
        ([USER_ARN, ACCOUNT], USER, False),
        ([USER_ARN], USER, True),  # its account is not listed
        ([ACCOUNT], USER, True),  # the account's root user only
        ([f"arn:aws:iam::{ACCOUNT}:user/bob", ACCOUNT], USER, True),
        ([ACCOUNT], ROOT, False),
        ([SESSION_ARN, ROLE_ARN, ACCOUNT], SESSION, False),
        ([ROLE_ARN, ACCOUNT], SESSION, True),
        ([SESSION_ARN, ACCOUNT], SESSION, True),
        (["*"], USER, False),
        ([USER_ARN, ACCOUNT], LAMBDA, True),
        ([USER_ARN, ACCOUNT], ANYONE, True),
    ],
)
def test_a_deny_with_not_principal_spares_only_who_is_listed_wholly(
    listed: list[str], subject: Subject, is_denied: bool
) -> None:
    others = parse_principals({"NotPrincipal": {"AWS": listed}}, is_trust=False)
    assert others is not None
    assert others.denies(subject) is is_denied


def test_a_statement_without_principal_has_none() -> None:
    assert parse_principals({}, is_trust=False) is None
