import asyncio
from pathlib import Path

import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable, remote_error
from gatepost.kernel.operations import Change
from gatepost.kernel.pieces import Pieces
from gatepost.kernel.ports import Invocation, InvocationResult, StreamBroken
from gatepost.link.publisher import ServicesLink
from gatepost.link.subscriber import GatewayLink, LocalReplica
from gatepost.security.sealing import Seal
from gatepost.storage.data_directory import write_durably

SEAL = Seal(bytes(32))


class Echo:
    async def invoke(self, invocation):
        if b"fail" in invocation.payload:
            raise remote_error("TooManyRequestsException", 429, "Rate Exceeded.", members={"Reason": "R"})
        return InvocationResult(200, invocation.payload[::-1], log_tail=b"tail")

    async def stream(self, invocation):
        """Give the payload's bytes one by one; `*` is a piece of 100 KiB, `!` breaks the answer off."""
        if b"fail" in invocation.payload:
            raise remote_error("TooManyRequestsException", 429, "Rate Exceeded.", members={"Reason": "R"})
        self.pieces = Pieces()
        for letter in invocation.payload.decode():
            if letter == "!":
                self.pieces.end(StreamBroken("Unhandled", b'{"errorType":"E"}'))
            self.pieces.put(b"*" * 100 * 1024 if letter == "*" else letter.encode(), lambda: None)
        self.pieces.end()
        self.pieces.executed_version, self.pieces.content_type, self.pieces.log_tail = "3", "text/plain", b"tail"
        return self.pieces


