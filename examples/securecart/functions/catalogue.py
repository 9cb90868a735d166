"""The catalogue: listed by category, found by the beginning of a name, managed by vendors."""

import uuid
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.parser import ValidationError, parse
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from shop.callers import check_vendor
from shop.models import ProductIn, product_out, searchable
from shop.paging import read_cursor, read_limit, write_cursor
from shop.tables import products

logger = Logger()
app = APIGatewayRestResolver(cors=CORSConfig())


@app.get("/partners/products")
@app.get("/products")
def list_products() -> dict[str, Any]:
    """List one category by name, page by page."""
    category = app.current_event.get_query_string_value("category")
    if not category:
        raise BadRequestError("category is missing: /products?category=coffee")
    return _page("byCategory", Key("category").eq(category))


@app.get("/products/search")
def search_products() -> dict[str, Any]:
    """Find products whose name begins with a prefix, in any case."""
    prefix = (app.current_event.get_query_string_value("prefix") or "").lower().strip()
    if not 1 <= len(prefix) <= 50:
        raise BadRequestError("prefix has 1 to 50 characters: /products/search?prefix=esp")
    return _page("byName", Key("initial").eq(prefix[0]) & Key("searchName").begins_with(prefix))


@app.get("/products/<product_id>")
def get_product(product_id: str) -> dict[str, Any]:
    """Show one product."""
    item = products().get_item(Key={"productId": product_id}).get("Item")
    if item is None:
        raise NotFoundError(f"There is no product {product_id}")
    return product_out(item)


@app.get("/internal/stock/<product_id>")
@app.get("/partners/stock/<product_id>")
def show_stock(product_id: str) -> dict[str, Any]:
    """Tell partners and our own systems how much there is; API Gateway has seen to it who asks."""
    product = get_product(product_id)
    return {"productId": product["productId"], "stock": product["stock"]}


@app.post("/vendors/<vendor_id>/products")
def add_product(vendor_id: str) -> Response:
    """Put a vendor's new product on the shelf."""
    check_vendor(app.current_event, vendor_id)
    product_id = uuid.uuid4().hex[:12]
    item = _item(product_id, vendor_id, _read_product())
    products().put_item(Item=item, ConditionExpression=Attr("productId").not_exists())
    logger.info("product added", extra={"productId": product_id, "vendorId": vendor_id})
    return Response(
        status_code=201,
        content_type="application/json",
        body=product_out(item),
        headers={"Location": f"/products/{product_id}"},
    )


@app.put("/vendors/<vendor_id>/products/<product_id>")
def replace_product(vendor_id: str, product_id: str) -> dict[str, Any]:
    """Replace a vendor's own product."""
    check_vendor(app.current_event, vendor_id)
    item = _item(product_id, vendor_id, _read_product())
    _own(lambda condition: products().put_item(Item=item, ConditionExpression=condition), vendor_id, product_id)
    return product_out(item)


@app.delete("/vendors/<vendor_id>/products/<product_id>")
def remove_product(vendor_id: str, product_id: str) -> Response:
    """Take a vendor's own product off the shelf."""
    check_vendor(app.current_event, vendor_id)
    key = {"productId": product_id}
    _own(lambda condition: products().delete_item(Key=key, ConditionExpression=condition), vendor_id, product_id)
    return Response(status_code=204)


def _page(index: str, condition: Any) -> dict[str, Any]:
    query = {
        "IndexName": index,
        "KeyConditionExpression": condition,
        "Limit": read_limit(app.current_event.get_query_string_value("limit")),
    }
    if start := read_cursor(app.current_event.get_query_string_value("cursor")):
        query["ExclusiveStartKey"] = start
    try:
        found = products().query(**query)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException" and start:
            raise BadRequestError("cursor is not one that this API gave for this list") from error
        raise
    return {
        "products": [product_out(item) for item in found["Items"]],
        "cursor": write_cursor(found.get("LastEvaluatedKey")),
    }


def _read_product() -> ProductIn:
    try:
        return parse(event=app.current_event.body or "{}", model=ProductIn)
    except ValidationError as error:
        raise BadRequestError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())


def _item(product_id: str, vendor_id: str, product: ProductIn) -> dict[str, Any]:
    return {"productId": product_id, "vendorId": vendor_id, **product.model_dump(), **searchable(product.name)}


def _own(write: Any, vendor_id: str, product_id: str) -> None:
    """Write to a product if it is the vendor's. Raises: NotFoundError when it is not, or is not there."""
    try:
        write(Attr("vendorId").eq(vendor_id))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise NotFoundError(f"Vendor {vendor_id} has no product {product_id}") from error
        raise


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request of the API."""
    return app.resolve(event, context)
