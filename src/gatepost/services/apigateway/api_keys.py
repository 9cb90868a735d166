"""API keys: made, listed, changed and deleted. Their values are sealed, and given only to who asks for them."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call, RecordKey
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.api_key_pages import KeyPages
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.paging import first_page, position_of
from gatepost.services.apigateway.patches import Patch, PatchTable, boolean, rule
from gatepost.services.apigateway.records import ApiRecords, Held
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.services.apigateway.usage_model import (
    API_KEY,
    API_KEY_DIGEST,
    API_KEY_PLACE,
    DIGEST_PURPOSE,
    USAGE,
    USAGE_EXTENSION,
    USAGE_PLAN_KEY,
    ApiKey,
)
from gatepost.storage.base import Write

VALUE_CHARACTERS_MIN: Final = 20
VALUE_CHARACTERS_MAX: Final = 128
NAME_CHARACTERS_MAX: Final = 1_024
DESCRIPTION_CHARACTERS_MAX: Final = 1_024  # unverified
CUSTOMER_ID_CHARACTERS_MAX: Final = 256  # unverified
STAGE_KEYS_MAX: Final = 100  # unverified
CUSTOM_ID_TAG: Final = "_custom_id_"
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_VALUE: Final = re.compile(r"[\x21-\x7e]+")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STAGE_KEY: Final = re.compile(r"[A-Za-z0-9]{1,64}/[A-Za-z0-9_-]{1,128}")
_SCAN_PAGE: Final = 500


class ApiKeys:
    """The operations on API keys.

    Values: "API key values are alphanumeric strings between 20 and 128 characters",
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-setup-api-key-with-console.html ; AWS
    lets other printable characters pass, and so do we (unverified).
    """

    def __init__(self, records: ApiRecords, pages: KeyPages, seal: Seal) -> None:
        self._records = records
        self._pages = pages
        self._seal = seal
        self._digest = seal.digester(DIGEST_PURPOSE)

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a key. Raises: BadRequestException, ConflictException."""
        if params.get("generateDistinctId") is False:
            raise BadRequestException(
                "generateDistinctId false is deprecated and would show the key's value as its identifier: leave it out"
            )
        value = params.get("value") or random_id(40, _ALPHABET)
        key = self.new(call, value, params)
        async with self._pages.turn(call, key.digest):
            await self._commit_new(call, key)
            await self._pages.publish(call, [key.digest])
        return key.to_aws(value)

    def new(self, call: Call, value: str, params: Mapping[str, Any], plan_ids: tuple[str, ...] = ()) -> ApiKey:
        """Make a key's record, in no store yet. Raises: BadRequestException."""
        tags = params.get("tags", {})
        check_tags(tags)
        check_value(value)
        stages = [f"{each.get('restApiId', '')}/{each.get('stageName', '')}" for each in params.get("stageKeys", ())]
        key = ApiKey(
            id=_new_id(tags),
            digest=self._digest(value.encode()),
            sealed_value="",
            name=params.get("name", ""),
            created_at_ms=call.now_ms,
            updated_at_ms=call.now_ms,
            description=params.get("description", ""),
            customer_id=params.get("customerId", ""),
            is_enabled=params.get("enabled", False),
            stage_keys=tuple(dict.fromkeys(stages)),
            plan_ids=plan_ids,
            tags=tags,
        )
        _check(key)
        sealed = self._seal.seal(value.encode(), purpose=_purpose(key.id))
        return replace(key, sealed_value=base64.b64encode(sealed).decode())

    def writes(self, call: Call, key: ApiKey) -> list[Write]:
        """Give what stores a new key with its place in the plans it names."""
        return [
            Write(call.key(API_KEY, key.id), key.to_json(), 0),
            Write(call.key(API_KEY_DIGEST, key.digest), {"id": key.id, "line": key.line}, 0),
            *(Write(call.key(USAGE_PLAN_KEY, f"{plan}/{key.id}"), {}, 0) for plan in key.plan_ids),
        ]

    async def _commit_new(self, call: Call, key: ApiKey) -> None:
        try:
            await self._records.store.commit([Write(call.key(API_KEY_PLACE, "keys"), {}), *self.writes(call, key)])
        except VersionConflict:
            raise ConflictException("API Key already exists") from None

    async def exists(self, call: Call, value: str) -> bool:
        """Say whether a key of the account and region has this value."""
        return await self._records.store.get(call.key(API_KEY_DIGEST, self._digest(value.encode()))) is not None

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a key, with its value when that is asked for. Raises: NotFoundException."""
        key = (await self.held(call, params["apiKey"])).value
        return key.to_aws(self.value_of(key) if params.get("includeValue") else None)

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of keys by id, those whose name begins with `nameQuery` and who are a customer's.

        unverified: AWS does not say how `nameQuery` is compared.
        """
        wanted, customer = params.get("nameQuery", ""), params.get("customerId")
        keys = (
            key
            async for key in self._after(call, position_of(params))
            if key.name.startswith(wanted) and customer in (None, key.customer_id)
        )
        page, position = await first_page(keys, params, lambda key: key.id)
        with_values = params.get("includeValues", False)
        return {"items": [key.to_aws(self.value_of(key) if with_values else None) for key in page], **position}

    async def _after(self, call: Call, after: str) -> AsyncIterator[ApiKey]:
        while True:
            page = await self._records.store.page(
                API_KEY, call.account_id, call.region, after=after, count_max=_SCAN_PAGE
            )
            for record in page:
                yield ApiKey.from_json(record.value)
            if len(page) < _SCAN_PAGE:
                return
            after = page[-1].key.id

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a key and tell the gateway. Raises: NotFoundException, BadRequestException."""

        def change(key: ApiKey) -> ApiKey:
            changed = _PATCHES.apply(key, params)
            _check(changed)
            return replace(changed, updated_at_ms=call.now_ms)

        return (await self.change(call, params["apiKey"], change)).to_aws()

    async def change(self, call: Call, key_id: str, change: Callable[[ApiKey], ApiKey], *more: Write) -> ApiKey:
        """Replace a key by what `change` makes of it, with `more` writes, and tell the gateway.

        Raises: NotFoundException, ConflictException, and what `change` raises.
        """

        async def attempt() -> ApiKey:
            held = await self.held(call, key_id)
            async with self._pages.turn(call, held.value.digest):
                changed = change(held.value)
                digest = Write(call.key(API_KEY_DIGEST, changed.digest), {"id": key_id, "line": changed.line})
                await self._records.store.commit([Write(held.key, changed.to_json(), held.version), digest, *more])
                if changed.line != held.value.line:
                    await self._pages.publish(call, [changed.digest])
            return changed

        return await self._records.changing(call, f"apikeys/{key_id}", attempt)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a key, take it out of its plans and from the gateway. Raises: NotFoundException."""
        key_id = params["apiKey"]

        async def attempt() -> None:
            held = await self.held(call, key_id)
            key = held.value
            async with self._pages.turn(call, key.digest):
                gone = [Write(held.key, None, held.version), Write(call.key(API_KEY_DIGEST, key.digest), None)]
                gone.extend(
                    Write(call.key(kind, f"{plan}/{key_id}"), None)
                    for plan in key.plan_ids
                    for kind in (USAGE_PLAN_KEY, USAGE, USAGE_EXTENSION)
                )
                await self._records.store.commit(gone)
                await self._pages.publish(call, [key.digest])

        await self._records.changing(call, f"apikeys/{key_id}", attempt)

    async def held(self, call: Call, key_id: str) -> Held[ApiKey]:
        """Give a key as it is stored. Raises: NotFoundException."""
        place: RecordKey = call.key(API_KEY, key_id)
        record = await self._records.store.get(place)
        if record is None:
            raise NotFoundException("Invalid API Key identifier specified")
        return Held(place, record.version, ApiKey.from_json(record.value))

    def value_of(self, key: ApiKey) -> str:
        """Open a key's value."""
        return self._seal.open(base64.b64decode(key.sealed_value), purpose=_purpose(key.id)).decode()


