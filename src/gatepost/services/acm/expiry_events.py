"""Events of certificates that are about to expire, one a day for each, and the account's configuration of them.

https://docs.aws.amazon.com/acm/latest/userguide/supported-events.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, RecordKey, operation
from gatepost.kernel.ports import EventSink
from gatepost.services.acm.model import Certificate, ConflictException
from gatepost.services.acm.shapes import status_of
from gatepost.storage.base import Records

Params = Mapping[str, Any]
Answer = dict[str, Any]

CONFIGURATION: Final = "acm.configuration"  # kind of record: one of each account and region
DAYS_BEFORE_EXPIRY: Final = 45
TOKEN_KEPT_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """How many days before its end a certificate is told of; 0: never. With the last request's token."""

    days: int = DAYS_BEFORE_EXPIRY
    token: str = ""
    changed_at_ms: int = 0


class ExpiryEvents:
    """Keeps the configurations, and announces what is about to expire."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._configurations: dict[tuple[str, str], Configuration] = {}
        self._told: dict[str, int] = {}  # by ARN: the day of the last event
        self.sink: EventSink | None = None

    async def start(self) -> None:
        """Read the configurations. Raises: StoreUnavailable."""
        for record in await self._records.scan(CONFIGURATION):
            self._configurations[record.key.account_id, record.key.region] = Configuration(**record.value)

    def of(self, account_id: str, region: str) -> Configuration:
        """Give an account's configuration in a region."""
        return self._configurations.get((account_id, region), Configuration())

    async def change(self, call: Call, days: int, token: str) -> None:
        """Replace a configuration. Raises: ConflictException, StoreUnavailable."""
        now = self.of(call.account_id, call.region)
        if token == now.token and call.now_ms < now.changed_at_ms + TOKEN_KEPT_MS and days != now.days:
            raise ConflictException("The request conflicts with one with the same IdempotencyToken.")
        changed = Configuration(days, token, call.now_ms)
        value = {"days": days, "token": token, "changed_at_ms": call.now_ms}
        key = RecordKey(CONFIGURATION, call.account_id, call.region, "configuration")
        try:
            await self._records.put(key, value, expected_version=None)
        except VersionConflict as conflict:
            raise ConflictException("The configuration was changed at the same time.") from conflict
        self._configurations[call.account_id, call.region] = changed

    async def announce(self, certificates: Iterable[Certificate], now_ms: int) -> None:
        """Tell of every certificate that is about to expire and was not told of today."""
        if self.sink is None:
            return
        today, told = now_ms // _DAY_MS, {}
        for one in certificates:
            _, _, _, region, account_id, _ = one.arn.split(":", 5)
            if one.status != "ISSUED" or status_of(one, now_ms) != "ISSUED":
                continue
            left_ms = one.facts["not_after_ms"] - now_ms
            if left_ms > self.of(account_id, region).days * _DAY_MS:
                continue
            told[one.arn] = today
            if self._told.get(one.arn) != today:
                await self.sink.announce(
                    account_id,
                    region,
                    source="aws.acm",
                    detail_type="ACM Certificate Approaching Expiration",
                    resources=[one.arn],
                    detail={"DaysToExpiry": left_ms // _DAY_MS, "CommonName": one.domain_name},
                )
        self._told = told


class ConfigurationOperations:
    """The operations on the account's configuration; a part of the provider."""

    _expiry_events: ExpiryEvents

    @operation("GetAccountConfiguration")
    def get_account_configuration(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Say how many days before the end events begin."""
        return {"ExpiryEvents": {"DaysBeforeExpiry": self._expiry_events.of(call.account_id, call.region).days}}

    @operation("PutAccountConfiguration")
    async def put_account_configuration(self, call: Call, params: Params) -> Answer:
        """Set how many days before the end events begin. Raises: ConflictException."""
        days = params.get("ExpiryEvents", {}).get("DaysBeforeExpiry", DAYS_BEFORE_EXPIRY)
        await self._expiry_events.change(call, days, params["IdempotencyToken"])
        return {}
