import asyncio

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import Invocation, StreamBroken
from gatepost.link.streaming import WINDOW_BYTES
from tests.unit.link.test_link import Platform, until


def streaming(tmp_path, scenario):
    async def whole():
        platform = Platform(tmp_path)
        services = await platform.services()
        gateway, _ = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await until(lambda: services._acknowledged)
        try:
            return await scenario(services, gateway)
        finally:
            await gateway.close()
            await services.close()

    return asyncio.run(whole())


def test_an_answer_comes_in_pieces_with_what_it_is(tmp_path):
    async def scenario(services, _):
        stream = await services.stream(Invocation("arn", b"abc", "r"))
        pieces = [piece async for piece in stream]
        return pieces, stream.executed_version, stream.content_type, stream.log_tail

    assert streaming(tmp_path, scenario) == ([b"a", b"b", b"c"], "3", "text/plain", b"tail")


def test_what_breaks_off_is_no_whole_answer(tmp_path):
    async def scenario(services, _):
        stream = await services.stream(Invocation("arn", b"a!", "r"))
        with pytest.raises(StreamBroken) as broken:
            [piece async for piece in stream]
        return broken.value.error_code, broken.value.payload

    assert streaming(tmp_path, scenario) == ("Unhandled", b'{"errorType":"E"}')


def test_a_refusal_comes_before_the_stream(tmp_path):
    async def scenario(services, _):
        with pytest.raises(ServiceError) as refused:
            await services.stream(Invocation("arn", b"fail", "r"))
        return refused.value.code, refused.value.status

    assert streaming(tmp_path, scenario) == ("TooManyRequestsException", 429)


def test_a_reader_that_waits_holds_no_more_than_the_window(tmp_path):
    async def scenario(services, gateway):
        stream = await services.stream(Invocation("arn", b"*" * 40, "r"))
        source = gateway.invoker.pieces
        await until(lambda: 40 * 102_400 - source._held_bytes >= WINDOW_BYTES)
        for _ in range(50):
            await asyncio.sleep(0)
        sent = 40 * 102_400 - source._held_bytes
        return sent, sum([len(piece) async for piece in stream])

    sent, total = streaming(tmp_path, scenario)
    assert sent <= WINDOW_BYTES + 2 * 102_400
    assert total == 40 * 102_400


def test_a_reader_that_goes_away_ends_the_sending(tmp_path):
    async def scenario(services, gateway):
        stream = await services.stream(Invocation("arn", b"*" * 40, "r"))
        await stream.aclose()
        await until(lambda: not gateway._streams and not services._streams)
        return [piece async for piece in stream]

    assert streaming(tmp_path, scenario) == []
