"""From a request's Host to a custom domain name, and by its path and headers to a stage of an API.

Routing rules come first, in the order of their priorities, then API mappings: the one with the most levels that the
path begins with. What a rule or mapping takes from the path is its base path; the rest is the API's.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-routing-rules.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatepost.gateway.guards.resource_policy import expanded_policy
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.router import split_stage
from gatepost.gateway.tls_names import trust_of
from gatepost.kernel.ports import Replica
from gatepost.services.apigateway.domain_publication import (
    CUSTOM_DOMAIN,
    MAPPINGS_ONLY,
    RULES_ONLY,
    PublishedDomain,
    PublishedRule,
)
from gatepost.services.cognito_idp.publication import POOL_DOMAIN
from gatepost.wire.messages import Request

log = logging.getLogger(__name__)

_UNREADABLE: Final = (KeyError, TypeError, ValueError)
NOBODY: Final = '{"Version": "2012-10-17", "Statement": []}'


class DomainMatch:
    """Where a request leads that came by a custom domain name."""

    __slots__ = ("api_id", "base_path", "domain_name", "invocation_arn", "path", "policy", "rule_id", "stage_name")

    def __init__(
        self, domain_name: str, base_path: str, api_id: str, stage_name: str, path: str, rule_id: str = ""
    ) -> None:
        self.domain_name: str = domain_name
        self.base_path: str = base_path
        self.api_id: str = api_id
        self.stage_name: str = stage_name
        self.path: str = path
        self.rule_id: str = rule_id
        self.policy = ""  # these two are of private domain names
        self.invocation_arn = ""


NOT_ALLOWED: Final = DomainMatch("", "", "", "", "/")
"""The domain name is there, and the request may not use it or leads nowhere: 403."""


class CustomDomain:
    """A domain name, ready to route."""

    def __init__(self, published: PublishedDomain) -> None:
        self._domain = published
        self._trust = trust_of(published.trust_store)
        self._mappings = {each.base_path: each for each in published.mappings}
        self._levels = max((each.base_path.count("/") + 1 for each in published.mappings if each.base_path), default=0)
        self._rules: list[tuple[PublishedRule, list[Callable[[Request], bool]]]] = [
            (rule, [_header_check(condition) for condition in rule.headers])
            for rule in sorted(published.rules, key=lambda each: each.priority)
        ]

    def find(self, request: Request, host: str) -> DomainMatch:
        """Find where a request leads. `host` is its Host without port, which differs from a wildcard's name."""
        domain = self._domain
        if not self._lets_in(request, host):
            return NOT_ALLOWED
        if domain.routing_mode != MAPPINGS_ONLY and (found := self._by_rule(request, host)) is not None:
            return found
        if domain.routing_mode != RULES_ONLY and (found := self._by_mapping(request, host)) is not None:
            return found
        return NOT_ALLOWED

    def _lets_in(self, request: Request, host: str) -> bool:
        """Say whether the connection satisfies the domain name's terms.

        A handshake for one name says nothing of another: who asks for a domain name with mutual TLS must have shown
        its certificate under that domain's own terms, and nobody does on a connection without TLS. Terms are those of
        now: a connection whose certificate was checked against a trust store that has been exchanged may ask no more.
        """
        domain, tls = self._domain, request.peer.tls
        if self._trust and (
            tls is None or tls.domain_name != domain.name or tls.client_certificate is None or tls.trust != self._trust
        ):
            return False
        return not domain.is_strict or tls is None or tls.server_name == host

    def _by_rule(self, request: Request, host: str) -> DomainMatch | None:
        for rule, checks in self._rules:
            base_path = _matching(rule.base_paths, request.path)
            if base_path is None or not all(check(request) for check in checks):
                continue
            path = _without(base_path, request.path) if rule.strips_base_path else request.path
            return DomainMatch(host, base_path, rule.api_id, rule.stage_name, path, rule.id)
        return None

    def _by_mapping(self, request: Request, host: str) -> DomainMatch | None:
        path = request.path
        parts = path[1:].split("/", self._levels)[: self._levels]
        for count in range(len(parts), -1, -1):
            mapping = self._mappings.get("/".join(parts[:count]))
            if mapping is None or (count and not mapping.base_path):
                continue
            rest = _without(mapping.base_path, path)
            stage_name = mapping.stage_name
            if not stage_name:
                stage_name, rest = split_stage(rest)
            return DomainMatch(host, mapping.base_path, mapping.api_id, stage_name, rest)
        return None


