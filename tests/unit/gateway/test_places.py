"""Places that are remembered, and when they are not any more."""

from gatepost.gateway.places import NAME_CHARACTERS_MAX, PLACES_MAX, Places
from gatepost.services.apigateway.deployment import Method
from tests.support.gateways import API, HOST, MOCK, TestGateway

RESOURCES = {"/orders/{id}": (Method("GET", integration=MOCK),)}


def deployed():
    gateway = TestGateway()
    gateway.deploy(RESOURCES)
    return gateway


def test_a_place_is_found_once_and_then_remembered():
    places, apis = Places(), deployed().plans.apis
    first = places.find(apis, HOST, "/prod/orders/7")
    assert (first.path, first.full_path, first.values) == ("/orders/7", "/prod/orders/7", ("7",))
    assert set(first.plans) == {"GET"}
    assert places.find(apis, HOST, "/prod/orders/7") is first
    assert places.find(apis, HOST, "/prod/orders/8").values == ("8",)


def test_both_forms_of_an_address_lead_to_the_same_plans_with_the_domain_of_each():
    places, apis = Places(), deployed().plans.apis
    by_path = places.find(apis, "127.0.0.1:8080", f"/_aws/execute-api/{API}/prod/orders/7")
    by_host = places.find(apis, HOST, "/prod/orders/7")
    assert by_path.plans is by_host.plans
    assert by_path.full_path == by_host.full_path == "/prod/orders/7"
    assert places.find(apis, "127.0.0.1:8080", "/prod/orders/7") is None
    assert places.find(apis, HOST.replace("us-east-1", "eu-west-1"), "/prod/orders/7") is None


def test_a_place_goes_with_the_stages_that_were_in_effect():
    gateway, places = deployed(), Places()
    before = places.find(gateway.plans.apis, HOST, "/prod/orders/7")
    gateway.deploy(RESOURCES)
    after = places.find(gateway.plans.apis, HOST, "/prod/orders/7")
    assert after is not before
    assert after.stage is gateway.plans.apis[API]["prod"]
    gateway.plans.take(f"{API}/prod", None)
    assert places.find(gateway.plans.apis, HOST, "/prod/orders/7") is None


def test_nonsense_is_not_remembered_and_long_names_are_not():
    places, apis = Places(), deployed().plans.apis
    nowhere, long = "/prod/nothing", "/prod/orders/" + "7" * NAME_CHARACTERS_MAX
    assert places.find(apis, HOST, nowhere).plans is None
    assert places.find(apis, HOST, nowhere) is not places.find(apis, HOST, nowhere)
    assert places.find(apis, HOST, long) is not places.find(apis, HOST, long)


def test_no_more_than_so_many_places_are_remembered():
    places, apis = Places(), deployed().plans.apis
    first = places.find(apis, HOST, "/prod/orders/first")
    for at in range(PLACES_MAX - 1):
        places.find(apis, HOST, f"/prod/orders/{at}")
    assert places.find(apis, HOST, "/prod/orders/first") is first
    places.find(apis, HOST, "/prod/orders/last")
    assert places.find(apis, HOST, "/prod/orders/first") is not first
