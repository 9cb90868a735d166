"""What happens to the properties of custom domain names, certificates, and Route 53's types."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gatepost.security.tls_contexts import POLICIES
from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, inert, matching, one_of, refused

_NO_DNS: Final = (
    "there is no DNS here: names below localhost lead to the listeners by themselves, others by hosts files"
)
_HANDSHAKE: Final = "a client without a certificate of the trust store fails in the handshake instead of getting a 403"
_S3: Final = "s3-elsewhere"
_TRUST_STORE: Final = replace(
    matching(
        r"s3://gatepost-assets/[0-9a-f]{64}(?:/[^/]{1,255})?",
        otherwise="upload the trust store and use s3://gatepost-assets/SHA256, or name an S3 with --service s3=URL",
        sentence=_HANDSHAKE,
    ),
    under={_S3: matching(r"s3://[^/]+/.+", otherwise="use s3://bucket-name/key-name", sentence=_HANDSHAKE)},
)
_VERSIONS: Final = replace(
    refused("uploaded files have no versions: remove it, or name an S3 with --service s3=URL"), under={_S3: ENFORCED}
)
_EDGE: Final = approximated(
    "there is no CloudFront before an EDGE domain: the same listener answers", exact=("REGIONAL",)
)


def _policies(*more: str) -> Entry:
    return one_of(*more, otherwise=f"use {', '.join(more)}")


def entries() -> list[TypeEntry]:
    """Give the entries."""
    return [*_v1(), *_private(), *_v2(), _certificate(), *_route_53()]


def _v1() -> list[TypeEntry]:
    mapping = dict.fromkeys(("BasePath", "DomainName", "RestApiId", "Stage"), ENFORCED)
    return [
        TypeEntry("AWS::ApiGateway::BasePathMapping", ENFORCED, mapping),
        TypeEntry(
            "AWS::ApiGateway::DomainName",
            ENFORCED,
            {
                "CertificateArn": ENFORCED,
                "DomainName": ENFORCED,
                "EndpointAccessMode": ENFORCED,
                "EndpointConfiguration": ENFORCED,
                "EndpointConfiguration/IpAddressType": inert("the listeners' addresses are the operator's choice"),
                "EndpointConfiguration/Types": _EDGE,
                "MutualTlsAuthentication": ENFORCED,
                "MutualTlsAuthentication/TruststoreUri": _TRUST_STORE,
                "MutualTlsAuthentication/TruststoreVersion": _VERSIONS,
                "OwnershipVerificationCertificateArn": approximated(
                    "the certificate must exist; nobody's ownership is asked for"
                ),
                "RegionalCertificateArn": ENFORCED,
                "RoutingMode": ENFORCED,
                "SecurityPolicy": _policies(*sorted(POLICIES)),
                "Tags": ENFORCED,
            },
        ),
    ]


def _private() -> list[TypeEntry]:
    at_once = "it is of use where --vpc-endpoint names the VPC endpoint, or it is the default one"
    association = dict.fromkeys(("AccessAssociationSourceType", "DomainNameArn", "Tags"), ENFORCED)
    return [
        TypeEntry(
            "AWS::ApiGateway::BasePathMappingV2",
            ENFORCED,
            dict.fromkeys(("BasePath", "DomainNameArn", "RestApiId", "Stage"), ENFORCED),
        ),
        TypeEntry(
            "AWS::ApiGateway::DomainNameAccessAssociation",
            ENFORCED,
            {**association, "AccessAssociationSource": approximated(at_once)},
        ),
        TypeEntry(
            "AWS::ApiGateway::DomainNameV2",
            ENFORCED,
            {
                "CertificateArn": ENFORCED,
                "DomainName": ENFORCED,
                "EndpointAccessMode": refused("private domain names have none: remove it"),
                "EndpointConfiguration": ENFORCED,
                "EndpointConfiguration/IpAddressType": _policies("dualstack"),
                "EndpointConfiguration/Types": _policies("PRIVATE"),
                "Policy": ENFORCED,
                "RoutingMode": ENFORCED,
                "SecurityPolicy": _policies("TLS_1_2"),
                "Tags": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGateway::VpcLink",
            refused("VPC links are not supported yet: integrate by ConnectionType INTERNET"),
        ),
    ]


def _v2() -> list[TypeEntry]:
    configuration = "DomainNameConfigurations"
    return [
        TypeEntry(
            "AWS::ApiGatewayV2::ApiMapping",
            ENFORCED,
            dict.fromkeys(("ApiId", "ApiMappingKey", "DomainName", "Stage"), ENFORCED),
        ),
        TypeEntry(
            "AWS::ApiGatewayV2::DomainName",
            ENFORCED,
            {
                "DomainName": ENFORCED,
                configuration: ENFORCED,
                f"{configuration}/CertificateArn": ENFORCED,
                f"{configuration}/CertificateName": ENFORCED,
                f"{configuration}/EndpointType": _EDGE,
                f"{configuration}/IpAddressType": inert("the listeners' addresses are the operator's choice"),
                f"{configuration}/OwnershipVerificationCertificateArn": approximated(
                    "the certificate must exist; nobody's ownership is asked for"
                ),
                f"{configuration}/SecurityPolicy": _policies("TLS_1_0", "TLS_1_2"),
                "MutualTlsAuthentication": ENFORCED,
                "MutualTlsAuthentication/TruststoreUri": _TRUST_STORE,
                "MutualTlsAuthentication/TruststoreVersion": _VERSIONS,
                "RoutingMode": ENFORCED,
                "Tags": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGatewayV2::RoutingRule",
            ENFORCED,
            dict.fromkeys(("Actions", "Conditions", "DomainNameArn", "Priority"), ENFORCED),
        ),
    ]


def _certificate() -> TypeEntry:
    return TypeEntry(
        "AWS::CertificateManager::Certificate",
        approximated("the local authority issues it at once, for localhost and the domains of --tls-name"),
        {
            "CertificateAuthorityArn": refused("there is no AWS Private CA: remove it"),
            "CertificateExport": ENFORCED,
            "CertificateTransparencyLoggingPreference": inert("nothing is logged to the public logs"),
            "DomainName": ENFORCED,
            "DomainValidationOptions": inert("nobody is asked to prove that a name is theirs"),
            "Id": inert("it is for AWS's own use"),
            "KeyAlgorithm": one_of(
                "EC_prime256v1",
                "EC_secp384r1",
                "RSA_2048",
                otherwise="use EC_prime256v1, EC_secp384r1 or RSA_2048",
            ),
            "SubjectAlternativeNames": ENFORCED,
            "Tags": ENFORCED,
            "ValidationMethod": one_of("DNS", "EMAIL", otherwise="use DNS", sentence="nobody is asked"),
        },
    )


def _route_53() -> list[TypeEntry]:
    names = ("HostedZone", "RecordSet", "RecordSetGroup")
    return [TypeEntry(f"AWS::Route53::{name}", inert(_NO_DNS)) for name in names]
