"""Orders: a cart becomes an order in one transaction that also takes the goods off the shelf."""

import hashlib
import time
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError, ServiceError
from aws_lambda_powertools.logging import correlation_paths
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError
from shop.callers import check_customer
from shop.models import now_iso, order_out
from shop.paging import read_cursor, read_limit, write_cursor
from shop.tables import carts, dynamodb, orders, products, products_by_id

LINES_MAX = 45  # a line is two writes, and a transaction has at most 100

logger = Logger()
app = APIGatewayRestResolver(cors=CORSConfig())


@app.post("/customers/<customer_id>/orders")
def place_order(customer_id: str) -> Response:
    """Order what is in the cart. The same Idempotency-Key gives the same order, however often it is sent."""
    check_customer(app.current_event, customer_id)
    order_id = _order_id(customer_id, app.current_event.headers.get("Idempotency-Key"))
    if (item := _find(customer_id, order_id)) is not None:
        return _created(item)
    lines = _lines(customer_id)
    item = {
        "customerId": customer_id,
        "orderId": order_id,
        "status": "PLACED",
        "placedAt": now_iso(),
        "lines": lines,
        "totalCents": sum(line["quantity"] * line["priceCents"] for line in lines),
    }
    try:
        dynamodb().meta.client.transact_write_items(TransactItems=_writes(item))
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        reasons = [reason.get("Code") for reason in error.response["CancellationReasons"]]
        if reasons[0] == "ConditionalCheckFailed" and (first := _find(customer_id, order_id)) is not None:
            return _created(first)  # the same request, sent twice at once
        raise ServiceError(409, _explain(lines, reasons)) from error
    logger.info("order placed", extra={"orderId": order_id, "totalCents": item["totalCents"]})
    return _created(item)


@app.get("/customers/<customer_id>/orders")
def list_orders(customer_id: str) -> dict[str, Any]:
    """List a customer's orders, the newest first."""
    check_customer(app.current_event, customer_id)
    query = {
        "KeyConditionExpression": Key("customerId").eq(customer_id),
        "ScanIndexForward": False,
        "Limit": read_limit(app.current_event.get_query_string_value("limit")),
    }
    if start := read_cursor(app.current_event.get_query_string_value("cursor")):
        if start.get("customerId") != customer_id:
            raise BadRequestError("cursor is not one that this API gave for this list")
        query["ExclusiveStartKey"] = start
    found = orders().query(**query)
    return {
        "orders": [order_out(item) for item in found["Items"]],
        "cursor": write_cursor(found.get("LastEvaluatedKey")),
    }


@app.get("/customers/<customer_id>/orders/<order_id>")
def get_order(customer_id: str, order_id: str) -> dict[str, Any]:
    """Show one order."""
    check_customer(app.current_event, customer_id)
    return order_out(_get(customer_id, order_id))


@app.post("/customers/<customer_id>/orders/<order_id>/cancel")
def cancel_order(customer_id: str, order_id: str) -> dict[str, Any]:
    """Cancel an order that was placed and put the goods back."""
    check_customer(app.current_event, customer_id)
    item = _get(customer_id, order_id)
    cancel = {
        "TableName": orders().name,
        "Key": {"customerId": customer_id, "orderId": order_id},
        "UpdateExpression": "SET #status = :cancelled, cancelledAt = :now",
        "ConditionExpression": "#status = :placed",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":cancelled": "CANCELLED", ":placed": "PLACED", ":now": now_iso()},
    }
    sold = products_by_id([line["productId"] for line in item["lines"]])
    back = [{"Update": _restock(line)} for line in item["lines"] if line["productId"] in sold]
    try:
        dynamodb().meta.client.transact_write_items(TransactItems=[{"Update": cancel}, *back])
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise
        raise ServiceError(409, f"Order {order_id} cannot be cancelled any more") from error
    logger.info("order cancelled", extra={"orderId": order_id})
    return order_out(_get(customer_id, order_id))


