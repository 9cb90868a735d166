"""AWS::CertificateManager::Certificate by ACM's operations, and Route 53's types, which have a name here and no DNS."""

from __future__ import annotations

from typing import Any

from gatepost.kernel.ids import UPPER_BASE32
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, unless_gone


class Certificate(Unnamed):
    """AWS::CertificateManager::Certificate: issued at once by the local authority."""

    async def create(self, work: Work) -> Outcome:
        """Request the certificate. Raises: ResourceFailure when the local authority may not issue it."""
        properties = work.properties
        options = present(
            CertificateTransparencyLoggingPreference=properties.get("CertificateTransparencyLoggingPreference"),
            Export=properties.get("CertificateExport"),
        )
        validations = [
            {"DomainName": each["DomainName"], "ValidationDomain": each["ValidationDomain"]}
            for each in properties.get("DomainValidationOptions") or []
            if each.get("ValidationDomain")
        ]
        made = await work.invoke(
            "acm",
            "RequestCertificate",
            present(
                DomainName=properties["DomainName"],
                SubjectAlternativeNames=properties.get("SubjectAlternativeNames"),
                ValidationMethod=properties.get("ValidationMethod"),
                DomainValidationOptions=validations or None,
                KeyAlgorithm=properties.get("KeyAlgorithm"),
                CertificateAuthorityArn=properties.get("CertificateAuthorityArn"),
                Options=options or None,
                Tags=properties.get("Tags") or None,
            ),
        )
        arn = made["CertificateArn"]
        await work.made(arn)
        found = await work.invoke("acm", "DescribeCertificate", {"CertificateArn": arn})
        if found["Certificate"]["Status"] != "ISSUED":
            raise ResourceFailure(
                f"the local certificate authority may not certify {properties['DomainName']}: use a name below "
                "localhost, or start the platform with --tls-name and its domain"
            )
        return Outcome(arn, {"CertificateArn": arn})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the transparency preference and tags."""
        if work.changed("CertificateTransparencyLoggingPreference"):
            preference = work.properties.get("CertificateTransparencyLoggingPreference") or "ENABLED"
            options = {"CertificateTransparencyLoggingPreference": preference}
            parameters = {"CertificateArn": physical_id, "Options": options}
            await work.invoke("acm", "UpdateCertificateOptions", parameters)
        new = {str(tag["Key"]): str(tag["Value"]) for tag in work.properties.get("Tags") or []}
        gone = [{"Key": tag["Key"]} for tag in work.before.get("Tags") or [] if tag["Key"] not in new]
        if gone:
            await work.invoke("acm", "RemoveTagsFromCertificate", {"CertificateArn": physical_id, "Tags": gone})
        if new and work.changed("Tags"):
            tags = [{"Key": key, "Value": value} for key, value in new.items()]
            await work.invoke("acm", "AddTagsToCertificate", {"CertificateArn": physical_id, "Tags": tags})
        return Outcome(physical_id, {"CertificateArn": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the certificate."""
        await unless_gone(work.invoke("acm", "DeleteCertificate", {"CertificateArn": physical_id}))


class Record(Unnamed):
    """A type of Route 53: kept by name, so that references to it work."""

    async def create(self, work: Work) -> Outcome:
        """Give it its name."""
        physical_id = self._name(work)
        await work.initiated(physical_id)
        return Outcome(physical_id, self._attributes(physical_id))

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give the same again."""
        del work
        return Outcome(physical_id, self._attributes(physical_id))

    async def delete(self, work: Work, physical_id: str) -> None:
        """There is nothing to delete."""
        del work, physical_id

    def _name(self, work: Work) -> str:
        return str(work.properties.get("Name") or work.name("", length_max=64))

    def _attributes(self, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}


class HostedZone(Record):
    """AWS::Route53::HostedZone."""

    def _name(self, work: Work) -> str:
        return f"Z{work.stable(length=20, alphabet=UPPER_BASE32)}"

    def _attributes(self, physical_id: str) -> dict[str, Any]:
        servers = [f"ns-{number}.dns.localhost" for number in range(1, 5)]
        return {"Id": physical_id, "NameServers": servers}


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers by type."""
    return {
        "AWS::CertificateManager::Certificate": Certificate(),
        "AWS::Route53::HostedZone": HostedZone(),
        "AWS::Route53::RecordSet": Record(),
        "AWS::Route53::RecordSetGroup": Record(),
    }
