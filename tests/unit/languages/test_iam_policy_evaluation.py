"""The order in which policies decide, in one account and across two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.iam_policy import deny_everything
from gatepost.languages.iam_policy_evaluation import Decision, Policies, decide
from gatepost.languages.iam_policy_principals import Subject
from tests.support.policies import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE_ARN,
    ROOT,
    SESSION,
    SESSION_ARN,
    TABLE_ARN,
    USER,
    USER_ARN,
    a_policy,
    a_question,
    a_resource_policy,
    a_statement,
)

ALLOW = a_policy(name="allow")
DENY = a_policy(a_statement("Deny", Sid="No"), name="deny")
NEEDS_TLS = {"Bool": {"aws:SecureTransport": "true"}}
SILENT = a_policy(a_statement(action="s3:*"), name="silent")


def answer(policies: Policies, subject: Subject = USER, **changes: object) -> Decision:
    return decide(a_question(subject, **changes), policies)


def verdict(policies: Policies, subject: Subject = USER, **changes: object) -> tuple[bool, str]:
    decision = answer(policies, subject, **changes)
    return decision.is_allowed, decision.layer


def test_nothing_is_allowed_by_default() -> None:
    assert verdict(Policies()) == (False, "identity-based policy")


def test_an_allow_of_an_identity_policy_is_enough_and_is_named() -> None:
    decision = answer(Policies(identity=(SILENT, ALLOW)))
    assert (decision.is_allowed, decision.policy, decision.statement) == (True, "allow", "0")


def test_a_deny_wins_over_any_allow_and_is_named() -> None:
    decision = answer(Policies(identity=(ALLOW, DENY)))
    assert (decision.is_allowed, decision.is_explicit) == (False, True)
    assert (decision.policy, decision.statement) == ("deny", "No")


@pytest.mark.parametrize(
    ("policies", "layer"),
    [
        (Policies(identity=(ALLOW,), boundary=DENY), "permissions boundary"),
        (Policies(identity=(ALLOW,), session=(DENY,)), "session policy"),
        (Policies(identity=(ALLOW,), resource=a_resource_policy("*", "Deny")), "resource-based policy"),
    ],
)
def test_a_deny_in_any_layer_is_final(policies: Policies, layer: str) -> None:
    assert verdict(policies) == (False, layer)
    assert verdict(policies, SESSION) == (False, layer)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(identity=(ALLOW,), boundary=ALLOW), (True, "identity-based policy")),
        (Policies(identity=(ALLOW,), boundary=SILENT), (False, "permissions boundary")),
        (Policies(identity=(SILENT,), boundary=ALLOW), (False, "identity-based policy")),
        (Policies(identity=(ALLOW,), session=(SILENT, ALLOW)), (True, "identity-based policy")),
        (Policies(identity=(ALLOW,), session=(SILENT,)), (False, "session policy")),
        (Policies(identity=(ALLOW,), session=()), (False, "session policy")),
        (Policies(identity=(ALLOW,), boundary=ALLOW, session=(SILENT,)), (False, "session policy")),
    ],
)
def test_boundary_and_session_policies_only_narrow(policies: Policies, expected: tuple[bool, str]) -> None:
    assert verdict(policies, SESSION) == expected


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
@pytest.mark.parametrize(
    ("principal", "subject", "policies", "is_allowed"),
    [
        # a user's ARN: neither identity policy nor boundary limits it
        ({"AWS": USER_ARN}, USER, Policies(), True),
        ({"AWS": USER_ARN}, USER, Policies(boundary=SILENT), True),
        # a role's ARN: boundary and session policies limit it, identity policies do not
        ({"AWS": ROLE_ARN}, SESSION, Policies(), True),
        ({"AWS": ROLE_ARN}, SESSION, Policies(boundary=SILENT), False),
        ({"AWS": ROLE_ARN}, SESSION, Policies(session=(SILENT,)), False),
        ({"AWS": ROLE_ARN}, SESSION, Policies(boundary=ALLOW, session=(ALLOW,)), True),
        # a role session's ARN: nothing limits it
        ({"AWS": SESSION_ARN}, SESSION, Policies(boundary=SILENT, session=(SILENT,)), True),
        # everyone
        ("*", USER, Policies(boundary=SILENT), True),
        # the account: its own policies decide
        ({"AWS": ACCOUNT}, USER, Policies(), False),
        ({"AWS": ACCOUNT}, USER, Policies(identity=(ALLOW,)), True),
        # someone else
        ({"AWS": OTHER_ACCOUNT}, USER, Policies(), False),
        ({"AWS": OTHER_ACCOUNT}, USER, Policies(identity=(ALLOW,)), True),
    ],
)
def test_a_resource_policy_in_one_account(
    principal: object, subject: Subject, policies: Policies, is_allowed: bool
) -> None:
    asked = Policies(policies.identity, policies.boundary, policies.session, a_resource_policy(principal))
    assert answer(asked, subject).is_allowed is is_allowed


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_strongest_grant_of_several_counts(order: tuple[int, int]) -> None:
    grants = (a_statement(Principal={"AWS": ACCOUNT}), a_statement(Principal={"AWS": USER_ARN}))
    resource = a_policy(*(grants[place] for place in order), kind="resource")
    assert answer(Policies(resource=resource)).statement == str(order.index(1))


@pytest.mark.parametrize(
    ("principal", "identity", "expected"),
    [
        (None, (ALLOW,), (False, "resource-based policy")),
        ({"AWS": ACCOUNT}, (ALLOW,), (True, "identity-based policy")),
        ({"AWS": ACCOUNT}, (), (False, "identity-based policy")),
        ({"AWS": USER_ARN}, (ALLOW,), (True, "identity-based policy")),
        ({"AWS": USER_ARN}, (), (False, "identity-based policy")),
        ("*", (), (False, "identity-based policy")),
        ({"AWS": OTHER_ACCOUNT}, (ALLOW,), (False, "resource-based policy")),
    ],
)
def test_across_accounts_both_sides_must_allow(principal: object, identity: tuple, expected: tuple[bool, str]) -> None:
    resource = None if principal is None else a_resource_policy(principal)
    policies = Policies(identity=identity, resource=resource)
    assert verdict(policies, account_id=OTHER_ACCOUNT) == expected


def test_root_may_do_everything_in_its_account_but_what_a_resource_denies() -> None:
    assert verdict(Policies(), ROOT) == (True, "root")
    assert verdict(Policies(resource=a_resource_policy("*", "Deny")), ROOT) == (False, "resource-based policy")
    assert not answer(Policies(), ROOT, account_id=OTHER_ACCOUNT).is_allowed
    granted = Policies(resource=a_resource_policy({"AWS": ACCOUNT}))
    assert answer(granted, ROOT, account_id=OTHER_ACCOUNT).is_allowed


def test_services_and_strangers_have_only_the_resources_policy() -> None:
    service = Subject("service", ACCOUNT, "x.amazonaws.com", service="apigateway.amazonaws.com")
    stranger = Subject("anonymous", "", "")
    for subject, principal in ((service, {"Service": "apigateway.amazonaws.com"}), (stranger, "*")):
        assert not answer(Policies(identity=(ALLOW,)), subject).is_allowed
        assert answer(Policies(resource=a_resource_policy(principal)), subject).is_allowed
        assert not answer(Policies(resource=a_resource_policy({"AWS": ACCOUNT})), subject).is_allowed


@pytest.mark.parametrize(
    ("principal", "identity", "expected"),
    [
        ({"AWS": USER_ARN}, (), (True, "role trust policy")),
        ({"AWS": ACCOUNT}, (ALLOW,), (False, "identity-based policy")),
        ({"AWS": ACCOUNT}, (a_policy(a_statement(action="sts:*")),), (True, "identity-based policy")),
        ({"Service": "lambda.amazonaws.com"}, (a_policy(a_statement(action="*")),), (False, "role trust policy")),
    ],
)
def test_a_trust_policy_must_always_allow(principal: object, identity: tuple, expected: tuple[bool, str]) -> None:
    statement = a_statement(action="sts:AssumeRole", resource=None, Principal=principal)
    policies = Policies(identity=identity, resource=a_policy(statement, kind="trust"), is_trust=True)
    assert verdict(policies, action="sts:AssumeRole", resource=ROLE_ARN) == expected


def test_root_is_not_trusted_because_it_is_root() -> None:
    statement = a_statement(action="sts:AssumeRole", resource=None, Principal={"AWS": USER_ARN})
    policies = Policies(resource=a_policy(statement, kind="trust"), is_trust=True)
    assert verdict(policies, ROOT, action="sts:AssumeRole", resource=ROLE_ARN) == (False, "role trust policy")


def test_a_policy_that_is_gone_allows_nothing() -> None:
    assert not answer(Policies(identity=(ALLOW,), boundary=deny_everything())).is_allowed


@pytest.mark.parametrize(
    ("statement", "keys", "is_allowed", "is_constant"),
    [
        (a_statement(), {}, True, True),
        (a_statement(resource="arn:aws:s3:::x"), {}, False, True),
        (a_statement(action="s3:*", Condition=NEEDS_TLS), {}, False, True),
        (a_statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), {}, False, False),
        (
            a_statement(Condition={"Bool": {"aws:SecureTransport": "true"}}),
            {"aws:securetransport": "true"},
            True,
            False,
        ),
        (a_statement(resource="arn:aws:s3:::x", Condition={"Null": {"a:b": "true"}}), {}, False, True),
        (a_statement(Condition={"StringEquals": {"aws:username": "ana"}}), {"aws:username": "ana"}, True, True),
        (a_statement(Condition={"StringEquals": {"aws:PrincipalTag/a": "b"}}), {}, False, True),
        (a_statement(resource=TABLE_ARN.replace("Orders", "${aws:username}")), {"aws:username": "Orders"}, True, True),
        (a_statement(resource=TABLE_ARN.replace("Orders", "${a:b}")), {"a:b": "Orders"}, True, False),
    ],
)
def test_a_decision_knows_whether_it_looked_at_the_request(
    statement: dict, keys: dict, is_allowed: bool, is_constant: bool
) -> None:
    decision = answer(Policies(identity=(a_policy(statement),)), keys=keys)
    assert (decision.is_allowed, decision.is_constant) == (is_allowed, is_constant)


def test_not_resource_with_a_variable_without_a_value_allows_nothing_and_denies() -> None:
    allow = a_policy(a_statement(resource=None, NotResource="arn:aws:s3:::${a:b}"))
    assert not answer(Policies(identity=(allow,))).is_allowed
    deny = a_policy(a_statement("Deny", resource=None, NotResource="arn:aws:s3:::${a:b}"))
    assert answer(Policies(identity=(ALLOW, deny))).is_explicit


# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
@pytest.mark.parametrize(
    ("policies", "end"),
    [
        (Policies(), "because no identity-based policy allows the dynamodb:PutItem action"),
        (Policies(identity=(DENY,)), "with an explicit deny in an identity-based policy"),
        (
            Policies(identity=(ALLOW,), boundary=SILENT),
            "because no permissions boundary allows the dynamodb:PutItem action",
        ),
        (Policies(boundary=DENY), "with an explicit deny in a permissions boundary"),
        (Policies(identity=(ALLOW,), session=()), "because no session policy allows the dynamodb:PutItem action"),
        (Policies(resource=a_resource_policy("*", "Deny")), "with an explicit deny in a resource-based policy"),
    ],
)
def test_a_refusal_is_awss_sentence(policies: Policies, end: str) -> None:
    said = answer(policies).sentence(USER_ARN, "dynamodb:PutItem", TABLE_ARN)
    assert said == f"User: {USER_ARN} is not authorized to perform: dynamodb:PutItem on resource: {TABLE_ARN} {end}"


def test_a_refusal_does_not_speak_of_every_resource() -> None:
    said = answer(Policies()).sentence(USER_ARN, "dynamodb:ListTables", "*")
    assert said.startswith(f"User: {USER_ARN} is not authorized to perform: dynamodb:ListTables because no")


# The evaluator beside a naive model: every layer says allow, deny or nothing.
SAYS = st.sampled_from(["allow", "deny", ""])
PRINCIPALS = st.sampled_from(["*", {"AWS": USER_ARN}, {"AWS": ROLE_ARN}, {"AWS": SESSION_ARN}, {"AWS": ACCOUNT}])


def layer_policy(says: str):
    return {"allow": ALLOW, "deny": DENY, "": SILENT}[says]


@given(
    identity=SAYS,
    boundary=st.none() | SAYS,
    session=st.none() | SAYS,
    resource=SAYS,
    principal=PRINCIPALS,
    subject=st.sampled_from([USER, SESSION]),
    is_own_account=st.booleans(),
)
def test_the_evaluator_agrees_with_a_naive_model(
    identity, boundary, session, resource, principal, subject, is_own_account
) -> None:
    names_account = principal == {"AWS": ACCOUNT}
    names_role = principal == {"AWS": ROLE_ARN} and subject is SESSION
    names_directly = principal in ("*", {"AWS": subject.arn})
    is_named = names_account or names_role or names_directly
    limits = [says for says in (boundary, session) if says is not None]
    within_limits = all(says == "allow" for says in limits)
    own = identity == "allow" and within_limits
    granted = resource == "allow" and is_named
    if "deny" in (identity, *limits) or (resource == "deny" and is_named):
        expected = False
    elif not is_own_account:
        expected = granted and own
    else:
        expected = own or (granted and (names_directly or (names_role and within_limits)))

    statement = a_statement("Deny" if resource == "deny" else "Allow", Principal=principal)
    if not resource:
        statement["Action"] = "s3:*"
    policies = Policies(
        identity=(layer_policy(identity),),
        boundary=None if boundary is None else layer_policy(boundary),
        session=None if session is None else (layer_policy(session),),
        resource=a_policy(statement, kind="resource"),
    )
    account = ACCOUNT if is_own_account else OTHER_ACCOUNT
    assert answer(policies, subject, account_id=account).is_allowed is expected