def _order_id(customer_id: str, idempotency_key: str | None) -> str:
    """Make an id that sorts by time; a key given by the client fixes it."""
    if idempotency_key is None:
        return f"o{time.time_ns() // 1_000_000:013d}{time.time_ns() % 1_000_000:06d}"
    if not 8 <= len(idempotency_key) <= 100:
        raise BadRequestError("Idempotency-Key has 8 to 100 characters")
    return "k" + hashlib.sha256(f"{customer_id}\0{idempotency_key}".encode()).hexdigest()[:24]


def _lines(customer_id: str) -> list[dict[str, Any]]:
    """Price the cart. Raises: BadRequestError when it is empty or too long or a product is gone."""
    cart = carts().query(
        KeyConditionExpression=Key("customerId").eq(customer_id), ConsistentRead=True, Limit=LINES_MAX + 1
    )["Items"]
    if not cart:
        raise BadRequestError("The cart is empty")
    if len(cart) > LINES_MAX:
        raise BadRequestError(f"An order has at most {LINES_MAX} lines")
    found = products_by_id([line["productId"] for line in cart])
    if gone := [line["productId"] for line in cart if line["productId"] not in found]:
        raise BadRequestError(f"No longer sold: {', '.join(gone)}")
    return [
        {
            "productId": line["productId"],
            "name": found[line["productId"]]["name"],
            "quantity": int(line["quantity"]),
            "priceCents": int(found[line["productId"]]["priceCents"]),
        }
        for line in cart
    ]


def _writes(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Say what must happen together: the order, and for each line goods off the shelf and line out of the cart."""
    order = {"TableName": orders().name, "Item": item, "ConditionExpression": "attribute_not_exists(orderId)"}
    taken = [{"Update": _take(line)} for line in item["lines"]]
    emptied = [
        {
            "Delete": {
                "TableName": carts().name,
                "Key": {"customerId": item["customerId"], "productId": line["productId"]},
                "ConditionExpression": "quantity = :quantity",
                "ExpressionAttributeValues": {":quantity": line["quantity"]},
            }
        }
        for line in item["lines"]
    ]
    return [{"Put": order}, *taken, *emptied]


def _take(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": products().name,
        "Key": {"productId": line["productId"]},
        "UpdateExpression": "SET stock = stock - :quantity",
        "ConditionExpression": "stock >= :quantity AND priceCents = :price",
        "ExpressionAttributeValues": {":quantity": line["quantity"], ":price": line["priceCents"]},
    }


def _restock(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "TableName": products().name,
        "Key": {"productId": line["productId"]},
        "UpdateExpression": "SET stock = stock + :quantity",
        "ConditionExpression": "attribute_exists(productId)",
        "ExpressionAttributeValues": {":quantity": line["quantity"]},
    }


def _explain(lines: list[dict[str, Any]], reasons: list[str | None]) -> str:
    short = [line["name"] for line, reason in zip(lines, reasons[1:], strict=False) if reason != "None"]
    if short:
        return f"Not enough in stock, or the price has changed: {', '.join(short)}"
    return "The cart was changed at the same moment: look at it and order again"


def _find(customer_id: str, order_id: str) -> dict[str, Any] | None:
    key = {"customerId": customer_id, "orderId": order_id}
    return orders().get_item(Key=key, ConsistentRead=True).get("Item")


def _get(customer_id: str, order_id: str) -> dict[str, Any]:
    item = _find(customer_id, order_id)
    if item is None:
        raise NotFoundError(f"Customer {customer_id} has no order {order_id}")
    return item


def _created(item: dict[str, Any]) -> Response:
    location = f"/customers/{item['customerId']}/orders/{item['orderId']}"
    return Response(
        status_code=201, content_type="application/json", body=order_out(item), headers={"Location": location}
    )


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of the API."""
    return app.resolve(event, context)
