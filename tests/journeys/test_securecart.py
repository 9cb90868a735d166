"""SecureCart, from one command, through a shopper's day, and away again."""

import base64
import json
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.platform import ask, gatepost, start_platform

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "securecart"
PASSWORD = "Secure-cart-1"
PRODUCT = json.dumps({"name": "Clove Tin", "category": "tea", "priceCents": 100, "stock": 1})


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    data = tmp_path_factory.mktemp("shop") / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    page = f"ShopUrl=http://localhost:{port}"
    flags = (str(SHOP / "template.yaml"), "--durability", "process", "--parameter", page)
    running = start_platform(data, *flags, command="up")
    running.page_port = port
    yield running
    running.stop()


def outputs_of(shop):
    (stack,) = shop.client("cloudformation").describe_stacks(StackName="securecart")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def base_of(shop):
    return shop.stage_url(re.match(r"https://(\w+)\.", outputs_of(shop)["ShopApiUrl"]).group(1), "prod")


@pytest.fixture(scope="module")
def people(shop):
    """A customer, a vendor and an admin with their id tokens; give names' (sub, headers)."""
    pool = {"UserPoolId": outputs_of(shop)["UserPoolId"]}
    return {
        name: a_user(shop.client("cognito-idp"), pool, outputs_of(shop)["ShopClientId"], name, group)
        for name, group in (("carla", "customers"), ("three-leaves", "vendors"), ("root", "admins"))
    }


