"""Objects read from the S3 that the operator named (`--service s3=http://…`), with the key that was given for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from gatepost.app.deliveries import ForwardedDeliveries, signed_request
from gatepost.awsapi.forwarding import ForwardedService
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.stored_objects import ObjectTooLarge
from gatepost.wire.client import Client
from gatepost.wire.outgoing import UpstreamError, UpstreamTooLarge

_HIDDEN: Final = frozenset({400, 403, 404, 405})  # no such key, bucket or version; not for the operator's key


class ForwardedObjects:
    """`kernel.stored_objects.StoredObjects` over HTTP."""

    def __init__(self, service: ForwardedService, *, client: Client, clock: Clock) -> None:
        self._service = service
        self._client = client
        self._clock = clock

    async def read(self, bucket: str, key: str, version: str, *, region: str, bytes_max: int) -> bytes | None:
        """Give an object's content, or None when the endpoint does not show one.

        Raises: ObjectTooLarge, ServiceUnavailable.
        """
        path = f"{self._service.base_path}/{bucket}/{quote(key, safe='/-_.~')}"
        query = f"versionId={quote(version, safe='-_.~')}" if version else ""
        now_ms = self._clock.now_ms()
        outgoing = signed_request(self._service, "GET", path, query, (), b"", region=region, now_ms=now_ms)
        outgoing.body_bytes_max = bytes_max
        try:
            answer = await self._client.send(outgoing)
        except UpstreamTooLarge as error:
            raise ObjectTooLarge(f"s3://{bucket}/{key}") from error
        except (UpstreamError, ValueError) as error:
            raise ServiceUnavailable("The endpoint for s3 does not answer", detail=f"{path}: {error}") from error
        if answer.status in _HIDDEN:
            return None
        if answer.status != 200:
            raise ServiceUnavailable("The endpoint for s3 did not give the object", detail=f"{path}: {answer.status}")
        return bytes(answer.body)


def forwarded_ports(
    services: Sequence[ForwardedService], *, client: Client, clock: Clock
) -> tuple[ForwardedDeliveries, ForwardedObjects | None]:
    """Give what the platform's own services send to and read from the operator's; nothing is read without an S3."""
    s3 = next((each for each in services if each.name == "s3"), None)
    objects = None if s3 is None else ForwardedObjects(s3, client=client, clock=clock)
    return ForwardedDeliveries(services, client=client, clock=clock), objects
