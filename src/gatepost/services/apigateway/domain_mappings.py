"""The operations on base path mappings, and what API Gateway V2 does beyond them: several levels, ids, routing rules.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-routing-rules.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.domain_model import (
    NO_BASE_PATH,
    BasePathMapping,
    DomainName,
    RoutingRule,
    reference_of,
)
from gatepost.services.apigateway.domain_publication import MAPPINGS_ONLY, RULES_ONLY
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import PatchTable, rule

MAPPINGS_MAX: Final = 200
RULES_MAX: Final = 50
HEADER_CONDITIONS_MAX: Final = 2
PATH_CONDITIONS_MAX: Final = 1
ANY_OF_MAX: Final = 10  # unverified: a bound of ours
BASE_PATH_CHARACTERS_MAX: Final = 300
PRIORITY_MAX: Final = 1_000_000
_PATH: Final = re.compile(r"[A-Za-z0-9$\-_.+!*'()]+(?:/[A-Za-z0-9$\-_.+!*'()]+)*")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")
_GLOB: Final = re.compile(r"\*?[\x21-\x29\x2b-\x7e ]{0,128}\*?")


class BasePathMappings:
    """Mappings and routing rules of custom domain names."""

    def __init__(self, domains: DomainRecords) -> None:
        self._domains = domains

    # -- V1

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Map a base path to an API. Raises: NotFoundException, BadRequestException, ConflictException."""
        base_path = _v1_base_path(params.get("basePath", ""))
        mapping = BasePathMapping(random_id(6), base_path, params["restApiId"], params.get("stage", ""))
        return (await self.add(call, _name(params), mapping)).to_aws()

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give the mapping of a base path. Raises: NotFoundException."""
        domain = await self._domains.find(call, _name(params))
        return _by_path(domain, params["basePath"]).to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of a domain name's mappings."""
        domain = await self._domains.find(call, _name(params))
        page, position = paged({each.base_path or NO_BASE_PATH: each for each in domain.mappings}, params)
        return {"items": [each.to_aws() for each in page], **position}

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a mapping: its path, API or stage. Raises: as `create`."""
        old = _by_path(await self._domains.find(call, _name(params)), params["basePath"])
        return (await self.replace(call, _name(params), _PATCHES.apply(old, params))).to_aws()

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a mapping away. Raises: NotFoundException."""
        domain = await self._domains.find(call, _name(params))
        await self.remove(call, domain.record_id, _by_path(domain, params["basePath"]).id)

    # -- what V1 and V2 share

    async def of(self, call: Call, name: str) -> DomainName:
        """Give a domain name with its mappings and rules. Raises: NotFoundException."""
        return await self._domains.find(call, name)

    async def add(self, call: Call, name: str, mapping: BasePathMapping) -> BasePathMapping:
        """Add a mapping. Raises: NotFoundException, BadRequestException, ConflictException, LimitExceededException."""
        _check_path(mapping.base_path)
        await self._domains.check_target(call, name, mapping.api_id, mapping.stage_name)

        def change(domain: DomainName) -> tuple[DomainName, None]:
            if domain.routing_mode == RULES_ONLY:
                raise BadRequestException("The domain name's routing mode is ROUTING_RULE_ONLY: it takes no mappings")
            if any(each.base_path == mapping.base_path for each in domain.mappings):
                raise ConflictException("Base path already exists for this domain name")
            if len(domain.mappings) >= MAPPINGS_MAX:
                raise LimitExceededException(f"A domain name has at most {MAPPINGS_MAX} mappings")
            return replace(domain, mappings=(*domain.mappings, mapping)), None

        await self._domains.change(call, name, change)
        return mapping

    async def replace(self, call: Call, name: str, mapping: BasePathMapping) -> BasePathMapping:
        """Put a mapping in the place of the one of its id. Raises: as `add`."""
        _check_path(mapping.base_path)
        await self._domains.check_target(call, name, mapping.api_id, mapping.stage_name)

        def change(domain: DomainName) -> tuple[DomainName, None]:
            _by_id(domain, mapping.id)
            others = tuple(each for each in domain.mappings if each.id != mapping.id)
            if any(each.base_path == mapping.base_path for each in others):
                raise ConflictException("Base path already exists for this domain name")
            return replace(domain, mappings=(*others, mapping)), None

        await self._domains.change(call, name, change)
        return mapping

    async def remove(self, call: Call, name: str, mapping_id: str) -> None:
        """Take a mapping away. Raises: NotFoundException."""

        def change(domain: DomainName) -> tuple[DomainName, None]:
            _by_id(domain, mapping_id)
            return replace(domain, mappings=tuple(each for each in domain.mappings if each.id != mapping_id)), None

        await self._domains.change(call, name, change)

    # -- routing rules

    async def put_rule(
        self, call: Call, name: str, given: RoutingRule, *, is_new: bool
    ) -> tuple[DomainName, RoutingRule]:
        """Add a routing rule, or put one in the place of that of its id.

        Raises: NotFoundException, BadRequestException, ConflictException, LimitExceededException.
        """
        _check_rule(given)
        await self._domains.find(call, name)
        await self._domains.check_target(call, name, given.api_id, given.stage_name)

        def change(domain: DomainName) -> tuple[DomainName, RoutingRule]:
            if domain.routing_mode == MAPPINGS_ONLY:
                raise BadRequestException(
                    "The domain name's routing mode is API_MAPPING_ONLY: it takes no routing rules"
                )
            others = tuple(each for each in domain.rules if each.id != given.id)
            if not is_new and len(others) == len(domain.rules):
                raise NotFoundException(f"Unable to find Routing Rule by id {given.id}")
            if any(each.priority == given.priority for each in others):
                raise ConflictException(f"A routing rule with priority {given.priority} exists already")
            if len(others) >= RULES_MAX:
                raise LimitExceededException(f"A domain name has at most {RULES_MAX} routing rules")
            rules = sorted((*others, given), key=lambda each: each.priority)
            return replace(domain, rules=tuple(rules)), given

        return await self._domains.change(call, name, change)

    async def remove_rule(self, call: Call, name: str, rule_id: str) -> None:
        """Take a routing rule away. Raises: NotFoundException."""

        def change(domain: DomainName) -> tuple[DomainName, None]:
            others = tuple(each for each in domain.rules if each.id != rule_id)
            if len(others) == len(domain.rules):
                raise NotFoundException(f"Unable to find Routing Rule by id {rule_id}")
            return replace(domain, rules=others), None

        await self._domains.change(call, name, change)


