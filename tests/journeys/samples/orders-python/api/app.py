"""Orders over HTTP, with Powertools: a request that is sent twice is done once."""

import json
import os
import uuid

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent

logger = Logger()
orders = boto3.resource("dynamodb").Table(os.environ["ORDERS"])
counts = boto3.resource("dynamodb").Table(os.environ["COUNTS"])
layer = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY"])
config = IdempotencyConfig(
    event_key_jmespath="powertools_json(body).[customer, reference]",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=3600,
)


def answer(status, content):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(content, default=str),
    }


@logger.inject_lambda_context
@idempotent(config=config, persistence_store=layer)
def place(event, context):
    order = {**json.loads(event["body"]), "id": str(uuid.uuid4())}
    orders.put_item(Item=order)
    logger.info("placed", extra={"order": order["id"]})
    return answer(201, order)


def get(event, context):
    if "product" in event["pathParameters"]:
        found = counts.get_item(Key={"id": event["pathParameters"]["product"]}, ConsistentRead=True).get("Item")
    else:
        found = orders.get_item(Key={"id": event["pathParameters"]["id"]}).get("Item")
    return answer(200, found) if found else answer(404, {"message": "Not found"})
