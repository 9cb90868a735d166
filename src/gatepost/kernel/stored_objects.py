"""Objects of buckets that lie elsewhere, for services that read settings from S3."""

from __future__ import annotations

from typing import Protocol


class ObjectTooLarge(Exception):
    """An object has more bytes than whoever reads it takes."""


class StoredObjects(Protocol):
    """Reads objects from the S3 that the operator named (`--service s3=URL`)."""

    async def read(self, bucket: str, key: str, version: str, *, region: str, bytes_max: int) -> bytes | None:
        """Give an object's content, or None when the endpoint does not show one.

        Raises: ObjectTooLarge, ServiceUnavailable.
        """
        ...
