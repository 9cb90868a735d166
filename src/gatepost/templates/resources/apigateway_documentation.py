"""AWS::ApiGateway::DocumentationPart, DocumentationVersion and ClientCertificate."""

from __future__ import annotations

from typing import Any, Final

from gatepost.templates.resources.apigateway import patch
from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, json_text, present, tag_changes, tag_map, unless_gone

_LOCATION: Final = {"Type": "type", "Path": "path", "Method": "method", "StatusCode": "statusCode", "Name": "name"}


class DocumentationPart(Unnamed):
    """AWS::ApiGateway::DocumentationPart: what is said about one entity of an API."""

    async def create(self, work: Work) -> Outcome:
        """Make the part."""
        properties = work.properties
        location = {_LOCATION[key]: value for key, value in properties["Location"].items()}
        made = await work.invoke(
            "apigateway",
            "CreateDocumentationPart",
            {
                "restApiId": properties["RestApiId"],
                "location": location,
                "properties": json_text(properties["Properties"]),
            },
        )
        await work.made(made["id"])
        return Outcome(made["id"], {"DocumentationPartId": made["id"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Say something else."""
        if work.changed("Properties"):
            operations = [patch("replace", "/properties", json_text(work.properties["Properties"]))]
            await work.invoke(
                "apigateway", "UpdateDocumentationPart", {**_part(work, physical_id), "patchOperations": operations}
            )
        return Outcome(physical_id, {"DocumentationPartId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the part."""
        await unless_gone(work.invoke("apigateway", "DeleteDocumentationPart", _part(work, physical_id)))


class DocumentationVersion(Unnamed):
    """AWS::ApiGateway::DocumentationVersion: what was said about an API when it was made."""

    name_property = "DocumentationVersion"

    async def create(self, work: Work) -> Outcome:
        """Freeze what is said."""
        version = work.properties["DocumentationVersion"]
        await work.initiated(version)
        parameters = {**_version(work, version), "description": work.properties.get("Description")}
        await work.invoke("apigateway", "CreateDocumentationVersion", present(**parameters))
        await work.made(version)
        return Outcome(version)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change the description."""
        if work.changed("Description"):
            operations = [patch("replace", "/description", work.properties.get("Description", ""))]
            parameters = {**_version(work, physical_id), "patchOperations": operations}
            await work.invoke("apigateway", "UpdateDocumentationVersion", parameters)
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the version."""
        await unless_gone(work.invoke("apigateway", "DeleteDocumentationVersion", _version(work, physical_id)))


class ClientCertificate(Unnamed):
    """AWS::ApiGateway::ClientCertificate: by which backends know the gateway."""

    async def create(self, work: Work) -> Outcome:
        """Make the certificate."""
        made = await work.invoke(
            "apigateway",
            "GenerateClientCertificate",
            present(description=work.properties.get("Description"), tags=tag_map(work.properties) or None),
        )
        certificate_id = made["clientCertificateId"]
        await work.made(certificate_id)
        return Outcome(certificate_id, {"ClientCertificateId": certificate_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change description and tags."""
        if work.changed("Description"):
            operations = [patch("replace", "/description", work.properties.get("Description", ""))]
            parameters = {"clientCertificateId": physical_id, "patchOperations": operations}
            await work.invoke("apigateway", "UpdateClientCertificate", parameters)
        added, gone = tag_changes(work.before, work.properties)
        arn = f"arn:aws:apigateway:{work.region}::/clientcertificates/{physical_id}"
        if added:
            await work.invoke("apigateway", "TagResource", {"resourceArn": arn, "tags": added})
        if gone:
            await work.invoke("apigateway", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        return Outcome(physical_id, {"ClientCertificateId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the certificate."""
        parameters = {"clientCertificateId": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteClientCertificate", parameters))


def _part(work: Work, part_id: str) -> dict[str, Any]:
    return {"restApiId": work.properties["RestApiId"], "documentationPartId": part_id}


def _version(work: Work, version: str) -> dict[str, Any]:
    return {"restApiId": work.properties["RestApiId"], "documentationVersion": version}


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers by type."""
    return {
        "AWS::ApiGateway::ClientCertificate": ClientCertificate(),
        "AWS::ApiGateway::DocumentationPart": DocumentationPart(),
        "AWS::ApiGateway::DocumentationVersion": DocumentationVersion(),
    }