class PrivateDomain(CustomDomain):
    """A private domain name: for the VPC endpoints that are associated with it, and those that its policy lets in."""

    def __init__(self, published: PublishedDomain) -> None:
        super().__init__(published)
        self.vpc_endpoint_ids = frozenset(published.vpc_endpoint_ids or ())
        self._arn = published.invocation_arn
        self._policy = _whole_policy(published)

    def find(self, request: Request, host: str) -> DomainMatch:
        """Find where a request leads, with the policy that its guard asks."""
        match = super().find(request, host)
        if match is not NOT_ALLOWED:
            match.policy, match.invocation_arn = self._policy, self._arn
        return match


def _whole_policy(domain: PublishedDomain) -> str:
    """Give a private domain name's policy with `execute-api:/…` as ARNs; none denies everybody, as on AWS."""
    if not domain.policy:
        return NOBODY
    prefix = f"arn:aws:execute-api:{domain.region}:{domain.account_id}:/"
    try:
        return expanded_policy(domain.policy, prefix, f"the policy of {domain.name}")
    except MappingError as error:
        log.error("a private domain name lets nobody in", extra={"domain": domain.name, "error": str(error)})
        return NOBODY


class CustomDomains:
    """Every custom domain name that is published, by name; a wildcard stands for one label."""

    def __init__(self) -> None:
        self._elsewhere: set[str] = set()  # user pools' domains: they are not caught by a wildcard
        self._keys: dict[str, str] = {}  # of publication: name
        self._domains: dict[str, CustomDomain] = {}
        self._private: dict[str, tuple[str, PrivateDomain]] = {}  # by key of publication, with the name

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(CUSTOM_DOMAIN, self.take)
        replica.watch(POOL_DOMAIN, self.take_pool_domain)

    def take_pool_domain(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Leave a user pool's domain to its pages, whatever wildcard covers it; None: it is gone."""
        if value is None:
            self._elsewhere.discard(name)
        else:
            self._elsewhere.add(name)

    def take(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Put a domain name into effect; None takes it away."""
        domains = dict(self._domains)
        private = dict(self._private)
        private.pop(key, None)
        old = self._keys.pop(key, None)
        if old is not None:
            domains.pop(old, None)
        if value is not None:
            try:
                published = PublishedDomain.from_json(value)
                if published.vpc_endpoint_ids is not None:
                    private[key] = published.name, PrivateDomain(published)
                else:
                    domains[published.name] = CustomDomain(published)
                    self._keys[key] = published.name
            except _UNREADABLE as error:
                log.error("a domain name was not put into effect", extra={"key": key, "error": str(error)})
        self._domains = domains
        self._private = private

    def find_private(self, request: Request, vpc_endpoint_id: str) -> DomainMatch | None:
        """Find where a request leads that came through a VPC endpoint; None: its Host is no private domain name.

        Several private domain names may have one name: the one counts that is associated with the endpoint.
        """
        if not self._private:
            return None
        host = request.host().partition(":")[0].rstrip(".")
        named = [domain for name, domain in self._private.values() if name == host]
        for domain in named:
            if vpc_endpoint_id in domain.vpc_endpoint_ids:
                return domain.find(request, host)
        return NOT_ALLOWED if named else None

    def find(self, request: Request) -> DomainMatch | None:
        """Find where a request leads by its Host; None: the Host is no custom domain name."""
        domains = self._domains
        if not domains:
            return None
        host = request.host()
        if ":" in host:
            host = host.partition(":")[0]
        host = host.rstrip(".")
        domain = domains.get(host)
        if domain is None and host not in self._elsewhere:
            domain = domains.get(f"*.{host.partition('.')[2]}")
        return domain.find(request, host) if domain is not None else None


def _matching(base_paths: tuple[str, ...], path: str) -> str | None:
    """Give the longest of the base paths that a path begins with, "" when there is no such condition; None: none."""
    if not base_paths:
        return ""
    found = [each for each in base_paths if path == f"/{each}" or path.startswith(f"/{each}/")]
    return max(found, key=len) if found else None


def _without(base_path: str, path: str) -> str:
    return path[len(base_path) + 1 :] or "/" if base_path else path


def _header_check(condition: tuple[tuple[str, str], ...]) -> Callable[[Request], bool]:
    """Compile a condition on headers: one of them has a value that fits its glob (a `*` at either end)."""
    wanted = [(name.encode("latin-1"), _glob(value.encode("latin-1"))) for name, value in condition]

    def check(request: Request) -> bool:
        return any(fits(value) for name, fits in wanted for key, value in request.headers if key.lower() == name)

    return check


def _glob(pattern: bytes) -> Callable[[bytes], bool]:
    text = pattern.strip(b"*")
    if pattern.startswith(b"*") and pattern.endswith(b"*"):
        return lambda value: text in value
    if pattern.startswith(b"*"):
        return lambda value: value.endswith(text)
    if pattern.endswith(b"*"):
        return lambda value: value.startswith(text)
    return lambda value: value == text
