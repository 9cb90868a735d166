"""Counts orders from the table's stream, with Powertools' batch utility: what fails is tried again alone."""

import os

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

logger = Logger()
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
counts = boto3.resource("dynamodb").Table(os.environ["COUNTS"])
seen = {}
counted = set()  # what follows a failed record comes again with it


def count(record: DynamoDBRecord):
    order = record.dynamodb.new_image
    if order["id"] in counted:
        return
    seen[order["id"]] = seen.get(order["id"], 0) + 1
    if order["product"] == "flaky" and seen[order["id"]] == 1:
        raise RuntimeError("the first try of a flaky order fails")
    counts.update_item(
        Key={"id": order["product"]},
        UpdateExpression="ADD orders :one, tries :tries",
        ExpressionAttributeValues={":one": 1, ":tries": seen[order["id"]]},
    )
    counted.add(order["id"])


def handler(event, context):
    return process_partial_response(event=event, record_handler=count, processor=processor, context=context)