class Platform:
    """Both ends of a link in one process, over a real socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.usage: list[tuple[str, int]] = []
        self.telemetry: list[dict] = []
        self.acknowledged: list[int] = []

    async def take_usage(self, gateway_id, number, counts):
        self.usage.append((number, dict(counts)))

    async def take_telemetry(self, batch):
        self.telemetry.append(dict(batch))

    async def services(self, *changes):
        link = ServicesLink(take_usage=self.take_usage, take_telemetry=self.take_telemetry)
        link.load(changes)
        await link.serve(str(self.folder / "s"))
        return link

    def gateway(self, gateway_id="g1"):
        replica = LocalReplica(self.folder / f"snapshot-{gateway_id}", SEAL, write_durably)
        link = GatewayLink(
            str(self.folder / "s"),
            gateway_id=gateway_id,
            replica=replica,
            usage_acknowledged=lambda _gateway_id, number: self.acknowledged.append(number),
            connected=lambda: None,
        )
        link.invoker = Echo()
        link.start()
        return link, replica


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def in_a_platform(tmp_path, scenario):
    return asyncio.run(scenario(Platform(tmp_path)))


def test_a_gateway_gets_what_stands_and_every_later_change(tmp_path):
    async def scenario(platform):
        services = await platform.services(Change("t", "a", {"n": 1}), Change("t", "b", {"n": 1}))
        gateway, replica = platform.gateway()
        seen = []
        replica.watch("t", lambda key, value: seen.append((key, value)))
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await services.publish(Change("t", "a", {"n": 2}), Change("t", "b", None))
        await gateway.close()
        await services.close()
        return seen

    assert in_a_platform(tmp_path, scenario) == [("a", {"n": 1}), ("b", {"n": 1}), ("a", {"n": 2}), ("b", None)]


def test_a_snapshot_comes_in_as_many_frames_as_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("gatepost.link.frames.FRAME_BYTES_MAX", 2_000)
    sizes = {"small": 10, "large": 1_500, "other": 1_500, "huge": 3_000}

    async def scenario(platform):
        services = await platform.services(*(Change("t", key, {"x": "x" * size}) for key, size in sizes.items()))
        gateway, replica = platform.gateway()
        seen = {}
        replica.watch("t", lambda key, value: seen.update({key: len(value["x"])}))
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await gateway.close()
        await services.close()
        return seen

    assert in_a_platform(tmp_path, scenario) == {"small": 10, "large": 1_500, "other": 1_500}  # none holds the huge one


def test_publish_returns_once_the_change_is_in_effect(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        gateway, replica = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        seen = []
        replica.watch("t", lambda key, value: seen.append(key))
        counts = []
        for number in range(50):
            await services.publish(Change("t", str(number), {}))
            counts.append(len(seen))
        await gateway.close()
        await services.close()
        return counts

    assert in_a_platform(tmp_path, scenario) == list(range(1, 51))


def test_publish_does_not_wait_without_a_gateway(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        await asyncio.wait_for(services.publish(Change("t", "a", {})), 0.5)
        await services.close()

    in_a_platform(tmp_path, scenario)


def test_a_reconnection_disturbs_only_what_changed(tmp_path):
    async def scenario(platform):
        services = await platform.services(Change("t", "same", {"n": 1}), Change("t", "gone", {}))
        gateway, replica = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        seen = []
        replica.watch("t", lambda key, value: seen.append((key, value)))
        seen.clear()
        await services.close()
        await until(lambda: not gateway.is_connected)
        services = await platform.services(Change("t", "same", {"n": 1}), Change("t", "new", {"n": 2}))
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await gateway.close()
        await services.close()
        return seen

    assert in_a_platform(tmp_path, scenario) == [("gone", None), ("new", {"n": 2})]


def test_a_gateway_starts_from_what_it_saved_when_services_is_down(tmp_path):
    async def scenario(platform):
        services = await platform.services(Change("t", "a", {"n": 1}))
        gateway, replica = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await services.publish(Change("t", "b", {"n": 2}))
        await gateway.close()
        await replica.close()
        await services.close()
        again = LocalReplica(tmp_path / "snapshot-g1", SEAL, write_durably)
        assert again.load()
        seen = {}
        again.watch("t", lambda key, value: seen.update({key: value}))
        return seen

    assert in_a_platform(tmp_path, scenario) == {"a": {"n": 1}, "b": {"n": 2}}


@pytest.mark.parametrize("content", [b"", b"garbage", b"gateway-snapshot\0{"])
def test_a_damaged_snapshot_is_not_used(tmp_path, content):
    (tmp_path / "snapshot-g1").write_bytes(content)
    assert not LocalReplica(tmp_path / "snapshot-g1", SEAL, write_durably).load()


def test_services_have_functions_run_by_the_gateway(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        with pytest.raises(ServiceUnavailable):
            await services.invoke(Invocation("arn", b"abc", "r"))
        gateway, _ = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        result = await services.invoke(Invocation("arn", b"abc", "r"))
        with pytest.raises(ServiceError) as raised:
            await services.invoke(Invocation("arn", b"fail", "r"))
        await gateway.close()
        await services.close()
        return result, raised.value

    result, error = in_a_platform(tmp_path, scenario)
    assert (result.payload, result.log_tail) == (b"cba", b"tail")
    assert (error.code, error.status, error.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert error.members == {"Reason": "R"}


def test_usage_is_acknowledged_and_telemetry_arrives(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        gateway, _ = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        assert gateway.send_usage("g1", 7, {"api": 3})
        assert gateway.send_telemetry({"logs": []})
        await until(lambda: platform.acknowledged and platform.telemetry)
        await gateway.close()
        await services.close()
        return platform.usage, platform.acknowledged

    assert in_a_platform(tmp_path, scenario) == ([(7, {"api": 3})], [7])


def test_a_gateway_counts_once_it_serves_also_after_a_reconnection(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        gateway, _ = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        before = services.gateways
        gateway.serving()
        await until(lambda: services.gateways == 1)
        await services.close()
        services = await platform.services()
        await until(lambda: services.gateways == 1)
        await gateway.close()
        await until(lambda: services.gateways == 0)
        await services.close()
        return before

    assert in_a_platform(tmp_path, scenario) == 0


def test_bytes_that_are_no_frame_close_the_connection_only(tmp_path):
    async def scenario(platform):
        services = await platform.services(Change("t", "a", {}))
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        gateway, _ = platform.gateway()
        await asyncio.wait_for(gateway.synchronised.wait(), 5)
        await gateway.close()
        await services.close()

    in_a_platform(tmp_path, scenario)


def test_what_services_has_run_goes_to_the_gateway_that_has_least_to_do(tmp_path):
    async def scenario(platform):
        services = await platform.services()
        gateways = [platform.gateway(name)[0] for name in ("g1", "g2", "g3")]
        ran = []
        for number, gateway in enumerate(gateways):
            gateway.invoker = Hanging(number, ran)
            gateway.serving()
        await until(lambda: services.serving == {"g1", "g2", "g3"})
        running = [
            asyncio.ensure_future(services.invoke(Invocation(function_arn="f", payload=b"{}", request_id=str(n))))
            for n in range(6)
        ]
        await until(lambda: len(ran) == 6)
        spread = sorted(ran)
        await gateways[0].close()
        outcomes = await asyncio.gather(*running[:3], return_exceptions=True)
        lost = [type(outcome).__name__ for outcome in outcomes if isinstance(outcome, Exception)]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for gateway in gateways[1:]:
            await gateway.close()
        await services.close()
        return spread, lost

    class Hanging:
        def __init__(self, number, ran):
            self.number = number
            self.ran = ran

        async def invoke(self, invocation):
            self.ran.append(self.number)
            await asyncio.sleep(0.5 if self.number else 60)
            return InvocationResult(200, b"")

    spread, lost = in_a_platform(tmp_path, scenario)
    assert spread == [0, 0, 1, 1, 2, 2]
    assert lost == ["ServiceUnavailable"]