def a_user(aws, pool, client, name, group):
    aws.admin_create_user(**pool, Username=name, MessageAction="SUPPRESS")
    aws.admin_set_user_password(**pool, Username=name, Password=PASSWORD, Permanent=True)
    if group:
        aws.admin_add_user_to_group(**pool, Username=name, GroupName=group)
    given = {"USERNAME": name, "PASSWORD": PASSWORD}
    told = aws.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    user = aws.admin_get_user(**pool, Username=name)["UserAttributes"]
    sub = next(one["Value"] for one in user if one["Name"] == "sub")
    return sub, {"Authorization": told["AuthenticationResult"]["IdToken"]}


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def the_page(shop):
    """Serve the shop's page; give its address."""
    outputs = outputs_of(shop)
    sign_in = f"{shop.public}/_aws/auth/{re.match(r'https://([^.]+)', outputs['SignInUrl'])[1]}"
    serve = runpy.run_path(str(SHOP / "web" / "serve.py"))["serve"]
    server = serve(base_of(shop), sign_in, outputs["ShopClientId"], shop.page_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{shop.page_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: tools/setup installs it, as root")
def test_a_customer_signs_up_at_the_hosted_pages_in_a_real_browser_and_shops(shop):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright, the_page(shop) as address:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(30_000)
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        expect(page.get_by_text("Not signed in")).to_be_visible()
        expect(page.locator("#shelf li")).to_have_count(5)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Create an account").click()
        page.get_by_label("Username").fill("chris")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()
        page.wait_for_url(address)
        expect(page.get_by_text("Signed in as chris")).to_be_visible()
        page.get_by_role("button", name="Into the cart").first.click()
        expect(page.locator("#cart li")).to_have_count(1)
        assert page.locator("#total").inner_text() != "0.00"
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("Not signed in")).to_be_visible()
        page.goto(f"{address}?code=stolen&state=made-up")
        expect(page.get_by_text("That sign-in was not begun here")).to_be_visible()
        assert wrong == []
        browser.close()


def test_health_is_ready_once_everything_is_deployed(shop):
    health = ask("GET", shop.aws + "/_gatepost/health").json()
    assert health["status"] == "ready"
    assert list(health["templates"].values()) == ["deployed"]


def test_a_shopper_has_a_good_day(shop, people):
    outputs = outputs_of(shop)
    command = [str(SHOP / "shopper_day.py"), base_of(shop), outputs["ShopClientId"], shop.aws, PASSWORD]
    day = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert day.returncode == 0, day.stdout + day.stderr
    assert day.stdout.endswith("A good day.\n")


@pytest.mark.parametrize(
    ("who", "whose", "status"),
    [("carla", "carla", 200), ("carla", "three-leaves", 403), ("three-leaves", "carla", 403), ("root", "carla", 200)],
)
def test_carts_and_orders_are_their_customers_and_admins(shop, people, who, whose, status):
    customer = f"{base_of(shop)}/customers/{people[whose][0]}"
    for path in ("cart", "orders"):
        assert ask("GET", f"{customer}/{path}", headers=people[who][1]).status == status
    put = ask("PUT", f"{customer}/cart/tea-001", '{"quantity": 1}', headers=people[who][1])
    assert put.status == status
    if status == 403:
        for method, path in (("POST", "orders"), ("GET", "orders/o1"), ("POST", "orders/o1/cancel")):
            assert ask(method, f"{customer}/{path}", headers=people[who][1]).status == 403
        assert ask("DELETE", f"{customer}/cart/tea-001", headers=people[who][1]).status == 403


def test_a_history_is_its_readers_own_whatever_the_path_says(shop, people):
    sub, carla = people["carla"]
    customer = f"{base_of(shop)}/customers/{sub}"
    assert ask("PUT", f"{customer}/cart/tea-002", '{"quantity": 1}', headers=carla).status == 200
    placed = ask("POST", f"{customer}/orders", headers=carla)
    assert placed.status == 201
    seen = ask("GET", f"{customer}/history", headers=carla).json()["orders"]
    assert [order["orderId"] for order in seen] == [placed.json()["orderId"]]
    assert ask("GET", f"{customer}/history", headers=people["three-leaves"][1]).json() == {"orders": []}


@pytest.mark.parametrize(
    ("who", "whose", "status"),
    [
        ("three-leaves", "three-leaves", 201),
        ("three-leaves", "copper-pan", 403),
        ("carla", "three-leaves", 403),
        ("carla", "carla", 403),
        ("root", "copper-pan", 201),
    ],
)
def test_products_are_managed_by_their_vendor_and_admins(shop, people, who, whose, status):
    shelf = f"{base_of(shop)}/vendors/{whose}/products"
    answer = ask("POST", shelf, PRODUCT, headers=people[who][1])
    assert answer.status == status
    product = answer.json()["productId"] if status == 201 else "tea-001"
    changed = 200 if status == 201 else 403
    assert ask("PUT", f"{shelf}/{product}", PRODUCT, headers=people[who][1]).status == changed
    assert ask("DELETE", f"{shelf}/{product}", headers=people[who][1]).status == (204 if status == 201 else 403)


def test_nobody_gets_past_the_catalogue_without_a_token(shop, people):
    customer = f"/customers/{people['carla'][0]}"
    routes = [
        ("GET", f"{customer}/cart"),
        ("PUT", f"{customer}/cart/tea-001"),
        ("DELETE", f"{customer}/cart/tea-001"),
        ("GET", f"{customer}/orders"),
        ("POST", f"{customer}/orders"),
        ("GET", f"{customer}/orders/o1"),
        ("POST", f"{customer}/orders/o1/cancel"),
        ("POST", f"{customer}/orders/o1/payment"),
        ("GET", f"{customer}/history"),
        ("POST", "/vendors/three-leaves/products"),
        ("PUT", "/vendors/three-leaves/products/tea-001"),
        ("DELETE", "/vendors/three-leaves/products/tea-001"),
    ]
    for method, path in routes:
        for headers in ({}, {"Authorization": "e30.e30.e30"}):
            assert ask(method, base_of(shop) + path, headers=headers).status == 401, (method, path)


def a_partners_token(shop):
    pool, client_id = outputs_of(shop)["UserPoolId"], outputs_of(shop)["PartnerClientId"]
    told = shop.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
    secret = told["UserPoolClient"]["ClientSecret"]
    endpoint = ask("GET", f"{shop.aws}/{pool}/.well-known/openid-configuration").json()["token_endpoint"]
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    return ask("POST", endpoint, "grant_type=client_credentials", headers=headers).json()["access_token"]


def test_partners_come_in_by_their_scope_and_no_further(shop, people):
    stock = base_of(shop) + "/partners/stock/tea-001"
    partner = {"Authorization": a_partners_token(shop)}
    assert ask("GET", stock, headers=partner).json()["productId"] == "tea-001"
    assert ask("GET", stock).status == 401
    for _, headers in people.values():
        assert ask("GET", stock, headers=headers).status in (401, 403)
    assert ask("GET", f"{base_of(shop)}/customers/{people['carla'][0]}/cart", headers=partner).status == 401
    assert ask("POST", f"{base_of(shop)}/vendors/three-leaves/products", PRODUCT, headers=partner).status == 401


def test_internal_routes_are_for_who_holds_the_policy(shop, people):
    url = base_of(shop) + "/internal/stock/tea-001"
    iam = shop.client("iam")
    iam.create_user(UserName="stock-keeper")
    made = iam.create_access_key(UserName="stock-keeper")["AccessKey"]
    keys = Credentials(made["AccessKeyId"], made["SecretAccessKey"])

    def signed():
        request = AWSRequest("GET", url)
        SigV4Auth(keys, "execute-api", "us-east-1").add_auth(request)
        return ask("GET", url, headers=dict(request.headers))

    assert ask("GET", url).status == 403
    assert ask("GET", url, headers=people["root"][1]).status == 403
    assert signed().status == 403
    iam.attach_user_policy(UserName="stock-keeper", PolicyArn=outputs_of(shop)["InternalCallersArn"])
    assert signed().json()["productId"] == "tea-001"


def an_order(shop, people):
    """Order tea as the customer; give its address and its total."""
    sub, carla = people["carla"]
    customer = f"{base_of(shop)}/customers/{sub}"
    assert ask("PUT", f"{customer}/cart/tea-003", '{"quantity": 1}', headers=carla).status == 200
    placed = ask("POST", f"{customer}/orders", headers=carla).json()
    return f"{customer}/orders/{placed['orderId']}", placed["totalCents"]


def test_a_payment_is_of_ones_own_order_and_of_its_total_and_books_are_kept_inside(shop, people):
    order, total = an_order(shop, people)
    payment = json.dumps({"card": "card_ok", "amountCents": total})
    keyed = {"Idempotency-Key": "key-0001"}
    for who in ("three-leaves",):
        assert ask("POST", f"{order}/payment", payment, headers={**people[who][1], **keyed}).status == 403
    carla = {**people["carla"][1], **keyed}
    mine = f"{base_of(shop)}/customers/{people['carla'][0]}/orders"
    assert ask("POST", f"{mine}/o1/payment", payment, headers=carla).status == 404
    less = json.dumps({"card": "card_ok", "amountCents": total - 1})
    assert ask("POST", f"{order}/payment", less, headers=carla).status == 409
    paid = ask("POST", f"{order}/payment", payment, headers=carla)
    assert (paid.status, paid.json()["amountCents"]) == (201, total)
    assert ask("GET", order, headers=people["carla"][1]).json()["status"] == "PAID"
    assert ask("POST", f"{order}/cancel", headers=people["carla"][1]).status == 409
    signed = signed_by_us(shop, f"{base_of(shop)}/internal/charges/{paid.json()['id']}")
    assert (signed.status, signed.json()) == (200, paid.json())
    assert ask("GET", f"{base_of(shop)}/internal/charges/{paid.json()['id']}").status == 403
    assert signed_by_us(shop, f"{base_of(shop)}/internal/charges/ch_none").status == 404


def signed_by_us(shop, url):
    """Ask as the account's administrator."""
    request = AWSRequest("GET", url)
    keys = Credentials(shop.key["access_key_id"], shop.key["secret_access_key"])
    SigV4Auth(keys, "execute-api", "us-east-1").add_auth(request)
    return ask("GET", url, headers=dict(request.headers))


def test_who_is_in_no_group_may_not_shop(shop):
    aws, outputs = shop.client("cognito-idp"), outputs_of(shop)
    sub, nobody = a_user(aws, {"UserPoolId": outputs["UserPoolId"]}, outputs["ShopClientId"], "noel", "")
    assert ask("GET", f"{base_of(shop)}/customers/{sub}/cart", headers=nobody).status == 403


def test_the_payment_key_stands_in_the_secret_alone(shop):
    (secret,) = shop.client("secretsmanager").list_secrets()["SecretList"]
    told = shop.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"]
    assert json.loads(told) == {"key": "sandbox-key"}
    template = shop.client("cloudformation").get_template(StackName="securecart", TemplateStage="Processed")
    assert "Bearer sandbox-key" not in json.dumps(template["TemplateBody"])


def test_the_shop_answers_under_its_own_name_over_tls(shop, tmp_path):
    """As curl meets it, by HTTP/2; and the same day by HTTP/1.1 on the plain port, by Host."""
    port = json.loads((shop.data / "endpoints.json").read_bytes())["tls"].rpartition(":")[2]
    url = f"https://api.securecart.localhost:{port}/products?category=coffee&limit=1"
    names = ("--resolve", f"api.securecart.localhost:{port}:127.0.0.1")
    command = [
        "curl",
        "-sS",
        "--http2",
        "--cacert",
        str(shop.data / "tls/ca.pem"),
        *names,
        "-w",
        "\n%{http_version}",
        url,
    ]
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    body, _, version = told.rpartition("\n")
    assert version == "2"
    assert json.loads(body) == ask("GET", base_of(shop) + "/products?category=coffee&limit=1").json()
    plain = ask("GET", shop.public + "/products?category=coffee&limit=1", headers={"Host": "api.securecart.localhost"})
    assert plain.json() == json.loads(body)


def test_the_lines_to_paste_work(shop):
    deadline = time.monotonic() + 20
    while "Running." not in shop.output.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = re.findall(r"^  (curl .+)$", shop.output.read_text(), re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("-d") + 1] if "-d" in words else None
        headers = {"Content-Type": "application/json"} if body else {}
        answer = ask(method, words[-1], body, headers)
        assert answer.status == 200
        assert answer.json()
        if shutil.which("curl"):
            pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
            assert json.loads(pasted.stdout) == answer.json()


def test_browsers_may_call_it_from_elsewhere(shop):
    answer = ask("OPTIONS", base_of(shop) + "/products", headers={"Origin": "https://shop.example"})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,PUT,DELETE,OPTIONS"


@contextmanager
def without_rights(shop):
    """Take the catalogue's role its policy, and give it back."""
    resources = shop.client("cloudformation").describe_stack_resources(StackName="securecart")["StackResources"]
    role = next(
        each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == "CatalogueFunctionRole"
    )
    iam = shop.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def test_a_function_reaches_only_what_its_role_allows(shop):
    """Take one statement away from a role and the function is refused, at once."""
    url = base_of(shop) + "/products/tea-001"
    assert ask("GET", url).status == 200
    with without_rights(shop):
        assert ask("GET", url).status == 502
    assert ask("GET", url).status == 200


def test_what_functions_say_is_in_their_logs(shop):
    ask("GET", base_of(shop) + "/products?category=tea")
    groups = [group["logGroupName"] for group in shop.client("logs").describe_log_groups()["logGroups"]]
    assert any("CatalogueFunction" in name for name in groups)


def test_integrators_need_a_key_and_get_what_their_plan_gives(shop):
    apigateway = shop.client("apigateway")
    url = base_of(shop) + "/partners/products?category=tea&limit=1"
    assert ask("GET", url).status == 403
    key = apigateway.get_api_key(apiKey=outputs_of(shop)["BronzeKeyId"], includeValue=True)["value"]
    statuses = [ask("GET", url, headers={"x-api-key": key}).status for _ in range(30)]
    assert statuses[:10] == [200] * 10
    assert 429 in statuses
    plans = {plan["name"]: plan["id"] for plan in apigateway.get_usage_plans()["items"]}
    assert set(plans) == {"securecart-bronze", "securecart-silver", "securecart-partner"}


def test_no_spelling_of_a_number_gets_more_than_a_page(shop):
    url = base_of(shop) + "/products?category=coffee&limit="
    for limit in ("0", "101", "0050999", "1e9", "-1", "٣"):
        assert ask("GET", url + quote(limit)).status == 400, limit


def test_a_shelf_that_was_just_shown_is_shown_again_without_a_function(shop):
    url = base_of(shop) + "/products?category=garden&limit=3"
    shown = ask("GET", url)
    assert (shown.status, len(shown.json()["products"])) == (200, 3)
    with without_rights(shop):  # the function could not answer now
        assert ask("GET", base_of(shop) + "/products?category=garden&limit=4").status == 502
        for _ in range(5):
            again = ask("GET", url)
            assert (again.status, again.body) == (200, shown.body)


def test_a_second_deployment_of_the_same_template_changes_nothing(shop):
    told = gatepost("deploy", str(SHOP / "template.yaml"), "--data", str(shop.data))
    assert told.stdout == "securecart: nothing has changed\n", told.stderr


def test_a_diff_shows_what_a_change_would_do_and_does_not_do_it(shop, tmp_path):
    changed = tmp_path / "template.yaml"
    text = (SHOP / "template.yaml").read_text().replace("MemorySize: 256", "MemorySize: 512")
    text = text.replace("CodeUri: functions/", f"CodeUri: {SHOP / 'functions'}")
    changed.write_text(text.replace("Location: payment_sandbox/", f"Location: {SHOP / 'payment_sandbox'}/"))
    told = gatepost("diff", str(changed), "--stack-name", "securecart", "--data", str(shop.data), "--json")
    changes = json.loads(told.stdout)["changes"]
    assert {each["LogicalResourceId"] for each in changes} == {
        "CatalogueFunction",
        "CartsFunction",
        "OrdersFunction",
        "PaymentsFunction",
        "SeedFunction",
        "SignUpFunction",
    }, told.stderr
    assert {each["Action"] for each in changes} == {"Modify"}
    functions = shop.client("lambda").list_functions()["Functions"]
    sizes = {each["MemorySize"] for each in functions if "Processor" not in each["FunctionName"]}
    assert sizes == {256}


def test_the_template_is_what_aws_accepts():
    judged = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(SHOP / "template.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout


def test_deleting_the_stack_leaves_nothing(tmp_path):
    data = tmp_path / "data"
    running = start_platform(data, str(SHOP / "template.yaml"), "--durability", "process", command="up")
    told = gatepost("delete", "securecart", "--data", str(data))
    assert told.returncode == 0, told.stderr
    assert running.client("dynamodb").list_tables()["TableNames"] == []
    assert running.client("lambda").list_functions()["Functions"] == []
    assert running.client("apigateway").get_rest_apis()["items"] == []
    assert running.client("iam").list_roles()["Roles"] == []
    running.stop()
