"""Payments: the card processor charges what an order costs, once, whatever clients send and however often.

The processor knows an order by one key of ours, so it charges it once at most. Meanwhile the order is PAYING and cannot
be cancelled; a card that is refused makes it PLACED again. One that waits for a processor that did not answer stays
PAYING: whoever asks again learns what came of it.
"""

import hashlib
import json
import os
import urllib.error
import urllib.request
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError, ServiceError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parser import ValidationError, parse
from botocore.exceptions import ClientError
from shop.callers import check_customer
from shop.models import PaymentIn
from shop.tables import orders

PROCESSOR_TIMEOUT_S = 5
KEY_REMEMBERED_S = 300

logger = Logger()
app = APIGatewayRestResolver(cors=CORSConfig())


@app.post("/customers/<customer_id>/orders/<order_id>/payment")
def pay(customer_id: str, order_id: str) -> Response:
    """Pay for an order of one's own: the amount is the order's total. The same key is charged once."""
    check_customer(app.current_event, customer_id)
    key = _idempotency_key(app.current_event.headers.get("Idempotency-Key", ""))
    try:
        payment = parse(event=app.current_event.body or "{}", model=PaymentIn)
    except ValidationError as error:
        raise BadRequestError("A payment has a card and amountCents") from error
    order = Order(customer_id, order_id)
    order.check(payment.amountCents)
    is_ours = order.begin(key)
    status, charge = _charge(payment, order)
    if status == 201:
        order.settle(charge["id"], key)
    elif status in (402, 409):
        if is_ours:
            order.let_go()
    else:
        logger.error("the card processor does not understand us", extra={"status": status})
        raise ServiceError(502, "The payment could not be made")
    logger.info("payment", extra={"orderId": order_id, "status": status})
    return Response(status_code=status, content_type="application/json", body=json.dumps(charge))


class Order:
    """An order that is being paid."""

    def __init__(self, customer_id: str, order_id: str) -> None:
        self.key = {"customerId": customer_id, "orderId": order_id}

    @property
    def processor_key(self) -> str:
        """Give the key under which the processor charges this order, once."""
        return hashlib.sha256("\0".join(self.key.values()).encode()).hexdigest()

    def check(self, amount_cents: int) -> None:
        """Check that there is such an order and that it costs this. Raises: ServiceError 404, 409."""
        item = self._read()
        if item is None:
            raise NotFoundError(f"Customer {self.key['customerId']} has no order {self.key['orderId']}")
        if amount_cents != item["totalCents"]:
            raise ServiceError(409, f"The order costs {item['totalCents']} cents")

    def begin(self, key: str) -> bool:
        """Keep the order from being cancelled; say whether this request was the first to. Raises: ServiceError 409."""
        if self._move("PLACED", "PAYING"):
            return True
        item = self._read() or {}
        if item.get("status") == "PAYING" or (item.get("status") == "PAID" and item.get("paymentKey") == key):
            return False
        raise ServiceError(409, "The order was cancelled, or is paid already")

    def settle(self, charge_id: str, key: str) -> None:
        """Note that the order is paid, and by whose key; a refused card may have made it PLACED meanwhile."""
        for status in ("PAYING", "PLACED"):
            if self._move(status, "PAID", chargeId=charge_id, paymentKey=key):
                return

    def let_go(self) -> None:
        """Let the order be paid otherwise, or cancelled."""
        self._move("PAYING", "PLACED")

    def _read(self) -> dict[str, Any] | None:
        return orders().get_item(Key=self.key, ConsistentRead=True).get("Item")

    def _move(self, old: str, new: str, **more: str) -> bool:
        """Move the order from one status to another, unless it has moved already."""
        sets = ["#status = :new", *(f"{name} = :{name}" for name in more)]
        try:
            orders().update_item(
                Key=self.key,
                UpdateExpression=f"SET {', '.join(sets)}",
                ConditionExpression="#status = :old",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":old": old, ":new": new, **{f":{name}": more[name] for name in more}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _idempotency_key(key: str) -> str:
    if not 8 <= len(key) <= 100:
        raise BadRequestError("Idempotency-Key has 8 to 100 characters")
    return key


def _charge(payment: PaymentIn, order: Order) -> tuple[int, dict[str, Any]]:
    """Ask the card processor; give its status and answer. Raises: ServiceError 504 when it does not answer."""
    secret = parameters.get_secret(os.environ["PAYMENT_SECRET"], transform="json", max_age=KEY_REMEMBERED_S)
    charge = {"card": payment.card, "amountCents": payment.amountCents, "reference": order.key["orderId"]}
    request = urllib.request.Request(
        os.environ["PAYMENT_URL"].rstrip("/") + "/v1/charges",
        data=json.dumps(charge).encode(),
        headers={
            "Authorization": f"Bearer {secret['key']}",
            "Content-Type": "application/json",
            "Idempotency-Key": order.processor_key,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=PROCESSOR_TIMEOUT_S) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")
    except (OSError, ValueError) as error:
        logger.exception("the card processor does not answer")
        raise ServiceError(
            504, "The card processor does not answer: ask again with the same Idempotency-Key"
        ) from error


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request of API Gateway."""
    return app.resolve(event, context)
