import pytest

from gatepost.services.dynamodb.model import ResourceNotFoundException
from gatepost.services.dynamodb.remote.names import Names

OURS = "arn:aws:dynamodb:us-east-1:000000000000:table/"
THEIRS = "arn:aws:dynamodb:eu-west-1:111122223333:table/"


def some_names():
    names = Names(region="us-east-1", account_id="000000000000")
    names.learn("orders", THEIRS + "orders")
    return names


def test_arns_of_tables_indexes_streams_and_backups_go_there_and_back():
    names = some_names()
    for rest in ("orders", "orders/stream/2026-11-24T00:00:00.000", "orders/backup/01-ab", "gone/backup/01-ab"):
        assert names.to_cluster({"StreamArn": OURS + rest}) == {"StreamArn": THEIRS + rest}
        assert names.to_caller({"A": [{"TableArn": THEIRS + rest}]}) == {"A": [{"TableArn": OURS + rest}]}


def test_what_names_no_table_of_ours_is_not_sent_on():
    names = some_names()
    for text in (THEIRS + "orders", "arn:aws:dynamodb:us-east-1:999999999999:table/orders"):
        with pytest.raises(ResourceNotFoundException):
            names.to_cluster({"ResourceArn": text})
    with pytest.raises(ResourceNotFoundException):
        Names(region="us-east-1", account_id="000000000000").to_cluster({"ResourceArn": OURS + "orders"})


def test_texts_that_are_no_arns_of_tables_stay_as_they_are():
    names = some_names()
    assert names.to_cluster({"StreamArn": "S1234", "TableName": OURS}) == {"StreamArn": "S1234", "TableName": OURS}
    assert names.to_caller({"StreamArn": "S1234", "KmsArn": "arn:aws:kms:x:y:key/z"}) == {
        "StreamArn": "S1234",
        "KmsArn": "arn:aws:kms:x:y:key/z",
    }
    names.learn("odd", "no arn of a table")
    assert not names.knows("odd")
