import pytest

from gatepost.cli.endpoint import Addresses, stage_url
from gatepost.cli.output import (
    EventPrinter,
    a_table,
    console,
    notes_of,
    print_endpoints,
    print_outcome,
    print_plan,
    print_status,
    print_table,
)
from gatepost.config import Settings

ADDRESSES = Addresses(
    aws="http://127.0.0.1:4566",
    public="http://127.0.0.1:8080",
    private="http://127.0.0.1:8081",
    tls="https://127.0.0.1:8443",
    region="us-east-1",
    account_id="000000000000",
    supervisor=1,
    durability="full",
    is_ephemeral=False,
)
ADDED = {"Action": "Add", "LogicalResourceId": "Orders", "ResourceType": "AWS::DynamoDB::Table", "Details": []}


def test_a_plan_is_a_table_as_wide_as_what_is_in_it(capsys):
    print_plan("shop", [ADDED], [])
    first, _, row = capsys.readouterr().out.splitlines()
    assert first == "shop: 1 change"
    assert row == "+ add  Orders    AWS::DynamoDB::Table"


def test_a_plan_shows_what_will_not_be_enforced(capsys):
    print_plan("shop", [], ["lenient: t.yaml:3: Resources/A/Properties/B: B: [/x] leave it out"])
    out = capsys.readouterr().out
    assert "warning lenient: t.yaml:3: Resources/A/Properties/B: B: [/x] leave it out\n" in out


@pytest.mark.parametrize("reason", ["log group [/aws/lambda/x] exists", "Parameters: [p] must have values"])
def test_brackets_in_a_reason_stay_as_they_are(capsys, reason):
    EventPrinter()(
        {"LogicalResourceId": "A", "ResourceStatus": "CREATE_FAILED", "Timestamp": 1, "ResourceStatusReason": reason}
    )
    assert reason in capsys.readouterr().out


def test_status_says_where_each_stage_answers(capsys):
    counts = {"count": 0, "4xx": 0, "5xx": 0, "latency_p50_ms": 0.0, "latency_p99_ms": 0.0}
    url = stage_url(ADDRESSES, "a1", "prod")
    print_status(ADDRESSES, {"status": "ready"}, {"apis": [{"api": "shop", "stage": "prod", "url": url, **counts}]})
    assert "http://127.0.0.1:8080/_aws/execute-api/a1/prod" in capsys.readouterr().out


def test_a_deployment_ends_with_outputs_and_addresses(capsys):
    told = {"urls": ["http://127.0.0.1:8080/_aws/y"], "sign_in_urls": ["http://127.0.0.1:8080/_aws/auth/z"]}
    print_outcome({"outputs": {"Table": "shop-Orders-1", "Url": "https://x"}, **told})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Table", "shop-Orders-1"],
        ["Url", "https://x"],
        ["answers", "at", "http://127.0.0.1:8080/_aws/y"],
        ["users", "sign", "in", "at", "http://127.0.0.1:8080/_aws/auth/z"],
    ]


def test_a_platform_without_apis_says_where_they_will_answer(capsys):
    places = {"gateway": ADDRESSES.public, "gateway_private": ADDRESSES.private, "gateway_tls": ADDRESSES.tls}
    print_endpoints({**places, "aws_endpoint": ADDRESSES.aws, "apis": [], "notes": [], "try": []})
    told = capsys.readouterr().out
    for place in ("8080/_aws/execute-api/API_ID/STAGE", "8081/_aws/execute-api/API_ID/STAGE", "8443", "4566"):
        assert f"127.0.0.1:{place}" in told


def test_shared_limits_are_noted_without_the_servers_password(tmp_path):
    notes = notes_of(Settings(data_dir=tmp_path, state_url="valkey://ann:secret@10.0.0.1:6379,10.0.0.2:6379/1"))
    assert "--state: limits are shared at 10.0.0.1:6379,10.0.0.2:6379/1" in "\n".join(notes)
    assert "secret" not in "\n".join(notes)


def test_a_table_in_a_pipe_is_as_wide_as_it_needs_to_be(capsys):
    table = a_table(*(f"A_LONG_COLUMN_{number}" for number in range(20)))
    table.add_row(*("x" * 30 for _ in range(20)))
    print_table(console(), table)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == [f"A_LONG_COLUMN_{number}" for number in range(20)]
    assert row.split() == ["x" * 30] * 20
