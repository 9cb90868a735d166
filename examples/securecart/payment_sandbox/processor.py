"""A card processor for trying things out. What happens depends on the card's token:

    card_ok          approved                       card_declined   402, declined by the bank
    card_no_funds    402, not enough money          card_slow       approved, but only after 20 s
    any other        402, no such card

The same Idempotency-Key with the same charge gives the first answer again; with another charge it is refused.
"""

import hashlib
import hmac
import json
import os
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError

AMOUNT_MAX_CENTS = 10_000_00
REMEMBERED_SECONDS = 24 * 3600
SLOW_SECONDS = 20
REFUSALS = {"card_declined": "The bank declined", "card_no_funds": "Not enough money on this card"}

charges = boto3.resource("dynamodb").Table(os.environ["CHARGES_TABLE"])


def answer(status: int, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Make a response of a Lambda proxy integration."""
    return {"statusCode": status, "headers": {"Content-Type": "application/json", **headers}, "body": json.dumps(body)}


def refuse(status: int, code: str, message: str) -> dict[str, Any]:
    """Make an error as this processor writes them."""
    return answer(status, {"error": {"code": code, "message": message}})


def is_known_caller(headers: dict[str, str]) -> bool:
    """Say whether the caller shows the merchant's key."""
    shown = headers.get("authorization", "")
    return hmac.compare_digest(shown.encode(), f"Bearer {os.environ['MERCHANT_KEY']}".encode())


def problem_with(charge: object) -> str:
    """Say what is wrong with a charge; empty when nothing is."""
    if not isinstance(charge, dict):
        return "a charge is a JSON object"
    amount = charge.get("amountCents")
    if type(amount) is not int or not 1 <= amount <= AMOUNT_MAX_CENTS:
        return f"amountCents is a whole number from 1 to {AMOUNT_MAX_CENTS}"
    for name in ("card", "reference"):
        if not isinstance(charge.get(name), str) or not 1 <= len(charge[name]) <= 64:
            return f"{name} has 1 to 64 characters"
    return ""


def create_charge(headers: dict[str, str], body: str) -> dict[str, Any]:
    """Charge a card, once for each Idempotency-Key."""
    key = headers.get("idempotency-key", "")
    if not 8 <= len(key) <= 100:
        return refuse(400, "idempotency_key", "Idempotency-Key has 8 to 100 characters")
    try:
        charge = json.loads(body or "")
    except ValueError:
        return refuse(400, "invalid", "the body is not JSON")
    if problem := problem_with(charge):
        return refuse(400, "invalid", problem)
    charge_id = "ch_" + hashlib.sha256(key.encode()).hexdigest()[:24]
    wanted = {name: charge[name] for name in ("amountCents", "card", "reference")}
    if (known := find_charge(charge_id)) is not None:
        return replay(known, wanted)
    if charge["card"] == "card_slow":
        time.sleep(SLOW_SECONDS)
    elif charge["card"] != "card_ok":
        return refuse(402, charge["card"], REFUSALS.get(charge["card"], "There is no such card"))
    item = {"chargeId": charge_id, "status": "succeeded", **wanted, "expiresAt": int(time.time()) + REMEMBERED_SECONDS}
    try:
        charges.put_item(Item=item, ConditionExpression="attribute_not_exists(chargeId)")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return replay(charges.get_item(Key={"chargeId": charge_id}, ConsistentRead=True)["Item"], wanted)
    return answer(201, shown(item))


def replay(known: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Answer a charge that was seen before."""
    if any(known[name] != value for name, value in wanted.items()):
        return refuse(409, "idempotency_key_reused", "This Idempotency-Key belongs to another charge")
    return answer(201, shown(known), **{"Idempotent-Replayed": "true"})


def find_charge(charge_id: str) -> dict[str, Any] | None:
    """Give a charge, or None."""
    return charges.get_item(Key={"chargeId": charge_id}, ConsistentRead=True).get("Item")


def shown(item: dict[str, Any]) -> dict[str, Any]:
    """Give a charge as clients see it."""
    return {
        "id": item["chargeId"],
        "status": item["status"],
        "amountCents": int(item["amountCents"]),
        "reference": item["reference"],
    }


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request to the function's URL."""
    del context
    if not is_known_caller(event["headers"]):
        return refuse(401, "unauthorized", "Authorization is not the merchant's key")
    method, path = event["requestContext"]["http"]["method"], event["rawPath"]
    if (method, path) == ("POST", "/v1/charges"):
        return create_charge(event["headers"], event.get("body", ""))
    if method == "GET" and path.startswith("/v1/charges/"):
        found = find_charge(path.removeprefix("/v1/charges/"))
        if found is not None:
            return answer(200, shown(found))
        return refuse(404, "no_such_charge", "There is no such charge")
    return refuse(404, "unknown_path", "There are POST /v1/charges and GET /v1/charges/{id}")
