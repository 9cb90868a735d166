"""A certificate as ACM's operations show it.

Source: https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gatepost.kernel.ids import stable_id
from gatepost.services.acm.model import Certificate

LISTED_NAMES_MAX: Final = 100
PENDING: Final = "PENDING_VALIDATION"
VALIDATION_MS: Final = 72 * 3_600_000  # https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
_VALIDATED: Final = {"ISSUED": "SUCCESS", "EXPIRED": "SUCCESS", PENDING: PENDING}


def status_of(certificate: Certificate, now_ms: int) -> str:
    """Give the status as of now: what was issued expires, and what nobody validates times out."""
    if certificate.status == PENDING and now_ms >= certificate.created_at_ms + VALIDATION_MS:
        return "VALIDATION_TIMED_OUT"
    if certificate.status == "ISSUED" and certificate.facts["not_after_ms"] <= now_ms:
        return "EXPIRED"
    return certificate.status


def detail_of(certificate: Certificate, users: Sequence[str], now_ms: int) -> dict[str, Any]:
    """Give the shape CertificateDetail."""
    facts = certificate.facts
    imported = certificate.type == "IMPORTED"
    shape: dict[str, Any] = {
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain_name,
        "SubjectAlternativeNames": list(certificate.names),
        "CreatedAt": certificate.created_at_ms,
        "Status": status_of(certificate, now_ms),
        "KeyAlgorithm": certificate.key_algorithm,
        "InUseBy": list(users),
        "Type": certificate.type,
        "RenewalEligibility": "INELIGIBLE" if imported or not users else "ELIGIBLE",
        "Options": {"CertificateTransparencyLoggingPreference": certificate.transparency},
    }
    if not imported:
        shape["Options"]["Export"] = certificate.export
        shape["DomainValidationOptions"] = [_validation(certificate, name, now_ms) for name in certificate.names]
    if certificate.failure_reason:
        shape["FailureReason"] = certificate.failure_reason
    if facts:
        shape |= {
            "Serial": facts["serial"],
            "Subject": facts["subject"],
            "Issuer": _common_name(facts["issuer"]),
            "NotBefore": facts["not_before_ms"],
            "NotAfter": facts["not_after_ms"],
            "SignatureAlgorithm": facts["signature_algorithm"],
            "KeyUsages": [{"Name": name} for name in facts["key_usages"]],
            "ExtendedKeyUsages": [{"Name": name, "OID": oid} for name, oid in facts["extended_key_usages"]],
            "ImportedAt" if imported else "IssuedAt": certificate.updated_at_ms,
        }
    return shape


def summary_of(certificate: Certificate, users: Sequence[str], now_ms: int) -> dict[str, Any]:
    """Give the shape CertificateSummary."""
    facts = certificate.facts
    imported = certificate.type == "IMPORTED"
    shape: dict[str, Any] = {
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain_name,
        "SubjectAlternativeNameSummaries": list(certificate.names[:LISTED_NAMES_MAX]),
        "HasAdditionalSubjectAlternativeNames": len(certificate.names) > LISTED_NAMES_MAX,
        "Status": status_of(certificate, now_ms),
        "Type": certificate.type,
        "KeyAlgorithm": certificate.key_algorithm,
        "InUse": bool(users),
        "RenewalEligibility": "INELIGIBLE" if imported or not users else "ELIGIBLE",
        "CreatedAt": certificate.created_at_ms,
    }
    if not imported:
        shape |= {"ExportOption": certificate.export, "Exported": certificate.is_exported}
    if facts:
        shape |= {
            "KeyUsages": list(facts["key_usages"]),
            "ExtendedKeyUsages": [name for name, _ in facts["extended_key_usages"]],
            "NotBefore": facts["not_before_ms"],
            "NotAfter": facts["not_after_ms"],
            "ImportedAt" if imported else "IssuedAt": certificate.updated_at_ms,
        }
    return shape


def _validation(certificate: Certificate, name: str, now_ms: int) -> dict[str, Any]:
    """Give a domain's validation. Nothing is asked of anyone's DNS: the record's value says so."""
    shape: dict[str, Any] = {
        "DomainName": name,
        "ValidationDomain": name,
        "ValidationStatus": _VALIDATED.get(status_of(certificate, now_ms), "FAILED"),
        "ValidationMethod": certificate.validation_method,
    }
    if certificate.validation_method == "DNS":
        plain = name.removeprefix("*.")
        token = stable_id(certificate.arn.split(":")[4], plain, length=32)
        shape["ResourceRecord"] = {
            "Name": f"_{token}.{plain}.",
            "Type": "CNAME",
            "Value": f"_{stable_id(certificate.id, plain, length=32)}.acm-validations.localhost.",
        }
    elif certificate.validation_method == "EMAIL":
        shape["ValidationEmails"] = []
    return shape


def _common_name(issuer: str) -> str:
    for part in issuer.split(","):
        name, _, value = part.partition("=")
        if name == "CN":
            return value
    return issuer
