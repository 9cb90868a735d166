"""The operations of AWS Certificate Manager that there are.

Imported certificates are judged as ACM judges them. Requested ones are issued at once by the platform's local
authority; names beyond its constraints wait for a validation that nobody can make, and time out after three days as on
AWS: nobody is asked to prove anything, and the validation records say so.

Names and words by https://docs.aws.amazon.com/acm/latest/APIReference/ and
https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Access, Call, Change, RecordKey, operation, tag_context
from gatepost.kernel.paging import page_token, place_of
from gatepost.kernel.ports import CertificateInfo, EventSink, Publisher
from gatepost.security.certificates import (
    BadCertificate,
    LocalAuthority,
    check_chain,
    check_key_pair,
    facts_of,
    key_pem,
    pem_of,
    read_certificates,
    read_private_key,
)
from gatepost.security.sealing import Seal
from gatepost.services.acm.expiry_events import ConfigurationOperations, ExpiryEvents
from gatepost.services.acm.model import (
    CERTIFICATE,
    AcmValidationException,
    Certificate,
    InvalidArgsException,
    InvalidArnException,
    InvalidDomainValidationOptionsException,
    InvalidParameterException,
    InvalidStateException,
    LimitExceededException,
    RequestInProgressException,
    ResourceInUseException,
    ResourceNotFoundException,
    decoded,
    encoded,
    facts_json,
)
from gatepost.services.acm.publication import DEFAULT, KEY_PURPOSE, tls_certificate
from gatepost.services.acm.shapes import PENDING, detail_of, status_of, summary_of
from gatepost.services.acm.tags import TagOperations, tags_of
from gatepost.storage.base import Records

Params = Mapping[str, Any]
FindUses = Callable[[], Awaitable[Mapping[str, Sequence[str]]]]
Answer = dict[str, Any]

CERTIFICATES_MAX: Final = 2_500  # https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
NAMES_MAX: Final = 10
PAGE_MAX: Final = 1_000
RENEW_BEFORE_MS: Final = 45 * 24 * 3_600_000
TOKEN_KEPT_MS: Final = 3_600_000
LISTED_KEY_TYPES: Final = ("RSA_1024", "RSA_2048")  # what ListCertificates gives unless told: AWS's documented default
_UNBOUND: Final = frozenset({"ListCertificates", "RequestCertificate"})
_ISSUED_ALGORITHMS: Final = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")


class AcmProvider(TagOperations, ConfigurationOperations):
    """ACM on records. Call `start` once the store is open."""

    service = "acm"

    def __init__(
        self,
        records: Records,
        publisher: Publisher,
        seal: Seal,
        clock: Clock,
        authority: Callable[[], LocalAuthority],
        *,
        default_names: Sequence[str] = ("localhost",),
        new_id: Callable[[], str] = random_uuid,
    ) -> None:
        self._records = records
        self._publisher = publisher
        self._seal = seal
        self._clock = clock
        self._authority = authority
        self._default_names = default_names
        self._new_id = new_id
        self._held: dict[str, tuple[Certificate, int]] = {}  # by ARN, with the record's version
        self._find_uses: list[FindUses] = []
        self._expiry_events = ExpiryEvents(records)
        self._requesting = asyncio.Lock()
        self._is_started = False
        self._default: Change | None = None
        self._default_until_ms = 0

    async def start(self) -> None:
        """Read the certificates, and renew what is due."""
        for record in await self._records.scan(CERTIFICATE):
            certificate = Certificate.from_json(record.value)
            self._held[certificate.arn] = (certificate, record.version)
        await self._expiry_events.start()
        await self.renew_due()
        self._is_started = True

    def tells(self, sink: EventSink) -> None:
        """Announce certificates that are about to expire to `sink`, at every `renew_due`."""
        self._expiry_events.sink = sink

    def used_by(self, find_uses: FindUses) -> None:
        """Learn of one more that uses certificates, and how to find the ARNs of what does, for each."""
        self._find_uses.append(find_uses)

    async def _uses(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for find_uses in self._find_uses:
            for arn, users in (await find_uses()).items():
                found.setdefault(arn, []).extend(users)
        return found

    async def renew_due(self) -> None:
        """Renew what the local authority issued and that ends soon, the default certificate too, and tell of others."""
        now_ms = self._clock.now_ms()
        if self._default_until_ms < now_ms + RENEW_BEFORE_MS:
            await self._tell(self._issue_default(now_ms))
        for certificate, _ in list(self._held.values()):
            issued = certificate.type == "AMAZON_ISSUED" and certificate.status == "ISSUED"
            if issued and certificate.facts["not_after_ms"] < now_ms + RENEW_BEFORE_MS:
                await self._renew(certificate)
        if self._is_started:
            await self._expiry_events.announce([certificate for certificate, _ in self._held.values()], now_ms)

    async def published(self) -> Sequence[Change]:
        """Give every usable certificate, and the default one."""
        found = [certificate.published() for certificate, _ in self._held.values()]
        return [*found, *([self._default] if self._default is not None else [])]

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: a certificate, by its ARN."""
        action = f"acm:{call.operation}"
        given = [(tag["Key"], tag.get("Value", "")) for tag in params.get("Tags", ())]
        arn = params.get("CertificateArn") or params.get("ResourceArn")
        context = tag_context(given, params.get("TagKeys", ()))
        if call.operation in _UNBOUND or arn is None:
            return (Access(action, call.arn("certificate/*") if given else "*", context),)
        held = self._held.get(str(arn))
        if held is not None:
            context |= {f"aws:resourcetag/{key.lower()}": value for key, value in held[0].tags.items()}
        return (Access(action, str(arn), context),)

    def certificate(self, arn: str) -> CertificateInfo | None:
        """Give what others need to know of a certificate. See `kernel.ports.Certificates`."""
        held = self._held.get(arn)
        if held is None:
            return None
        one = held[0]
        status = status_of(one, self._clock.now_ms())
        return CertificateInfo(arn, one.names, one.key_algorithm, one.type, status, one.updated_at_ms)

    # -- certificates

    @operation("ImportCertificate")
    async def import_certificate(self, call: Call, params: Params) -> Answer:
        """Import a certificate, or import it again under its ARN: every listener has it at once."""
        arn = params.get("CertificateArn")
        tags = tags_of(params)
        old = self._of(call, arn) if arn else None
        if old is not None and tags:
            raise AcmValidationException("Tags are not permitted upon re-import.")
        if old is not None and old.type != "IMPORTED":
            raise AcmValidationException("Only imported certificates can be imported again.")
        body, chain, key = self._judged(params)
        facts = facts_of(body)
        if old is not None and old.key_algorithm != facts.key_algorithm:
            raise AcmValidationException("The new certificate must have the same key type and size as the one before.")
        names = facts.names or ((facts.common_name.lower(),) if facts.common_name else ())
        now_ms = self._clock.now_ms()
        blank = old or Certificate(
            call.arn(f"certificate/{self._new_id()}"), "", (), "IMPORTED", "ISSUED", now_ms, 0, tags=tags
        )
        certificate = replace(
            blank,
            domain_name=facts.common_name.lower() or (names[0] if names else ""),
            names=names,
            updated_at_ms=now_ms,
            body=pem_of(body),
            chain=pem_of(*chain),
            sealed_key=encoded(self._seal.seal(key, purpose=KEY_PURPOSE)),
            facts=facts_json(facts),
            key_algorithm=facts.key_algorithm,
        )
        await self._keep(call, certificate)
        return {"CertificateArn": certificate.arn}

    def _judged(self, params: Params) -> tuple[x509.Certificate, list[x509.Certificate], bytes]:
        """Read and judge what is imported. Raises: ValidationException."""
        try:
            body = read_certificates(params["Certificate"], what="The certificate", count_max=1)[0]
            chain = (
                read_certificates(params["CertificateChain"], what="The certificate chain")
                if params.get("CertificateChain")
                else []
            )
            key = read_private_key(params["PrivateKey"])
            check_key_pair(body, key)
            check_chain(body, chain)
            facts = facts_of(body)
        except BadCertificate as error:
            raise AcmValidationException(f"{error}.") from error
        now_ms = self._clock.now_ms()
        if facts.not_after_ms <= now_ms:
            raise AcmValidationException("The certificate has expired.")
        if facts.not_before_ms > now_ms:
            raise AcmValidationException("The certificate is not valid until a later date.")
        return body, chain, key_pem(key)

    @operation("RequestCertificate")
    async def request_certificate(self, call: Call, params: Params) -> Answer:
        """Have the local authority issue a certificate at once; for names beyond it, it stays PENDING_VALIDATION."""
        names = _requested_names(params)
        algorithm = params.get("KeyAlgorithm", "RSA_2048")
        if algorithm not in _ISSUED_ALGORITHMS:
            raise InvalidParameterException(
                f"KeyAlgorithm {algorithm} is not issued: use {', '.join(_ISSUED_ALGORITHMS)}"
            )
        if params.get("CertificateAuthorityArn"):
            raise InvalidParameterException("CertificateAuthorityArn: Gatepost has no AWS Private CA; leave it out")
        if params.get("ManagedBy"):
            raise InvalidParameterException("ManagedBy: no other service manages certificates here; leave it out")
        token = params.get("IdempotencyToken", "")
        if not token:
            return await self._request(call, params, names)
        async with self._requesting:  # a request with the same token that comes meanwhile gets the same certificate
            known = self._requested(call, token, names, self._clock.now_ms())
            return {"CertificateArn": known} if known else await self._request(call, params, names)

    async def _request(self, call: Call, params: Params, names: tuple[str, ...]) -> Answer:
        now_ms = self._clock.now_ms()
        options = params.get("Options", {})
        certificate = Certificate(
            call.arn(f"certificate/{self._new_id()}"),
            names[0],
            names,
            "AMAZON_ISSUED",
            "ISSUED",
            now_ms,
            now_ms,
            validation_method=params.get("ValidationMethod") or "EMAIL",
            key_algorithm=params.get("KeyAlgorithm", "RSA_2048"),
            transparency=options.get("CertificateTransparencyLoggingPreference", "ENABLED"),
            export=options.get("Export", "DISABLED"),
            idempotency_token=params.get("IdempotencyToken", ""),
            tags=tags_of(params),
        )
        await self._keep(call, await self._issued(certificate))
        return {"CertificateArn": certificate.arn}

    def _requested(self, call: Call, token: str, names: tuple[str, ...], now_ms: int) -> str:
        for one, _ in self._held.values():
            if (
                one.idempotency_token == token
                and one.names == names
                and one.created_at_ms > now_ms - TOKEN_KEPT_MS
                and one.arn.startswith(call.arn("certificate/"))
            ):
                return one.arn
        return ""

    async def _issued(self, certificate: Certificate) -> Certificate:
        """Give the certificate with body and key, or pending. Keys are made in a thread: RSA takes its time."""
        now_ms, authority = self._clock.now_ms(), self._authority()
        if not all(authority.may_issue(name) for name in certificate.names):
            return replace(certificate, status=PENDING)

        def issue() -> tuple[x509.Certificate, bytes]:
            body, key = authority.issue(certificate.names, now_ms, algorithm=certificate.key_algorithm)
            return body, key_pem(key)

        body, key = await asyncio.get_running_loop().run_in_executor(None, issue)
        return replace(
            certificate,
            body=pem_of(body),
            chain=pem_of(authority.certificate),
            sealed_key=encoded(self._seal.seal(key, purpose=KEY_PURPOSE)),
            facts=facts_json(facts_of(body)),
            updated_at_ms=now_ms,
        )

    def _issue_default(self, now_ms: int) -> Change:
        """Issue the certificate for clients that name no domain of ours. Its key lives in memory only."""
        authority = self._authority()
        body, key = authority.issue(self._default_names, now_ms, addresses=("127.0.0.1", "::1"))
        self._default_until_ms = facts_of(body).not_after_ms
        sealed = encoded(self._seal.seal(key_pem(key), purpose=KEY_PURPOSE))
        self._default = tls_certificate(DEFAULT, pem_of(body, authority.certificate), sealed)
        return self._default

    @operation("RenewCertificate")
    async def renew_certificate(self, call: Call, params: Params) -> Answer:
        """Renew a certificate of the local authority now. Raises: ValidationException for imported ones."""
        certificate = self._of(call, params["CertificateArn"])
        if certificate.type != "AMAZON_ISSUED" or certificate.status != "ISSUED":
            raise AcmValidationException("Only certificates that were issued here can be renewed: import it again.")
        await self._renew(certificate)
        return {}

    async def _renew(self, certificate: Certificate) -> None:
        """Issue it anew, unless it was deleted or renewed while its key was made."""
        renewed = await self._issued(certificate)
        held = self._held.get(certificate.arn)
        if renewed.status != "ISSUED" or held is None or held[0].sealed_key != certificate.sealed_key:
            return
        await self._write(
            replace(
                held[0],  # what else was changed meanwhile stays changed
                body=renewed.body,
                chain=renewed.chain,
                sealed_key=renewed.sealed_key,
                facts=renewed.facts,
                updated_at_ms=renewed.updated_at_ms,
            )
        )

    @operation("DescribeCertificate")
    async def describe_certificate(self, call: Call, params: Params) -> Answer:
        """Describe a certificate. Raises: ResourceNotFoundException."""
        certificate = self._of(call, params["CertificateArn"])
        users = (await self._uses()).get(certificate.arn, ())
        return {"Certificate": detail_of(certificate, users, self._clock.now_ms())}

    @operation("GetCertificate")
    def get_certificate(self, call: Call, params: Params) -> Answer:
        """Give a certificate and its chain as PEM. Raises: ResourceNotFoundException, RequestInProgressException."""
        certificate = self._of(call, params["CertificateArn"])
        _check_issued(certificate)
        chain = {"CertificateChain": certificate.chain} if certificate.chain else {}
        return {"Certificate": certificate.body, **chain}

    @operation("ListCertificates")
    async def list_certificates(self, call: Call, params: Params) -> Answer:
        """Give a page of certificates; those of larger keys only when `Includes.keyTypes` asks, as on AWS."""
        if params.get("SortBy") and not params.get("SortOrder"):
            raise InvalidArgsException("SortOrder is needed with SortBy.")
        now_ms = self._clock.now_ms()
        chosen = [one for one in self._ours(call) if _is_wanted(one, params, now_ms)]
        chosen.sort(key=lambda one: (one.created_at_ms, one.arn), reverse=params.get("SortOrder") == "DESCENDING")
        words = AcmValidationException("The NextToken is not valid.")
        (after,) = place_of(params.get("NextToken"), words, "")
        start = next((at + 1 for at, one in enumerate(chosen) if one.arn == after), 0) if after else 0
        page = chosen[start : start + params.get("MaxItems", PAGE_MAX)]
        uses = await self._uses()
        listed = [summary_of(one, uses.get(one.arn, ()), now_ms) for one in page]
        answer: Answer = {"CertificateSummaryList": listed}
        if start + len(page) < len(chosen):
            answer["NextToken"] = page_token(page[-1].arn)
        return answer

    @operation("DeleteCertificate")
    async def delete_certificate(self, call: Call, params: Params) -> Answer:
        """Delete a certificate that nothing uses. Raises: ResourceNotFoundException, ResourceInUseException."""
        certificate = self._of(call, params["CertificateArn"])
        if (await self._uses()).get(certificate.arn):
            raise ResourceInUseException(f"Certificate {certificate.arn} in account {call.account_id} is in use.")
        await self._records.delete(_key(certificate))
        self._held.pop(certificate.arn, None)
        await self._tell(replace(certificate, status="FAILED").published())
        return {}

    @operation("ExportCertificate")
    async def export_certificate(self, call: Call, params: Params) -> Answer:
        """Give a certificate whose option Export is ENABLED, with its key encrypted by the passphrase."""
        certificate = self._of(call, params["CertificateArn"])
        if certificate.type == "IMPORTED" or certificate.export != "ENABLED":
            raise AcmValidationException(
                f"Certificate ARN: {certificate.arn} is not a private certificate or an exportable public certificate."
            )
        _check_issued(certificate)
        key = read_private_key(self._seal.open(decoded(certificate.sealed_key), purpose=KEY_PURPOSE))
        encryption = serialization.BestAvailableEncryption(bytes(params["Passphrase"]))
        encrypted = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        if not certificate.is_exported:
            await self._write(replace(certificate, is_exported=True))
        return {
            "Certificate": certificate.body,
            "CertificateChain": certificate.chain,
            "PrivateKey": encrypted.decode(),
        }

    @operation("UpdateCertificateOptions")
    async def update_certificate_options(self, call: Call, params: Params) -> Answer:
        """Change the transparency preference, which is kept: nothing here is logged to the public logs."""
        certificate = self._of(call, params["CertificateArn"])
        if certificate.type == "IMPORTED":
            raise InvalidStateException("Imported certificates have no options.")
        options = params["Options"]
        if "Export" in options and options["Export"] != certificate.export:
            raise AcmValidationException("Export cannot be changed after the certificate was requested.")
        transparency = options.get("CertificateTransparencyLoggingPreference", certificate.transparency)
        await self._write(replace(certificate, transparency=transparency))
        return {}

    # -- records

    def _of(self, call: Call, arn: str) -> Certificate:
        if not arn.startswith(call.arn("certificate/")):
            raise InvalidArnException(f"The ARN {arn} is not a certificate of this account and region.")
        held = self._held.get(arn)
        if held is None:
            raise ResourceNotFoundException(f"Could not find certificate {arn}.")
        return held[0]

    def _ours(self, call: Call) -> list[Certificate]:
        prefix = call.arn("certificate/")
        return [one for one, _ in self._held.values() if one.arn.startswith(prefix)]

    async def _keep(self, call: Call, certificate: Certificate) -> None:
        if certificate.arn not in self._held and len(self._ours(call)) >= CERTIFICATES_MAX:
            raise LimitExceededException(f"Error: The ACM certificate limit of {CERTIFICATES_MAX} has been exceeded")
        await self._write(certificate)

    async def _write(self, certificate: Certificate) -> None:
        held = self._held.get(certificate.arn)
        version = held[1] if held is not None else 0
        try:
            record = await self._records.put(_key(certificate), certificate.to_json(), expected_version=version)
        except VersionConflict as conflict:
            raise InvalidStateException("The certificate was changed at the same time: try again.") from conflict
        self._held[certificate.arn] = (certificate, record.version)
        await self._tell(certificate.published())

    async def _tell(self, change: Change) -> None:
        """Publish. Not while starting: then `published` tells everything."""
        if self._is_started:
            await self._publisher.publish(change)


