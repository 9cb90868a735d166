import pytest

from gatepost.cli.deploy import failure_of

STACK = "AWS::CloudFormation::Stack"


@pytest.mark.parametrize(
    ("status", "kind", "reason", "said"),
    [
        ("CREATE_FAILED", "AWS::IAM::Role", "no such policy", "A (AWS::IAM::Role): no such policy"),
        ("CREATE_FAILED", "AWS::IAM::Role", "Resource creation cancelled", ""),
        (
            "UPDATE_ROLLBACK_IN_PROGRESS",
            STACK,
            "Export a-T cannot be updated as it is in use by b",
            "Export a-T cannot",
        ),
        ("ROLLBACK_IN_PROGRESS", STACK, "The following resource(s) failed to create: [A].", ""),
        ("DELETE_IN_PROGRESS", STACK, "User Initiated", ""),
        ("CREATE_COMPLETE", "AWS::IAM::Role", "", ""),
    ],
)
def test_a_failed_deployment_says_what_was_wrong_and_not_what_followed_from_it(status, kind, reason, said):
    event = {
        "LogicalResourceId": "A",
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }
    assert failure_of(event).startswith(said)
    assert bool(failure_of(event)) == bool(said)
