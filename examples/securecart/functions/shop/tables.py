"""The tables, made once for each execution environment."""

import os
from functools import cache
from typing import Any

import boto3


@cache
def dynamodb() -> Any:
    """Give the DynamoDB resource."""
    return boto3.resource("dynamodb")


def products() -> Any:
    """Give the products' table: by productId; indexes byCategory and byName."""
    return dynamodb().Table(os.environ["PRODUCTS_TABLE"])


def carts() -> Any:
    """Give the carts' table: by customerId and productId."""
    return dynamodb().Table(os.environ["CARTS_TABLE"])


def orders() -> Any:
    """Give the orders' table: by customerId and orderId."""
    return dynamodb().Table(os.environ["ORDERS_TABLE"])


def products_by_id(product_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Read up to 100 products at once; those that are gone are missing from the answer."""
    wanted = [{"productId": product_id} for product_id in product_ids]
    found: dict[str, dict[str, Any]] = {}
    while wanted:
        name = products().name
        answer = dynamodb().batch_get_item(RequestItems={name: {"Keys": wanted, "ConsistentRead": True}})
        found |= {item["productId"]: item for item in answer["Responses"].get(name, [])}
        wanted = answer["UnprocessedKeys"].get(name, {}).get("Keys", [])
    return found
