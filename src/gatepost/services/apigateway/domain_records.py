"""Reading and changing the records of custom domain names, one change at a time, published after each commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gatepost.kernel.operations import Call, Change
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.domain_model import DOMAIN_NAME, DomainName
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.records import ApiRecords

Result = TypeVar("Result")


class DomainRecords:
    """The records of custom domain names."""

    def __init__(self, records: ApiRecords, publisher: Publisher) -> None:
        self._records = records
        self._publisher = publisher

    async def find(self, call: Call, name: str) -> DomainName:
        """Give a domain name. Raises: NotFoundException."""
        record = await self._records.store.get(call.key(DOMAIN_NAME, name.lower()))
        if record is None:
            raise NotFoundException(f"Invalid domain name identifier specified {name}")
        return DomainName.from_json(record.value)

    async def all(self, call: Call) -> dict[str, DomainName]:
        """Give the account's domain names of the region, by name."""
        found = await self._records.all_of(call, DOMAIN_NAME, "")
        return {record.key.id: DomainName.from_json(record.value) for record in found}

    async def every(self) -> list[DomainName]:
        """Give the domain names of all accounts and regions."""
        return [DomainName.from_json(record.value) for record in await self._records.store.scan(DOMAIN_NAME)]

    async def changes(self) -> list[Change]:
        """Give everything that the gateway should hold."""
        return [domain.published() for domain in await self.every()]

    async def add(self, call: Call, domain: DomainName) -> None:
        """Keep a new domain name: one of a name, in whichever account. Raises: ConflictException."""

        async def attempt() -> None:
            if not domain.is_private and any(
                each.name == domain.name and not each.is_private for each in await self.every()
            ):
                raise ConflictException("The domain name you provided already exists.")
            key = call.key(DOMAIN_NAME, domain.record_id)
            await self._records.store.put(key, domain.to_json(), expected_version=0)
            await self._publisher.publish(domain.published())

        await self._records.changing(call, "domain names", attempt)

    async def change(
        self, call: Call, name: str, change: Callable[[DomainName], tuple[DomainName, Result]]
    ) -> tuple[DomainName, Result]:
        """Replace a domain name by what `change` makes of it; give both. Raises: NotFoundException, its own errors."""

        async def attempt() -> tuple[DomainName, Result]:
            key = call.key(DOMAIN_NAME, name.lower())
            record = await self._records.store.get(key)
            if record is None:
                raise NotFoundException(f"Invalid domain name identifier specified {name}")
            domain, result = change(DomainName.from_json(record.value))
            await self._records.store.put(key, domain.to_json(), expected_version=record.version)
            await self._publisher.publish(domain.published())
            return domain, result

        return await self._records.changing(call, f"domain name {name.lower()}", attempt)

    async def remove(self, call: Call, name: str) -> None:
        """Delete a domain name with its mappings and rules. Raises: NotFoundException."""

        async def attempt() -> None:
            domain = await self.find(call, name)
            if domain.associations:
                raise BadRequestException("The domain name has access associations: delete them first")
            await self._records.store.delete(call.key(DOMAIN_NAME, domain.record_id))
            await self._publisher.publish(domain.withdrawn())

        await self._records.changing(call, f"domain name {name.lower()}", attempt)

    async def check_unmapped(self, call: Call, api_id: str, stage_name: str = "") -> None:
        """Refuse to delete an API or a stage to which a domain name leads. Raises: BadRequestException."""
        names = [domain.name for domain in (await self.all(call)).values() if _leads_to(domain, api_id, stage_name)]
        if names:
            what = "stage" if stage_name else "REST API"
            raise BadRequestException(
                f"Deleting {what} failed. Please remove all base path mappings related to the {what} in your domains: "
                + ", ".join(names)
            )

    async def check_type_may_change(self, call: Call, api_id: str) -> None:
        """Refuse another endpoint type for an API that a private domain name leads to. Raises: BadRequestException."""
        for domain in (await self.all(call)).values():
            if domain.is_private and _leads_to(domain, api_id, ""):
                raise BadRequestException(
                    "The endpoint type of an API cannot be changed while a private domain name is mapped to it: "
                    f"{domain.name}"
                )

    async def check_target(self, call: Call, name: str, api_id: str, stage_name: str) -> None:
        """Check that a domain name may lead to an API and its stage ("" for any). Raises: BadRequestException."""
        domain = await self.find(call, name)
        try:
            api = (await self._records.api(call, api_id)).value
        except NotFoundException as error:
            raise BadRequestException(f"Invalid REST API identifier specified {call.account_id}:{api_id}") from error
        if (api.endpoint_type == "PRIVATE") != domain.is_private:
            kinds = ("private", "public") if domain.is_private else ("public", "private")
            raise BadRequestException(f"A {kinds[0]} domain name cannot be mapped to a {kinds[1]} REST API")
        if stage_name:
            try:
                await self._records.stage(call, api_id, stage_name)
            except NotFoundException as error:
                raise BadRequestException("Invalid stage identifier specified") from error


def _leads_to(domain: DomainName, api_id: str, stage_name: str) -> bool:
    targets = [(each.api_id, each.stage_name) for each in domain.mappings]
    targets.extend((each.api_id, each.stage_name) for each in domain.rules)
    return any(api == api_id and (not stage_name or stage == stage_name) for api, stage in targets)