def _name(params: Mapping[str, Any]) -> str:
    return reference_of(params["domainName"], params.get("domainNameId", ""))


def _v1_base_path(given: str) -> str:
    base_path = "" if given == NO_BASE_PATH else given
    if "/" in base_path:
        raise BadRequestException(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. "
            "To create a multi-level base path mapping, use API Gateway V2."
        )
    return base_path


_PATCHES: Final[PatchTable[BasePathMapping]] = PatchTable(
    (
        rule("/basePath", "replace", lambda mapping, patch: replace(mapping, base_path=_v1_base_path(patch.value))),
        # AWS's page says /basepath; its guides and tools say /basePath.
        rule("/basepath", "replace", lambda mapping, patch: replace(mapping, base_path=_v1_base_path(patch.value))),
        rule("/restapiId", "replace", lambda mapping, patch: replace(mapping, api_id=patch.value)),
        rule("/stage", "replace", lambda mapping, patch: replace(mapping, stage_name=patch.value)),
    )
)


def _by_path(domain: DomainName, given: str) -> BasePathMapping:
    base_path = "" if given == NO_BASE_PATH else given
    for each in domain.mappings:
        if each.base_path == base_path:
            return each
    raise NotFoundException("Invalid base path mapping identifier specified")


def _by_id(domain: DomainName, mapping_id: str) -> BasePathMapping:
    for each in domain.mappings:
        if each.id == mapping_id:
            return each
    raise NotFoundException("Unable to find ApiMapping by id " + mapping_id)


def _check_path(base_path: str) -> None:
    if base_path and (len(base_path) > BASE_PATH_CHARACTERS_MAX or not _PATH.fullmatch(base_path)):
        raise BadRequestException(
            f"Invalid base path {base_path[:300]}: use letters, numbers and $-_.+!*'() , at most "
            f"{BASE_PATH_CHARACTERS_MAX} characters"
        )


def _check_rule(given: RoutingRule) -> None:
    """Check a rule's priority and conditions. Raises: BadRequestException."""
    if not 1 <= given.priority <= PRIORITY_MAX:
        raise BadRequestException(f"Priority {given.priority} must be between 1 and {PRIORITY_MAX}")
    paths, headers = 0, 0
    for condition in given.conditions:
        if ("MatchBasePaths" in condition) == ("MatchHeaders" in condition):
            raise BadRequestException("A condition has either MatchBasePaths or MatchHeaders")
        if "MatchBasePaths" in condition:
            paths += 1
            _check_any_of(condition["MatchBasePaths"]["AnyOf"])
            for path in condition["MatchBasePaths"]["AnyOf"]:
                _check_path(path.strip("/"))
        else:
            headers += 1
            _check_any_of(condition["MatchHeaders"]["AnyOf"])
            for each in condition["MatchHeaders"]["AnyOf"]:
                if not _HEADER.fullmatch(each["Header"]) or not _GLOB.fullmatch(each["ValueGlob"]):
                    raise BadRequestException(f"Invalid header condition {each['Header']}: {each['ValueGlob']}")
    if paths > PATH_CONDITIONS_MAX or headers > HEADER_CONDITIONS_MAX:
        raise BadRequestException("A routing rule has at most one MatchBasePaths and two MatchHeaders conditions")


def _check_any_of(any_of: Sequence[Any]) -> None:
    if not 1 <= len(any_of) <= ANY_OF_MAX:
        raise BadRequestException(f"AnyOf has 1 to {ANY_OF_MAX} entries, not {len(any_of)}")