def check_value(value: str) -> None:
    """Check a key's value. The value itself is in no message. Raises: BadRequestException."""
    if len(value) < VALUE_CHARACTERS_MIN:
        raise BadRequestException(f"API Key value should be at least {VALUE_CHARACTERS_MIN} characters")
    if len(value) > VALUE_CHARACTERS_MAX:
        raise BadRequestException(f"API Key value should be at most {VALUE_CHARACTERS_MAX} characters")
    if not _VALUE.fullmatch(value):
        raise BadRequestException("API Key value should hold printable ASCII characters without spaces only")


def _check(key: ApiKey) -> None:
    for what, text, characters_max in (
        ("name", key.name, NAME_CHARACTERS_MAX),
        ("description", key.description, DESCRIPTION_CHARACTERS_MAX),
        ("customerId", key.customer_id, CUSTOMER_ID_CHARACTERS_MAX),
    ):
        if len(text) > characters_max:
            raise BadRequestException(f"API Key {what} must have at most {characters_max} characters")
        if any(character < " " or character == "\x7f" for character in text):
            raise BadRequestException(f"API Key {what} must not hold control characters")
    if len(key.stage_keys) > STAGE_KEYS_MAX:
        raise BadRequestException(f"At most {STAGE_KEYS_MAX} stages are allowed for an API Key")
    for stage in key.stage_keys:
        if not _STAGE_KEY.fullmatch(stage):
            raise BadRequestException(f"Invalid stage identifier specified: {stage[:200]}")


def _new_id(tags: Mapping[str, str]) -> str:
    pinned = tags.get(CUSTOM_ID_TAG)
    if pinned is None:
        return random_id(10)
    if not _ID.fullmatch(pinned):
        raise BadRequestException(f"Invalid tag {CUSTOM_ID_TAG}: use 1 to 64 letters, digits, - and _")
    return pinned


def _purpose(key_id: str) -> str:
    return f"api-key-value/{key_id}"


def _labels(key: ApiKey, patch: Patch) -> ApiKey:
    check_supported("labels of API keys", patch.value or patch.path)
    return key


def _stages(key: ApiKey, patch: Patch) -> ApiKey:
    if patch.op == "add":
        return replace(key, stage_keys=tuple(dict.fromkeys((*key.stage_keys, patch.value))))
    if patch.value not in key.stage_keys:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return replace(key, stage_keys=tuple(each for each in key.stage_keys if each != patch.value))


_PATCHES: Final[PatchTable[ApiKey]] = PatchTable(
    (
        rule("/name", "replace", lambda key, patch: replace(key, name=patch.value)),
        rule("/description", "replace", lambda key, patch: replace(key, description=patch.value)),
        rule("/enabled", "replace", lambda key, patch: replace(key, is_enabled=boolean(patch))),
        rule("/customerId", "replace", lambda key, patch: replace(key, customer_id=patch.value)),
        rule("/stages", "add remove", _stages),
        rule("/labels", "add remove", _labels),
    )
)
