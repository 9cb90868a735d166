"""PynamoDB, unmodified: models, indexes, conditions, transactions, batches and time to live as its users write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("pynamodb", reason="shows that data-access code which runs on AWS runs here")

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    TTLAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError, UpdateError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection, LocalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite


class Address(MapAttribute):
    street = UnicodeAttribute()
    city = UnicodeAttribute(null=True)


class ByStatus(GlobalSecondaryIndex):
    class Meta:
        index_name = "by-status"
        projection = AllProjection()

    status = UnicodeAttribute(hash_key=True)
    total = NumberAttribute(range_key=True)


class ByDay(LocalSecondaryIndex):
    class Meta:
        index_name = "by-day"
        projection = KeysOnlyProjection()

    customer = UnicodeAttribute(hash_key=True)
    day = UnicodeAttribute(range_key=True)


@pytest.fixture(scope="module")
def order(platform):
    class Order(Model):
        class Meta:
            table_name = "pynamodb-orders"
            host = platform.aws
            region = "us-east-1"
            billing_mode = "PAY_PER_REQUEST"
            aws_access_key_id = platform.key["access_key_id"]
            aws_secret_access_key = platform.key["secret_access_key"]
            max_retry_attempts = 0

        customer = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        status = UnicodeAttribute(default="NEW")
        day = UnicodeAttribute(null=True)
        total = NumberAttribute(default=0)
        paid = BooleanAttribute(default=False)
        tags = UnicodeSetAttribute(null=True)
        sizes = NumberSetAttribute(null=True)
        lines = ListAttribute(default=list)
        address = Address(null=True)
        proof = BinaryAttribute(null=True, legacy_encoding=False)
        extra = JSONAttribute(null=True)
        at = UTCDateTimeAttribute(null=True)
        until = TTLAttribute(null=True)
        version = VersionAttribute()
        by_status = ByStatus()
        by_day = ByDay()

    Order.create_table(wait=True)
    yield Order
    Order.delete_table()
    assert not Order.exists()


def test_an_item_with_every_kind_of_attribute_comes_back_as_it_went(order):
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    saved = order(
        "all",
        1,
        tags={"a", "b"},
        sizes={1, 2.5},
        lines=["x", 1, {"deep": [True, None]}],
        address=Address(street="Harbour Road", city="Rotterdam"),
        proof=b"\x00\xff",
        extra={"free": ["form"]},
        at=at,
        until=at + timedelta(days=365 * 30),
    )
    saved.save()
    found = order.get("all", 1, consistent_read=True)
    assert found.to_dynamodb_dict() == saved.to_dynamodb_dict()
    assert (found.address.as_dict(), found.at, found.until) == (saved.address.as_dict(), at, saved.until)


def test_conditions_decide_and_versions_lock_optimistically(order):
    order("locked", 1).save()
    with pytest.raises(PutError) as taken:
        order("locked", 1).save(order.customer.does_not_exist())
    assert taken.value.cause_response_code == "ConditionalCheckFailedException"
    first, second = order.get("locked", 1), order.get("locked", 1)
    first.update(actions=[order.total.set(5), order.tags.add({"x"})])
    with pytest.raises(UpdateError):
        second.update(actions=[order.total.set(6)])
    second.refresh()
    second.update(actions=[order.total.set(order.total + 1), order.day.set("2026-11-24")], condition=order.total == 5)
    assert (order.get("locked", 1).total, second.version) == (6, 3)
    second.delete()
    with pytest.raises(DoesNotExist):
        order.get("locked", 1)


def test_queries_and_scans_walk_through_pages_and_indexes(order):
    with order.batch_write() as batch:
        for number in range(60):
            batch.save(
                order("paged", number, status="OPEN" if number % 3 else "DONE", total=number, day=f"{59 - number:02}")
            )
    assert [one.number for one in order.query("paged", order.number.between(10, 19), page_size=3)] == list(
        range(10, 20)
    )
    assert [one.number for one in order.query("paged", scan_index_forward=False, limit=2)] == [59, 58]
    done = order.by_status.query("DONE", order.total >= 30, filter_condition=order.customer == "paged")
    assert [one.number for one in done] == list(range(30, 60, 3))
    assert [one.number for one in order.by_day.query("paged", order.day < "03")] == [59, 58, 57]
    assert order.count("paged", filter_condition=order.status == "DONE") == 20
    pages = order.query("paged", limit=10)
    assert len(list(pages)) == 10
    rest = order.query("paged", last_evaluated_key=pages.last_evaluated_key)
    assert [one.number for one in rest] == list(range(10, 60))
    segments = [list(order.scan(order.customer == "paged", segment=s, total_segments=3)) for s in range(3)]
    assert sorted(one.number for segment in segments for one in segment) == list(range(60))
    found = list(order.batch_get([("paged", number) for number in range(0, 200, 2)]))
    assert sorted(one.number for one in found) == list(range(0, 60, 2))


def test_transactions_are_all_or_nothing(order, platform):
    connection = Connection(
        region="us-east-1",
        host=platform.aws,
        extra_headers=None,
    )
    connection.session.set_credentials(platform.key["access_key_id"], platform.key["secret_access_key"])
    order("both", 1).save()
    with TransactWrite(connection=connection, client_request_token="pynamodb-1") as transaction:
        transaction.save(order("both", 2, total=1))
        transaction.update(order.get("both", 1), actions=[order.total.set(1)])
        transaction.condition_check(order, "both", 3, condition=order.customer.does_not_exist())
    refused = TransactWrite(connection=connection)
    refused.save(order("both", 9))
    refused.delete(order("both", 2), condition=order.total == 99)
    with pytest.raises(TransactWriteError) as cancelled:
        refused._commit()
    codes = [reason and reason.code for reason in cancelled.value.cancellation_reasons]
    assert codes == ["ConditionalCheckFailed", None]  # PynamoDB puts deletions first
    with TransactGet(connection=connection) as transaction:
        futures = [transaction.get(order, "both", number) for number in (1, 2)]
    assert [future.get().total for future in futures] == [1, 1]
    assert order.count("both") == 2


def test_time_to_live_is_enabled_by_the_model(order, platform):
    described = platform.client("dynamodb").describe_time_to_live(TableName=order.Meta.table_name)
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    order.update_ttl(ignore_update_ttl_errors=True)
