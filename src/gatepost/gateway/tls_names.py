"""On what terms TLS connections are made: which certificate and security policy for which server name.

Follows certificates and custom domain names, APIs' and user pools', as they are published. A context is made when one
of the two changes and put in place by one assignment: connections that exist keep the one that they began with, new
ones get the new one. (What a connection may ask for still changes at once: `custom_domains.py` compares trust stores.)
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gatepost.kernel.ports import Replica
from gatepost.security.sealing import NotSealed, Seal
from gatepost.security.tls_contexts import DEFAULT_POLICY, BadContext, server_context
from gatepost.services.acm.publication import DEFAULT, KEY_PURPOSE, TLS_CERTIFICATE
from gatepost.services.apigateway.deployment import API_ENDPOINT
from gatepost.services.apigateway.domain_publication import CUSTOM_DOMAIN, PublishedDomain
from gatepost.services.cognito_idp.publication import POOL_DOMAIN, PublishedPoolDomain
from gatepost.wire.tls import TlsTerms

log = logging.getLogger(__name__)

_UNREADABLE: Final = (KeyError, TypeError, ValueError, NotSealed, BadContext)


class _Wanted(NamedTuple):
    """The terms that somebody has asked for, for a name."""

    name: str
    certificate_arn: str
    security_policy: str
    trust_store: str
    is_private: bool = False


class TlsNames:
    """Finds the terms for a server name: of the domain itself, of its wildcard, else the default ones."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._certificates: dict[str, tuple[str, bytes]] = {}  # by ARN: PEM, and the key as it was sealed
        self._domains: dict[str, _Wanted] = {}  # by topic and key of publication
        self._terms: dict[str, TlsTerms] = {}  # by domain name
        self._default: TlsTerms | None = None
        self._private: dict[str, TlsTerms] = {}  # by the names of private domain names
        self._api_policies: dict[str, str] = {}  # of APIs that have one of their own
        self._apis: dict[str, TlsTerms | None] = {}  # theirs; None: cannot be made, and nobody gets in

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(TLS_CERTIFICATE, self.take_certificate)
        replica.watch(CUSTOM_DOMAIN, self.take_domain)
        replica.watch(POOL_DOMAIN, self.take_pool_domain)
        replica.watch(API_ENDPOINT, self.take_api)

    def find(self, name: str) -> TlsTerms | None:
        """Give the terms for a server name in lower case; None before there is any certificate."""
        found = self._terms.get(name)
        if found is None and name:
            found = self._terms.get(f"*.{name.partition('.')[2]}")
        return found or self._of_api_or_default(name)

    def find_private(self, name: str) -> TlsTerms | None:
        """Give the terms for a server name at the private listener, which knows private domain names only."""
        return self._private.get(name) or self._of_api_or_default(name)

    def _of_api_or_default(self, name: str) -> TlsTerms | None:
        label, _, rest = name.partition(".")
        if self._apis and rest.startswith("execute-api."):
            api_id = label if label in self._apis else label.rpartition("-vpce-")[0]
            if api_id in self._apis:
                return self._apis[api_id]
        return self._default

    def take_api(self, api_id: str, value: Mapping[str, Any] | None) -> None:
        """Put an API's security policy into effect for its own host names; None, or none: the default one."""
        policy = value.get("security_policy", "") if value is not None else ""
        if not policy:
            self._api_policies.pop(api_id, None)
            self._apis.pop(api_id, None)
            return
        self._api_policies[api_id] = policy
        self._apis[api_id] = self._make(DEFAULT, policy, "", "")

    def take_certificate(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Put a certificate into effect for every name that uses it; None takes it away."""
        if value is None:
            self._certificates.pop(arn, None)
        else:
            try:
                self._certificates[arn] = (value["certificates"], base64.b64decode(value["sealed_key"]))
            except _UNREADABLE as error:
                log.error("a certificate cannot be used", extra={"arn": arn, "error": str(error)})
                return
        if arn == DEFAULT:
            self._default = self._make(arn, DEFAULT_POLICY, "", "") or self._default
            for api_id, policy in self._api_policies.items():
                self._apis[api_id] = self._make(DEFAULT, policy, "", "")
            return
        for domain in list(self._domains.values()):
            if domain.certificate_arn == arn:
                self._renew(domain)

    def take_domain(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Put a domain name's terms into effect; None takes them away."""
        self._take(f"{CUSTOM_DOMAIN}/{key}", value, lambda told: _of_api(PublishedDomain.from_json(told)))

    def take_pool_domain(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Put the terms of a user pool's custom domain into effect; None takes them away."""
        self._take(f"{POOL_DOMAIN}/{name}", value, lambda told: _of_pool(PublishedPoolDomain.from_json(name, told)))

    def _take(self, key: str, value: Mapping[str, Any] | None, read: Callable[[Mapping[str, Any]], _Wanted]) -> None:
        old = self._domains.pop(key, None)
        domain = None
        if value is not None:
            try:
                domain = read(value)
            except _UNREADABLE as error:
                log.error("a domain name cannot be read", extra={"key": key, "error": str(error)})
        if domain is None:
            if old is not None:
                self._terms_of(old).pop(old.name, None)
            return
        self._domains[key] = domain
        if old != domain or domain.name not in self._terms_of(domain):
            self._renew(domain)

    def _terms_of(self, domain: _Wanted) -> dict[str, TlsTerms]:
        return self._private if domain.is_private else self._terms

    def _renew(self, domain: _Wanted) -> None:
        terms = self._make(domain.certificate_arn, domain.security_policy, domain.trust_store, domain.name)
        if terms is None:
            # Its old terms would be the wrong ones. It gets the default certificate, which is not its own.
            self._terms_of(domain).pop(domain.name, None)
        else:
            self._terms_of(domain)[domain.name] = terms

    def _make(self, arn: str, policy: str, trust_store: str, name: str) -> TlsTerms | None:
        certificate = self._certificates.get(arn)
        if certificate is None:
            return None
        try:
            key = self._seal.open(certificate[1], purpose=KEY_PURPOSE)
            context = server_context(policy, certificate[0], key, trust_store_pem=trust_store)
            return TlsTerms(context, name, trust_of(trust_store))
        except _UNREADABLE as error:
            log.error("TLS terms cannot be made", extra={"domain": name, "arn": arn, "error": str(error)})
            return None


def trust_of(trust_store: str) -> str:
    """Give what stands for a trust store (PEM) in the terms of connections; "" for none."""
    return hashlib.sha256(trust_store.encode()).hexdigest() if trust_store else ""


def _of_api(domain: PublishedDomain) -> _Wanted:
    return _Wanted(
        domain.name,
        domain.certificate_arn,
        domain.security_policy,
        domain.trust_store,
        is_private=domain.vpc_endpoint_ids is not None,
    )


def _of_pool(domain: PublishedPoolDomain) -> _Wanted:
    return _Wanted(domain.name, domain.certificate_arn, domain.security_policy, "")
