#!/usr/bin/env python3
"""A shopper's day at SecureCart: browses, searches, fills a cart, orders, runs into an empty shelf, cancels.

    python shopper_day.py API_URL CLIENT_ID COGNITO_URL VENDOR_PASSWORD

API_URL and CLIENT_ID are outputs of the stack, COGNITO_URL is http://127.0.0.1:4566 or
https://cognito-idp.REGION.amazonaws.com; README.md says how the vendor `three-leaves` gets a password.

Needs nothing but Python. Ends with 0 when the shop behaved.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

Answer = tuple[int, dict, dict]


class Shop:
    """The shop's API, as a client sees it."""

    def __init__(self, base: str, token: str = "") -> None:
        self.base = base.rstrip("/")
        self.token = token

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request; give status, JSON body and headers."""
        sent = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named["Authorization"] = self.token
        request = urllib.request.Request(
            self.base + path, data=sent, method=method, headers={"Content-Type": "application/json", **named}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, content, received = answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            status, content, received = error.code, error.read(), dict(error.headers)
        return status, json.loads(content) if content else {}, received


class SignIn:
    """The user pool, as a client sees it: these operations need no AWS credentials."""

    def __init__(self, url: str, client_id: str) -> None:
        self.url = url
        self.client_id = client_id

    def ask(self, operation: str, **body: object) -> dict:
        """Call one operation."""
        request = urllib.request.Request(
            self.url,
            data=json.dumps({"ClientId": self.client_id, **body}).encode(),
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            sys.exit(f"{operation} at {self.url}: {error.read().decode(errors='replace')}")

    def up(self, name: str, password: str) -> str:
        """Sign up; give the customer's id."""
        return self.ask("SignUp", Username=name, Password=password)["UserSub"]

    def token(self, name: str, password: str) -> str:
        """Sign in; give the id token."""
        given = {"USERNAME": name, "PASSWORD": password}
        told = self.ask("InitiateAuth", AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
        return told["AuthenticationResult"]["IdToken"]


def step(text: str, *, holds: bool, seen: object) -> None:
    """Print one step of the day, and end the day when it went wrong."""
    print(f"  {'ok ' if holds else 'BAD'}  {text}")
    if not holds:
        sys.exit(f"       but this came: {json.dumps(seen)[:500]}")


def browse(shop: Shop) -> dict:
    """Look around the shop and pick a product."""
    status, first, _ = shop.ask("GET", "/products?category=coffee&limit=10")
    step("lists the coffee shelf, ten at a time", holds=status == 200 and len(first["products"]) == 10, seen=first)
    cursor = urllib.parse.quote(first["cursor"])
    _, second, _ = shop.ask("GET", f"/products?category=coffee&limit=10&cursor={cursor}")
    names = [product["name"] for product in first["products"] + second["products"]]
    step("turns the page", holds=len(names) == 20 and names == sorted(names, key=str.lower), seen=names)
    _, found, _ = shop.ask("GET", "/products/search?prefix=ESPRESSO")
    step("searches for espresso", holds=len(found["products"]) >= 4, seen=found)
    _, product, _ = shop.ask("GET", f"/products/{found['products'][0]['productId']}")
    step(f"looks at {product.get('name')}", holds=product == found["products"][0], seen=product)
    status, missing, _ = shop.ask("GET", "/products/unheard-of")
    step("asks for what there is not: 404", holds=status == 404, seen=missing)
    status, refused, _ = shop.ask("GET", "/products?category=coffee&limit=0")
    step("asks for a page of none: 400", holds=status == 400, seen=refused)
    return product


def sell(shop: Shop) -> dict:
    """Be a vendor for a moment: put something rare on the shelf."""
    rare = {"name": "Zanzibar Clove Tin", "category": "tea", "priceCents": 1500, "stock": 3, "description": "Rare."}
    status, product, received = shop.ask("POST", "/vendors/three-leaves/products", rare)
    location = {name.lower(): value for name, value in received.items()}.get("location", "")
    step("a vendor adds a product", holds=status == 201 and location.endswith(product["productId"]), seen=product)
    path = f"/vendors/copper-pan/products/{product['productId']}"
    status, refused, _ = shop.ask("DELETE", path)
    step("another vendor's goods are not for this one: 403", holds=status == 403, seen=refused)
    status, refused, _ = shop.ask("POST", "/vendors/three-leaves/products", {**rare, "priceCents": -1})
    step("a price below zero is refused: 400", holds=status == 400, seen=refused)
    return product


def order(shop: Shop, customer: str, product: dict, rare: dict) -> dict:
    """Fill a cart and order it."""
    shop.ask("PUT", f"/customers/{customer}/cart/{product['productId']}", {"quantity": 1})
    _, cart, _ = shop.ask("PUT", f"/customers/{customer}/cart/{rare['productId']}", {"quantity": 2})
    total = product["priceCents"] + 2 * rare["priceCents"]
    step("fills a cart", holds=cart.get("totalCents") == total, seen=cart)
    key = uuid.uuid4().hex
    status, placed, _ = shop.ask("POST", f"/customers/{customer}/orders", Idempotency_Key=key)
    step("orders it", holds=status == 201 and placed["totalCents"] == total, seen=placed)
    status, again, _ = shop.ask("POST", f"/customers/{customer}/orders", Idempotency_Key=key)
    step("sends the order again and gets the same one", holds=again == placed, seen=again)
    pay(shop, customer, placed)
    _, cart, _ = shop.ask("GET", f"/customers/{customer}/cart")
    step("finds the cart empty", holds=cart.get("lines") == [], seen=cart)
    _, left, _ = shop.ask("GET", f"/products/{rare['productId']}")
    step("one is left on the shelf", holds=left.get("stock") == 1, seen=left)
    return placed


def pay(shop: Shop, customer: str, placed: dict) -> None:
    """Pay for an order, with a card that is refused first, and see it in the history."""
    path = f"/customers/{customer}/orders/{placed['orderId']}/payment"
    payment = {"card": "card_declined", "amountCents": placed["totalCents"]}
    status, refused, _ = shop.ask("POST", path, payment, Idempotency_Key=uuid.uuid4().hex)
    step("the bank declines the card: 402", holds=status == 402, seen=refused)
    payment["card"] = "card_ok"
    key = uuid.uuid4().hex
    status, refused, _ = shop.ask("POST", path, {**payment, "amountCents": 1}, Idempotency_Key=key)
    step("cannot pay less than it costs: 409", holds=status == 409, seen=refused)
    elsewhere = path.replace(customer, "somebody-else")
    status, refused, _ = shop.ask("POST", elsewhere, payment, Idempotency_Key=key)
    step("cannot pay in somebody else's name: 403", holds=status == 403, seen=refused)
    status, paid, _ = shop.ask("POST", path, payment, Idempotency_Key=key)
    expected = (201, placed["totalCents"], placed["orderId"])
    step("pays with another", holds=(status, paid.get("amountCents"), paid.get("reference")) == expected, seen=paid)
    status, again, _ = shop.ask("POST", path, payment, Idempotency_Key=key)
    step("pays twice and is charged once", holds=(status, again) == (201, paid), seen=again)
    status, refused, _ = shop.ask("POST", path, payment, Idempotency_Key=uuid.uuid4().hex)
    step("it is paid: no other payment is taken: 409", holds=status == 409, seen=refused)
    status, refused, _ = shop.ask("POST", path, payment)
    step("a payment without Idempotency-Key is refused: 400", holds=status == 400, seen=refused)
    _, history, _ = shop.ask("GET", f"/customers/{customer}/history")
    seen = [(item["orderId"], item["totalCents"]) for item in history["orders"]]
    step("finds the order in the history", holds=seen == [(placed["orderId"], placed["totalCents"])], seen=history)


def regret(shop: Shop, customer: str, placed: dict, rare: dict) -> None:
    """Want more than there is, look at the orders, cancel one."""
    shop.ask("PUT", f"/customers/{customer}/cart/{rare['productId']}", {"quantity": 2})
    status, refused, _ = shop.ask("POST", f"/customers/{customer}/orders")
    step("wants two more, but one is left: 409", holds=status == 409, seen=refused)
    _, listed, _ = shop.ask("GET", f"/customers/{customer}/orders")
    step("lists the orders", holds=[item["orderId"] for item in listed["orders"]] == [placed["orderId"]], seen=listed)
    status, refused, _ = shop.ask("GET", f"/customers/somebody-else/orders/{placed['orderId']}")
    step("other customers' orders are not to be seen: 403", holds=status == 403, seen=refused)
    path = f"/customers/{customer}/orders/{placed['orderId']}"
    status, refused, _ = shop.ask("POST", f"{path}/cancel")
    step("cannot cancel what is paid: 409", holds=status == 409, seen=refused)
    shop.ask("PUT", f"/customers/{customer}/cart/{rare['productId']}", {"quantity": 1})
    _, second, _ = shop.ask("POST", f"/customers/{customer}/orders")
    path = f"/customers/{customer}/orders/{second.get('orderId')}"
    status, cancelled, _ = shop.ask("POST", f"{path}/cancel")
    step("orders the last one, and cancels it", holds=cancelled.get("status") == "CANCELLED", seen=cancelled)
    status, refused, _ = shop.ask("POST", f"{path}/cancel")
    step("cannot cancel it twice: 409", holds=status == 409, seen=refused)
    _, back, _ = shop.ask("GET", f"/products/{rare['productId']}")
    step("the goods are back on the shelf", holds=back.get("stock") == 1, seen=back)


def clear_up(shop: Shop, rare: dict) -> None:
    """Be the vendor again."""
    status, _, _ = shop.ask("DELETE", f"/vendors/three-leaves/products/{rare['productId']}")
    step("the vendor clears up", holds=status == 204, seen=status)


def main() -> None:
    """Live through the day."""
    if len(sys.argv) != 5:
        sys.exit(f"usage: {sys.argv[0]} API_URL CLIENT_ID COGNITO_URL VENDOR_PASSWORD")
    base, client_id, cognito_url, vendor_password = sys.argv[1:]
    visitor, sign_in = Shop(base), SignIn(cognito_url, client_id)
    print(f"A shopper's day at {visitor.base}")
    product = browse(visitor)
    status, refused, _ = visitor.ask("GET", "/customers/anybody/cart")
    step("nobody has a cart without signing in: 401", holds=status == 401, seen=refused)
    vendor = Shop(base, sign_in.token("three-leaves", vendor_password))
    rare = sell(vendor)
    name, password = f"shopper-{uuid.uuid4().hex[:8]}", f"Aa1-{uuid.uuid4().hex}"
    customer = sign_in.up(name, password)
    shop = Shop(base, sign_in.token(name, password))
    step("signs up and in", holds=bool(shop.token), seen=customer)
    status, refused, _ = shop.ask("DELETE", f"/vendors/three-leaves/products/{rare['productId']}")
    step("a customer is no vendor: 403", holds=status == 403, seen=refused)
    placed = order(shop, customer, product, rare)
    regret(shop, customer, placed, rare)
    clear_up(vendor, rare)
    print("A good day.")


if __name__ == "__main__":
    main()
