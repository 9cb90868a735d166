"""The shapes that clients send and get. Money is in whole cents."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Cents = Annotated[int, Field(ge=1, le=10_000_000)]
Quantity = Annotated[int, Field(ge=1, le=99)]
Category = Literal["bakery", "bicycles", "books", "coffee", "garden", "kitchen", "outdoor", "stationery", "tea", "toys"]


class ProductIn(BaseModel):
    """What a vendor says of a product."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=2, max_length=120)]
    category: Category
    description: Annotated[str, Field(max_length=1000)] = ""
    priceCents: Cents
    stock: Annotated[int, Field(ge=0, le=1_000_000)]


class QuantityIn(BaseModel):
    """How many of a product a customer wants."""

    model_config = ConfigDict(extra="forbid")

    quantity: Quantity


class PaymentIn(BaseModel):
    """A card, and what the client believes that the order costs."""

    model_config = ConfigDict(extra="forbid")

    card: Annotated[str, Field(min_length=1, max_length=64)]
    amountCents: Annotated[int, Field(ge=1, le=100_000_000)]


def searchable(name: str) -> dict[str, str]:
    """Give the attributes by which a product is found: its lower-case name, and that name's first letter."""
    search_name = " ".join(name.lower().split())
    return {"searchName": search_name, "initial": search_name[:1]}


def product_out(item: dict[str, Any]) -> dict[str, Any]:
    """Show a product to a client."""
    return {
        "productId": item["productId"],
        "vendorId": item["vendorId"],
        "name": item["name"],
        "category": item["category"],
        "description": item.get("description", ""),
        "priceCents": int(item["priceCents"]),
        "stock": int(item["stock"]),
    }


def order_out(item: dict[str, Any]) -> dict[str, Any]:
    """Show an order to a client."""
    return {
        "orderId": item["orderId"],
        "status": item["status"],
        "placedAt": item["placedAt"],
        "totalCents": int(item["totalCents"]),
        "lines": [
            {
                "productId": line["productId"],
                "name": line["name"],
                "quantity": int(line["quantity"]),
                "priceCents": int(line["priceCents"]),
            }
            for line in item["lines"]
        ],
    }


def now_iso() -> str:
    """Give the time as clients see it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
