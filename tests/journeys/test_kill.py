"""Processes are killed while orders are placed: every order that was acknowledged is there afterwards."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.support.platform import ask, gatepost, start_platform

TEMPLATE = Path(__file__).parents[2] / "examples" / "securecart" / "template.yaml"


class Customers:
    """Customers who order again and again, and remember what they were told."""

    def __init__(self, base: str, signed_in: list[tuple[str, dict[str, str]]]) -> None:
        self.base = base
        self.headers = dict(signed_in)
        self.acknowledged: list[tuple[str, str]] = []
        self.failures = 0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._order_on, args=(customer,)) for customer in self.headers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _order_on(self, customer: str) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            try:
                cart = f"{self.base}/customers/{customer}/cart/bakery-{number % 20 + 1:03}"
                signed_in = self.headers[customer]
                ask("PUT", cart, '{"quantity": 1}', headers=signed_in, timeout_s=10)
                answer = ask(
                    "POST",
                    f"{self.base}/customers/{customer}/orders",
                    headers={"Idempotency-Key": f"{customer}-{number:08}", **signed_in},
                    timeout_s=10,
                )
            except (OSError, ValueError):
                self.failures += 1
                time.sleep(0.05)
                continue
            if answer.status == 201:
                self.acknowledged.append((customer, answer.json()["orderId"]))
            elif answer.status >= 500:
                self.failures += 1


def pid_of(platform, role):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        told = gatepost("status", "--json", "--data", str(platform.data))
        if told.returncode == 0:
            found = [each.get("pid") for each in json.loads(told.stdout)["roles"] if each["role"] == role]
            if found and found[0]:
                return found[0]
        time.sleep(0.1)
    raise AssertionError(f"the {role} role did not come back")


def wait_for_orders(customers, count):
    wanted = len(customers.acknowledged) + count
    deadline = time.monotonic() + 60
    while len(customers.acknowledged) < wanted:
        assert time.monotonic() < deadline, "no orders come through any more"
        time.sleep(0.02)


def sign_in(platform, names):
    """Sign customers up and in; give each one's id and headers."""
    aws = platform.client("cognito-idp")
    (stack,) = platform.client("cloudformation").describe_stacks(StackName="securecart")["Stacks"]
    client = next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "ShopClientId")
    found = []
    for name in names:
        sub = aws.sign_up(ClientId=client, Username=name, Password="Secure-cart-1")["UserSub"]
        given = {"USERNAME": name, "PASSWORD": "Secure-cart-1"}
        told = aws.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
        found.append((sub, {"Authorization": told["AuthenticationResult"]["IdToken"]}))
    return found


def missing_orders(base, customers):
    gone = []
    for customer, order_id in customers.acknowledged:
        answer = ask("GET", f"{base}/customers/{customer}/orders/{order_id}", headers=customers.headers[customer])
        if answer.status != 200 or answer.json()["status"] != "PLACED":
            gone.append((customer, order_id, answer.status))
    return gone


def orders_survive(tmp_path, *, rounds, chance):
    data = tmp_path / "data"
    platform = start_platform(data, str(TEMPLATE), command="up")
    ports = tuple(int(url.rsplit(":", 1)[1]) for url in (platform.public, "0:0", platform.aws))
    apis = platform.client("apigateway").get_rest_apis()["items"]
    (api,) = (each for each in apis if each["name"] == "SecureCart")
    base = platform.stage_url(api["id"], "prod")
    restock(platform)
    customers = Customers(base, sign_in(platform, ("c0", "c1", "c2")))
    customers.start()
    try:
        for _ in range(rounds):
            for victim in ("services", "gateway", "supervisor"):
                wait_for_orders(customers, 5)
                time.sleep(chance.random() * 0.2)
                if victim == "supervisor":
                    platform.process.kill()
                    platform.process.wait()
                    platform = start_platform(data, str(TEMPLATE), command="up", ports=ports)
                else:
                    os.kill(pid_of(platform, victim), signal.SIGKILL)
        wait_for_orders(customers, 5)
    finally:
        customers.stop()
    assert missing_orders(base, customers) == []
    assert stock_and_orders_agree(platform)
    platform.stop()


def restock(platform):
    """Enough of everything, so that no shelf is empty during the test."""
    table = products_table(platform)
    client = platform.client("dynamodb")
    for number in range(1, 21):
        client.update_item(
            TableName=table,
            Key={"productId": {"S": f"bakery-{number:03}"}},
            UpdateExpression="SET stock = :plenty",
            ExpressionAttributeValues={":plenty": {"N": "100000"}},
        )


def products_table(platform):
    return next(name for name in platform.client("dynamodb").list_tables()["TableNames"] if "ProductsTable" in name)


def stock_and_orders_agree(platform):
    """What is gone from the shelves is in orders, to the piece: transactions were never half done."""
    client = platform.client("dynamodb")
    tables = client.list_tables()["TableNames"]
    orders_table = next(name for name in tables if "OrdersTable" in name)
    ordered: dict[str, int] = {}
    for page in client.get_paginator("scan").paginate(TableName=orders_table, ConsistentRead=True):
        for item in page["Items"]:
            for line in item["lines"]["L"]:
                product = line["M"]["productId"]["S"]
                ordered[product] = ordered.get(product, 0) + int(line["M"]["quantity"]["N"])
    for product, count in ordered.items():
        item = client.get_item(
            TableName=products_table(platform), Key={"productId": {"S": product}}, ConsistentRead=True
        )["Item"]
        assert int(item["stock"]["N"]) == 100_000 - count, product
    return bool(ordered)


def test_every_acknowledged_order_is_there_after_each_process_was_killed(tmp_path):
    orders_survive(tmp_path, rounds=1, chance=random.Random(1))


@pytest.mark.soak
def test_every_acknowledged_order_is_there_after_many_kills(tmp_path):
    orders_survive(tmp_path, rounds=25, chance=random.Random(2))
