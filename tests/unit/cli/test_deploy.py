import pytest

from gatepost.cli.deploy import belongs_here, failure_of
from gatepost.kernel.errors import SettingsError
from gatepost.templates.cloud_assembly import AssemblyStack
from tests.unit.cli.test_output import ADDRESSES

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


def a_stack(**more):
    return AssemblyStack("Shop", "Shop.template.json", "{}", {}, {}, **more)


@pytest.mark.parametrize(
    ("where", "flags"),
    [
        ({}, None),
        ({"account_id": "000000000000", "region": "us-east-1"}, None),
        ({"region": "eu-west-1"}, "start it with --region eu-west-1,"),
        ({"account_id": "123456789012", "region": "eu-west-1"}, "--account-id 123456789012 --region eu-west-1,"),
    ],
)
def test_a_cdk_stack_for_another_region_or_account_is_refused_with_how_to_start_it(where, flags):
    if flags is None:
        assert belongs_here(a_stack(**where), ADDRESSES, is_lenient=False)
        return
    with pytest.raises(SettingsError, match=flags):
        belongs_here(a_stack(**where), ADDRESSES, is_lenient=False)
    assert belongs_here(a_stack(**where), ADDRESSES, is_lenient=True)
