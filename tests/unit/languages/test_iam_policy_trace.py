"""Why decisions come out as they do: statements, the values that were seen, and what would have allowed it."""

from __future__ import annotations

from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_trace import Evidence, JointEvidence
from tests.support.policies import ACCOUNT, TABLE_ARN, USER, a_policy, a_statement

PUT = "dynamodb:PutItem"


def evidence(*statements, keys=None, resource=TABLE_ARN, name="writers"):
    question = Question(USER, PUT, resource, ACCOUNT, keys or {})
    return Evidence(question, Policies((a_policy(*statements, name=name),)))


OFFICE = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}


def test_a_condition_that_nearly_held_is_what_would_have_allowed_it():
    told = evidence(a_statement(Sid="Office", Condition=OFFICE), keys={"aws:sourceip": "198.51.100.7"}).explain()
    assert told["allowed"] is False
    assert told["decidedBy"] == "no identity-based policy allows it"
    assert told["statements"] == [
        {
            "layer": "identity-based policy",
            "policy": "writers",
            "statement": "Office",
            "effect": "Allow",
            "applies": False,
            "failed": ["Condition IpAddress aws:sourceip"],
            "conditions": [
                {
                    "key": "aws:sourceip",
                    "holds": False,
                    "operator": "IpAddress",
                    "wanted": ["192.0.2.0/24"],
                    "seen": "198.51.100.7",
                }
            ],
        }
    ]
    assert told["wouldHaveAllowed"] == (
        "statement Office of writers would allow it if aws:sourceip IpAddress 192.0.2.0/24 (seen: 198.51.100.7)"
    )


def test_a_deny_is_named_whatever_else_allows():
    told = evidence(a_statement(), a_statement("Deny", Sid="Never")).explain()
    assert told["decidedBy"] == "statement Never of writers (identity-based policy)"
    assert told["wouldHaveAllowed"] == "statement Never of writers denies it whatever else allows it"


def test_where_nothing_is_near_the_missing_statement_is_said():
    told = evidence(a_statement(action="s3:*")).explain()
    assert told["statements"] == []
    assert told["wouldHaveAllowed"] == f"an Allow for {PUT} on {TABLE_ARN} in an identity-based policy"


def test_a_resource_that_does_not_fit_is_said():
    told = evidence(a_statement(resource=f"{TABLE_ARN}2")).explain()
    assert told["statements"][0]["failed"] == ["Resource"]


def test_what_is_allowed_needs_nothing():
    told = evidence(a_statement(Sid="All")).explain()
    assert (told["allowed"], told["wouldHaveAllowed"]) == (True, "")
    assert told["decidedBy"] == "statement All of writers (identity-based policy)"


def test_an_external_id_is_never_shown():
    condition = {"StringEquals": {"sts:ExternalId": "sesame"}}
    told = evidence(a_statement(Condition=condition), keys={"sts:externalid": "guess"}).explain()
    assert "sesame" not in str(told)
    assert "guess" not in str(told)


def test_the_explanation_agrees_with_the_decision():
    for statements in ((a_statement(),), (a_statement("Deny"),), (a_statement(action="s3:*"),)):
        one = evidence(*statements)
        assert one.explain()["allowed"] == decide(one.question, one.policies).is_allowed


def test_of_two_questions_a_deny_in_either_is_what_counts():
    allows, denies = evidence(a_statement()), evidence(a_statement("Deny", Sid="No"), name="guard")
    told = JointEvidence((allows, denies)).explain()
    assert told["allowed"] is False
    assert "statement No of guard denies it" in told["wouldHaveAllowed"]
    assert len(told["statements"]) == 2
