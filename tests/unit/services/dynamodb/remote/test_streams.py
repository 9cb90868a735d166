from gatepost.awsapi.shapes import ServiceModels
from gatepost.services.dynamodb.absent import REFUSALS
from gatepost.services.dynamodb.remote.streams import RemoteStreams
from gatepost.services.dynamodb.remote.tables import ON_ITEMS, ON_TABLES, RemoteTables


def test_every_operation_of_streams_is_sent_on():
    streams = RemoteStreams(None, None, None, None, region="us-east-1", account_id="000000000000")
    assert set(streams.operations()) == set(ServiceModels().get("dynamodbstreams").operations)


def test_operations_on_more_than_tables_are_not_sent_on():
    tables = RemoteTables(None, None, None, region="us-east-1", account_id="000000000000")
    assert set(tables.operations()) == ON_ITEMS | ON_TABLES
    assert not set(tables.operations()) & set(REFUSALS)
    assert not {"PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"} & set(tables.operations())
