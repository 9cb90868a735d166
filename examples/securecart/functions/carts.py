"""Carts: what a customer means to buy, priced as of now."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.parser import ValidationError, parse
from boto3.dynamodb.conditions import Key
from shop.callers import check_customer
from shop.models import QuantityIn, now_iso
from shop.tables import carts, products, products_by_id

logger = Logger()
app = APIGatewayRestResolver(cors=CORSConfig())


@app.get("/customers/<customer_id>/cart")
def show_cart(customer_id: str) -> dict[str, Any]:
    """Show a cart with today's prices; what is no longer sold is left out."""
    check_customer(app.current_event, customer_id)
    lines = carts().query(KeyConditionExpression=Key("customerId").eq(customer_id), Limit=90)["Items"]
    found = products_by_id([line["productId"] for line in lines])
    shown = [
        {
            "productId": line["productId"],
            "name": product["name"],
            "quantity": int(line["quantity"]),
            "priceCents": int(product["priceCents"]),
            "inStock": product["stock"] >= line["quantity"],
        }
        for line in lines
        if (product := found.get(line["productId"])) is not None
    ]
    total_cents = sum(line["quantity"] * line["priceCents"] for line in shown)
    return {"customerId": customer_id, "lines": shown, "totalCents": total_cents}


@app.put("/customers/<customer_id>/cart/<product_id>")
def put_line(customer_id: str, product_id: str) -> dict[str, Any]:
    """Have this many of a product in the cart, however many there were."""
    check_customer(app.current_event, customer_id)
    try:
        wanted = parse(event=app.current_event.body or "{}", model=QuantityIn)
    except ValidationError as error:
        raise BadRequestError("quantity is a number from 1 to 99") from error
    if "Item" not in products().get_item(Key={"productId": product_id}, ProjectionExpression="productId"):
        raise NotFoundError(f"There is no product {product_id}")
    carts().put_item(
        Item={
            "customerId": customer_id,
            "productId": product_id,
            "quantity": wanted.quantity,
            "changedAt": now_iso(),
        }
    )
    return show_cart(customer_id)


@app.delete("/customers/<customer_id>/cart/<product_id>")
def remove_line(customer_id: str, product_id: str) -> Response:
    """Take a product out of the cart; it need not be there."""
    check_customer(app.current_event, customer_id)
    carts().delete_item(Key={"customerId": customer_id, "productId": product_id})
    return Response(status_code=204)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of the API."""
    return app.resolve(event, context)
