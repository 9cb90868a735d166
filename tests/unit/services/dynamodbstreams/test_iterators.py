"""Shard iterators come back as they went."""

from gatepost.services.dynamodbstreams.iterators import ShardIterator, parse_iterator


def test_an_iterator_comes_back_as_it_went() -> None:
    at = ShardIterator("arn:aws:dynamodb:us-east-1:000000000000:table/things/stream/2025-01-01T00:00:00.000", 3, 7, 9)
    assert parse_iterator(at.to_text()) == at
