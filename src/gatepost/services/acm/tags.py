"""Tags of certificates, by ACM's older operations and by those that all services have by now."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.acm.model import (
    AcmValidationException,
    Certificate,
    InvalidTagException,
    ServiceQuotaExceededException,
    TooManyTagsException,
)

Params = Mapping[str, Any]
Answer = dict[str, Any]

TAGS_MAX: Final = 50
_TAG_KEY: Final = re.compile(r"[\w .:/=+\-@]{1,128}")


class TagOperations:
    """The operations on tags; a part of the provider."""

    _of: Callable[[Call, str], Certificate]
    _write: Callable[[Certificate], Coroutine[Any, Any, None]]

    @operation("AddTagsToCertificate")
    async def add_tags_to_certificate(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: ResourceNotFoundException, InvalidTagException, TooManyTagsException."""
        certificate = self._of(call, params["CertificateArn"])
        tags = {**certificate.tags, **tags_of(params)}
        if len(tags) > TAGS_MAX:
            raise TooManyTagsException(f"A certificate has at most {TAGS_MAX} tags.")
        await self._write(replace(certificate, tags=tags))
        return {}

    @operation("RemoveTagsFromCertificate")
    async def remove_tags_from_certificate(self, call: Call, params: Params) -> Answer:
        """Remove tags: by key, or by key and value where both are given. Raises: ResourceNotFoundException."""
        certificate = self._of(call, params["CertificateArn"])
        gone = {
            tag["Key"]
            for tag in params["Tags"]
            if "Value" not in tag or certificate.tags.get(tag["Key"]) == tag["Value"]
        }
        await self._write(replace(certificate, tags={k: v for k, v in certificate.tags.items() if k not in gone}))
        return {}

    @operation("ListTagsForCertificate")
    def list_tags_for_certificate(self, call: Call, params: Params) -> Answer:
        """Give a certificate's tags. Raises: ResourceNotFoundException."""
        return _listed(self._of(call, params["CertificateArn"]))

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add or replace tags.

        Raises: ResourceNotFoundException, ValidationException, ServiceQuotaExceededException.
        """
        certificate = self._of(call, params["ResourceArn"])
        try:
            tags = {**certificate.tags, **tags_of(params)}
        except InvalidTagException as error:
            raise AcmValidationException(error.message) from error
        if len(tags) > TAGS_MAX:
            raise ServiceQuotaExceededException(f"A certificate has at most {TAGS_MAX} tags.")
        await self._write(replace(certificate, tags=tags))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Remove tags by key. Raises: ResourceNotFoundException."""
        certificate = self._of(call, params["ResourceArn"])
        left = {key: value for key, value in certificate.tags.items() if key not in params["TagKeys"]}
        await self._write(replace(certificate, tags=left))
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a certificate's tags. Raises: ResourceNotFoundException."""
        return _listed(self._of(call, params["ResourceArn"]))


def tags_of(params: Params) -> dict[str, str]:
    """Give the tags of a request. Raises: InvalidTagException."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", ())}
    if any(key.lower().startswith("aws:") or not _TAG_KEY.fullmatch(key) for key in tags):
        raise InvalidTagException("A tag's key has 1 to 128 characters and does not begin with aws:.")
    return tags


def _listed(certificate: Certificate) -> Answer:
    return {"Tags": [{"Key": key, "Value": value} for key, value in certificate.tags.items()]}