def _key(certificate: Certificate) -> RecordKey:
    _, _, _, region, account_id, _ = certificate.arn.split(":", 5)
    return RecordKey(CERTIFICATE, account_id, region, certificate.id)


def _check_issued(certificate: Certificate) -> None:
    """Refuse to give what there is not yet. Raises: RequestInProgressException."""
    if not certificate.body:
        raise RequestInProgressException(f"Certificate {certificate.arn} is not issued: its domains are not validated.")


def _requested_names(params: Params) -> tuple[str, ...]:
    """Give the names of a request in order, each once. Raises: the errors of RequestCertificate."""
    names = tuple(
        dict.fromkeys(name.lower() for name in (params["DomainName"], *params.get("SubjectAlternativeNames", ())))
    )
    if len(names) > NAMES_MAX:
        raise LimitExceededException(f"A certificate has at most {NAMES_MAX} names.")
    for option in params.get("DomainValidationOptions", ()):
        domain, validation = option["DomainName"].lower(), option["ValidationDomain"].lower()
        if domain not in names or not (domain == validation or domain.endswith(f".{validation}")):
            raise InvalidDomainValidationOptionsException(
                f"ValidationDomain {validation} is not {domain} or a parent of it."
            )
    if params.get("ValidationMethod") == "HTTP":
        raise InvalidParameterException("ValidationMethod HTTP is CloudFront's: use DNS")
    return names


def _is_wanted(certificate: Certificate, params: Params, now_ms: int) -> bool:
    includes = params.get("Includes", {})
    statuses = params.get("CertificateStatuses")
    origins = params.get("CertificateKeyPairOrigins")
    facts = certificate.facts
    usages = set(facts.get("key_usages", ()))
    purposes = {name for name, _ in facts.get("extended_key_usages", ())}
    origin = "CUSTOMER_PROVIDED" if certificate.type == "IMPORTED" else "AWS_MANAGED"
    return (
        (not statuses or status_of(certificate, now_ms) in statuses)
        and (not origins or origin in origins)
        and certificate.key_algorithm in (includes.get("keyTypes") or LISTED_KEY_TYPES)
        and (not includes.get("keyUsage") or bool(usages & set(includes["keyUsage"])))
        and (not includes.get("extendedKeyUsage") or bool(purposes & set(includes["extendedKeyUsage"])))
        and (not includes.get("exportOption") or certificate.export == includes["exportOption"])
        and not includes.get("managedBy")
    )
