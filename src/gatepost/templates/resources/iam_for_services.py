"""What IAM keeps for services: roles that are linked to one, and server certificates."""

from __future__ import annotations

from typing import Final

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources.base import Outcome, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_changes, unless_gone

_GONE: Final = "NoSuchEntity"


class ServiceLinkedRole(Unnamed):
    """AWS::IAM::ServiceLinkedRole."""

    async def create(self, work: Work) -> Outcome:
        """Make the service's role."""
        properties = work.properties
        parameters = present(
            AWSServiceName=properties.get("AWSServiceName"),
            CustomSuffix=properties.get("CustomSuffix"),
            Description=properties.get("Description"),
        )
        role = (await work.invoke("iam", "CreateServiceLinkedRole", parameters))["Role"]
        await work.made(role["RoleName"])
        return Outcome(role["RoleName"], {"RoleName": role["RoleName"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the description."""
        description = work.properties.get("Description") or ""
        await work.invoke("iam", "UpdateRoleDescription", {"RoleName": physical_id, "Description": description})
        return Outcome(physical_id, {"RoleName": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the service's role."""
        try:
            await work.invoke("iam", "DeleteServiceLinkedRole", {"RoleName": physical_id})
        except ServiceError as fault:
            if fault.code != _GONE:
                raise


class ServerCertificate(Unnamed):
    """AWS::IAM::ServerCertificate."""

    name_property = "ServerCertificateName"

    async def create(self, work: Work) -> Outcome:
        """Upload the certificate."""
        name = work.name("ServerCertificateName", length_max=128)
        await work.initiated(name)
        properties = work.properties
        parameters = present(
            ServerCertificateName=name,
            CertificateBody=properties.get("CertificateBody"),
            PrivateKey=properties.get("PrivateKey"),
            CertificateChain=properties.get("CertificateChain"),
            Path=properties.get("Path"),
            Tags=properties.get("Tags") or None,
        )
        made = await work.invoke("iam", "UploadServerCertificate", parameters)
        await work.made(name)
        return Outcome(name, {"Arn": made["ServerCertificateMetadata"]["Arn"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change path and tags."""
        on = {"ServerCertificateName": physical_id}
        if work.changed("Path"):
            await work.invoke("iam", "UpdateServerCertificate", {**on, "NewPath": work.properties.get("Path") or "/"})
        added, gone = tag_changes(work.before, work.properties)
        if added:
            tags = [{"Key": key, "Value": value} for key, value in added.items()]
            await work.invoke("iam", "TagServerCertificate", {**on, "Tags": tags})
        if gone:
            await work.invoke("iam", "UntagServerCertificate", {**on, "TagKeys": gone})
        held = (await work.invoke("iam", "GetServerCertificate", on))["ServerCertificate"]
        return Outcome(physical_id, {"Arn": held["ServerCertificateMetadata"]["Arn"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the certificate."""
        await unless_gone(work.invoke("iam", "DeleteServerCertificate", {"ServerCertificateName": physical_id}))
