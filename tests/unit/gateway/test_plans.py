from __future__ import annotations

import asyncio

from gatepost.services.apigateway.deployment import API_ENDPOINT, REST_API_STAGE, Integration, Method
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, a_request, until

KEY = f"{API}/prod"


class Told:
    """A replica that holds what it is given."""

    def __init__(self):
        self.topics = {}

    def watch(self, topic, changed):
        self.topics[topic] = changed


def test_stages_are_followed_under_their_topic():
    gateway, replica = TestGateway(), Told()
    gateway.plans.follow(replica)
    assert list(replica.topics) == [API_ENDPOINT, REST_API_STAGE]


def test_a_stage_that_is_taken_away_is_unknown():
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=MOCK),)})
    assert gateway.get().status == 200
    gateway.plans.take(KEY, None)
    assert gateway.get().body == b'{"message":"Forbidden"}'
    assert gateway.plans.apis == {}
    gateway.plans.take(KEY, None)


def test_a_stage_that_cannot_be_read_keeps_its_old_plan_and_is_reported(caplog):
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=MOCK),)})
    for value in (
        {},
        {"deployment": {}, "stage": {}},
        {"deployment": None, "stage": None},
        {"deployment": [1], "stage": 2},
    ):
        gateway.plans.take(KEY, value)
        assert gateway.get().status == 200
        assert "was not put into effect" in gateway.plans.problems()[KEY][0]
    assert "a stage was not put into effect" in caplog.text
    gateway.deploy({"/orders": (Method("GET", integration=MOCK),)})
    assert gateway.plans.problems() == {}


def test_a_route_that_cannot_work_is_reported_and_the_others_work(caplog):
    gateway = TestGateway()
    gateway.deploy(
        {"/orders": (Method("GET", integration=MOCK),), "/bad": (Method("GET", integration=Integration("ODD")),)}
    )
    assert gateway.get().status == 200
    assert gateway.get("/prod/bad").status == 500
    assert gateway.plans.problems() == {KEY: ["GET /bad: integration type ODD does not exist"]}
    assert "a route cannot work" in caplog.text


def test_a_running_request_finishes_on_the_plan_that_it_began_with():
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("GET", integration=LAMBDA),)})

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        running = asyncio.ensure_future(gateway.send(a_request()))
        await until(lambda: gateway.functions.invocations)
        gateway.plans.take(KEY, None)
        gateway.functions.gate.set()
        return await running

    assert gateway.run(scenario).status == 200


def test_the_counters_of_a_route_go_on_when_it_is_deployed_again():
    gateway = TestGateway()
    for _ in range(2):
        gateway.deploy({"/orders": (Method("GET", integration=MOCK),)})
        gateway.get()
    totals = {dimensions.stage: figures.count for dimensions, figures in gateway.metrics.snapshot().items()}
    assert totals["prod"] == 2
