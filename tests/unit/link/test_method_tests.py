from __future__ import annotations

import asyncio

import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable, remote_error
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, MethodTest, MethodTestResult
from tests.unit.link.test_link import Platform, until

TEST = MethodTest({"id": "d"}, "/a", "GET", "/a?b=1", (("X", "1"),), "body", {"v": "1"})

QUESTION = AuthorizerTest({"id": "a"}, "000000000000", "us-east-1", "api", (("X", "1"),), {"v": "1"}, "{}")


class RunsMethods:
    """Answers with what it was asked, refuses, or never ends."""

    async def test(self, test):
        if test.body == "refuse":
            raise remote_error("NotFoundException", 404, "none")
        if test.body == "hang":
            await asyncio.Event().wait()
        assert test == TEST
        return MethodTestResult(201, (("Y", "2"),), "answer", "log", 7)

    async def test_authorizer(self, test):
        assert test == QUESTION
        return AuthorizerTestResult(401, "no", {"sub": "1"}, "{}", "Unhandled")


def joined(tmp_path, scenario):
    async def whole():
        platform = Platform(tmp_path)
        services = await platform.services()
        gateway, _ = platform.gateway()
        gateway.tests = RunsMethods()
        await until(lambda: gateway.is_connected and services._acknowledged)
        try:
            await scenario(services, gateway)
        finally:
            await gateway.close()
            await services.close()

    asyncio.run(whole())


def test_a_test_and_its_result_cross_the_link(tmp_path):
    async def scenario(services, _gateway):
        assert await services.tests.test(TEST) == MethodTestResult(201, (("Y", "2"),), "answer", "log", 7)
        with pytest.raises(ServiceError) as refused:
            await services.tests.test(MethodTest({}, "", "", "", (), "refuse"))
        assert refused.value.code == "NotFoundException"

    joined(tmp_path, scenario)


def test_a_question_to_an_authorizer_and_its_answer_cross_the_link(tmp_path):
    async def scenario(services, _gateway):
        answer = await services.tests.test_authorizer(QUESTION)
        assert answer == AuthorizerTestResult(401, "no", {"sub": "1"}, "{}", "Unhandled")

    joined(tmp_path, scenario)


def test_without_a_gateway_a_test_fails_at_once(tmp_path):
    async def scenario(services, gateway):
        hanging = asyncio.ensure_future(services.tests.test(MethodTest({}, "", "", "", (), "hang")))
        await asyncio.sleep(0)
        await gateway.close()
        with pytest.raises(ServiceUnavailable):
            await asyncio.wait_for(hanging, 5)
        with pytest.raises(ServiceUnavailable):
            await services.tests.test(TEST)

    joined(tmp_path, scenario)
