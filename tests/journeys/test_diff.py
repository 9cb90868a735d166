"""`gatepost diff` changes nothing: neither a stack that others are about to create, nor what is left of one."""

import pytest

from tests.support.platform import gatepost, start_platform

GOOD = "Resources: {Logs: {Type: AWS::Logs::LogGroup}}\n"
BAD = "Resources: {Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: 'no good name'}}}\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = start_platform(tmp_path_factory.mktemp("diff") / "data", "--durability", "process")
    yield running
    running.stop()


def diff(platform, tmp_path, name):
    (tmp_path / "template.yaml").write_text(GOOD)
    return gatepost("diff", str(tmp_path), "--stack-name", name, "--data", str(platform.data))


def test_a_diff_of_a_new_stack_leaves_none(platform, tmp_path):
    assert "+ add" in diff(platform, tmp_path, "new").stdout
    assert platform.client("cloudformation").describe_stacks()["Stacks"] == []


def test_a_diff_leaves_a_stack_under_review_with_its_change_sets(platform, tmp_path):
    cloudformation = platform.client("cloudformation")
    ours = {"StackName": "reviewed", "ChangeSetName": "ours"}
    cloudformation.create_change_set(**ours, ChangeSetType="CREATE", TemplateBody=GOOD)
    assert "+ add" in diff(platform, tmp_path, "reviewed").stdout
    assert cloudformation.describe_change_set(**ours)["ExecutionStatus"] == "AVAILABLE"
    cloudformation.delete_stack(StackName="reviewed")


def test_a_diff_leaves_what_is_left_of_a_stack_that_failed(platform, tmp_path):
    cloudformation = platform.client("cloudformation")
    cloudformation.create_stack(StackName="failed", TemplateBody=BAD)
    with pytest.raises(Exception, match="ROLLBACK_COMPLETE"):
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName="failed", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
    ended = diff(platform, tmp_path, "failed")
    assert (ended.returncode, "gatepost delete failed" in ended.stderr) == (1, True)
    assert cloudformation.describe_stacks(StackName="failed")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"


def test_a_parameter_given_once_is_kept_until_another_is_given(platform, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(
        "Parameters:\n  Days: {Type: Number, Default: 1}\nResources:\n  G:\n    Type: AWS::Logs::LogGroup\n"
        "    Properties: {LogGroupName: kept, RetentionInDays: !Ref Days}\n"
    )

    def days_after(*arguments):
        told = gatepost("deploy", str(template), "--stack-name", "kept", "--data", str(platform.data), *arguments)
        assert told.returncode == 0, told.stderr
        (group,) = platform.client("logs").describe_log_groups(logGroupNamePrefix="kept")["logGroups"]
        return group["retentionInDays"]

    seen = [days_after(), days_after("--parameter", "Days=7"), days_after(), days_after("--parameter", "Days=3")]
    assert seen == [1, 7, 7, 3]
