"""Fills the catalogue when the stack is created; updates and deletions leave it alone."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from shop.models import searchable
from shop.tables import products

logger = Logger()


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation's request for the custom resource."""
    status, reason, count = "SUCCESS", "", 0
    try:
        if event["RequestType"] == "Create":
            count = fill()
    except Exception as error:
        logger.exception("seeding failed")
        status, reason = "FAILED", f"{type(error).__name__}: {error}"[:1000]
    answer = {
        "Status": status,
        "Reason": reason or f"see the log stream {context.log_stream_name}",
        "PhysicalResourceId": event.get("PhysicalResourceId", "seed-catalogue"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Products": count},
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT", headers={"Content-Type": ""})
    with urllib.request.urlopen(request, timeout=10):
        pass


def fill() -> int:
    """Write the products of products.json and give their number."""
    goods = json.loads(Path(__file__).with_name("products.json").read_text())
    with products().batch_writer() as batch:
        for product in goods:
            batch.put_item(Item={**product, **searchable(product["name"])})
    return len(goods)
