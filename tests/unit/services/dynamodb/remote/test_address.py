import pytest

from gatepost.app.table_service import TableService
from gatepost.config import Settings
from gatepost.kernel.errors import SettingsError
from gatepost.services.dynamodb.remote.address import parse_cluster

KEY = {"GATEPOST_TABLES_ACCESS_KEY_ID": "AKIA1", "GATEPOST_TABLES_SECRET_ACCESS_KEY": "s"}


def parsed(url, environment=KEY):
    return parse_cluster(url, environment, region="us-east-1")


def test_dynamodbs_own_endpoints_name_their_region_and_have_streams_elsewhere():
    cluster = parsed("https://dynamodb.eu-west-1.amazonaws.com")
    assert (cluster.region, cluster.tables.host, cluster.tables.port) == (
        "eu-west-1",
        "dynamodb.eu-west-1.amazonaws.com",
        443,
    )
    assert cluster.streams.host == "streams.dynamodb.eu-west-1.amazonaws.com"
    assert cluster.tables.is_tls


def test_another_cluster_has_one_address_and_the_platforms_region():
    cluster = parsed("http://[::1]:8000/")
    assert cluster.streams == cluster.tables
    assert (cluster.tables.host, cluster.tables.header, cluster.region) == ("::1", "[::1]:8000", "us-east-1")
    assert parsed("https://scylla:443").tables.header == "scylla"


def test_the_own_names_of_the_key_win_over_aws_s():
    environment = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "o", "AWS_SESSION_TOKEN": "t"}
    assert parsed("https://scylla", environment | KEY).credentials.access_key_id == "AKIA1"
    assert parsed("https://scylla", environment).credentials.session_token == "t"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://scylla", "use https://host"),
        ("https://", "use https://host"),
        ("https://scylla:port", "no valid host and port"),
        ("https://key:secret@scylla", "leave the key out of the URL"),
        ("https://scylla/path", "without path and query"),
        ("https://scylla?x=1", "without path and query"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_what_would_be_right(url, words):
    with pytest.raises(SettingsError, match=words):
        parsed(url)


def test_without_a_key_in_the_environment_nothing_starts():
    with pytest.raises(SettingsError, match="GATEPOST_TABLES_ACCESS_KEY_ID"):
        parsed("https://scylla", {"AWS_ACCESS_KEY_ID": "half"})


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
def test_addresses_that_hold_a_machines_credentials_are_no_cluster(host, monkeypatch):
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="machine's credentials"):
        TableService(Settings(tables_url=f"http://{host}"), None, None, clock=None, seal=None, endpoint_url="")
