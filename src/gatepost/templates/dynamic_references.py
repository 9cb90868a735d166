"""Dynamic references: `{{resolve:secretsmanager:…}}`, `{{resolve:ssm:…}}` and `{{resolve:ssm-secure:…}}` in properties.

What a stack keeps (records, change sets, events) is the reference. The stack's own principal reads its value in the
moment in which a resource's operation is called, put into that call's parameters, and forgotten; error texts that hold
it are masked. A value that has changed since does not make an update by itself, as on AWS.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.templates.problems import Path
from gatepost.templates.resources.base import ResourceFailure

Read = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]

_REFERENCE: Final = re.compile(r"\{\{resolve:([^{}]*)\}\}")
_BEGINNING: Final = "{{resolve:"
_SECURE_PLACES: Final = frozenset({("LoginProfile", "Password")})  # of the types that we have: AWS::IAM::User's
MASKED_CHARACTERS_MIN: Final = 4
MASK: Final = "****"


class BadReference(ValueError):
    """A dynamic reference that means nothing. The text says what would."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference, taken apart."""

    service: str
    name: str  # a secret's name or ARN, a parameter's name
    json_key: str = ""
    version_stage: str = ""
    version: str = ""


def parse_reference(text: str) -> Reference:
    """Take apart what stands between `{{resolve:` and `}}`. Raises: BadReference."""
    service, _, rest = text.partition(":")
    if service in ("ssm", "ssm-secure"):
        name, _, version = rest.partition(":")
        if not name or (version and not version.isdigit()):
            raise BadReference(f"{{{{resolve:{text}}}}}: use {{{{resolve:{service}:NAME}}}} or …:NAME:VERSION")
        return Reference(service, name, version=version)
    if service != "secretsmanager":
        raise BadReference(f"{{{{resolve:{text}}}}}: use secretsmanager, ssm or ssm-secure")
    parts = rest.split(":")
    head = 7 if rest.startswith("arn:") else 1
    name, more = ":".join(parts[:head]), [*parts[head:], "", "", "", ""]
    if not name or len(parts) > head + 4 or more[0] not in ("", "SecretString") or (more[2] and more[3]):
        raise BadReference(
            f"{{{{resolve:{text}}}}}: use {{{{resolve:secretsmanager:SECRET:SecretString:KEY:STAGE:VERSION}}}}, "
            "with a stage or a version, or none"
        )
    return Reference(service, name, json_key=more[1], version_stage=more[2], version=more[3])


def check_references(text: str, path: Path) -> str:
    """Say what is wrong with the references in a text of a template, or give an empty text.

    `${…}` of Fn::Sub may still stand in it.
    """
    if _BEGINNING not in text:
        return ""
    plain = re.sub(r"\$\{[^{}]*\}", "x", text)
    found = _REFERENCE.findall(plain)
    if len(found) != plain.count(_BEGINNING):
        return "a dynamic reference ends with }} and holds no braces"
    for one in found:
        try:
            reference = parse_reference(one)
        except BadReference as bad:
            return str(bad)
        if reference.service == "ssm-secure" and path[-2:] not in _SECURE_PLACES:
            return "ssm-secure is for LoginProfile.Password of AWS::IAM::User: elsewhere use secretsmanager"
    return ""


class DynamicReferences:
    """Reads the values of references for one operation on one stack."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._seen: set[str] = set()

    async def resolved(self, value: Any) -> Any:
        """Give a value with every reference in its texts replaced. Raises: ResourceFailure, ServiceError."""
        if isinstance(value, str):
            return await self._text(value) if _BEGINNING in value else value
        if isinstance(value, Mapping):
            return {name: await self.resolved(child) for name, child in value.items()}
        if isinstance(value, list | tuple):
            return [await self.resolved(child) for child in value]
        return value

    async def _text(self, text: str) -> str:
        parts, end = [], 0
        for found in _REFERENCE.finditer(text):
            parts += [text[end : found.start()], await self._value(found.group(1))]
            end = found.end()
        return "".join([*parts, text[end:]])

    async def _value(self, text: str) -> str:
        try:
            reference = parse_reference(text)
        except BadReference as bad:
            raise ResourceFailure(str(bad)) from bad
        try:
            read = self._secret if reference.service == "secretsmanager" else self._parameter
            value = await read(reference)
        except ServiceError as error:
            raise ResourceFailure(f"{{{{resolve:{text}}}}} cannot be resolved: {error.message}") from error
        if reference.service != "ssm" and len(value) >= MASKED_CHARACTERS_MIN:
            self._seen.add(value)
        return value

    async def _secret(self, reference: Reference) -> str:
        params = {"SecretId": reference.name}
        if reference.version_stage:
            params["VersionStage"] = reference.version_stage
        if reference.version:
            params["VersionId"] = reference.version
        answer = await self._read("secretsmanager", "GetSecretValue", params)
        text = answer.get("SecretString")
        if not isinstance(text, str):
            raise ResourceFailure(f"the secret {reference.name} is binary: a dynamic reference needs a text")
        if not reference.json_key:
            return text
        try:
            held = json.loads(text)
        except ValueError:
            held = None
        if not isinstance(held, dict) or reference.json_key not in held:
            raise ResourceFailure(f"Could not find a value associated with JSONKey {reference.json_key} in the secret")
        value = held[reference.json_key]
        return value if isinstance(value, str) else json.dumps(value)

    async def _parameter(self, reference: Reference) -> str:
        name = f"{reference.name}:{reference.version}" if reference.version else reference.name
        is_secure = reference.service == "ssm-secure"
        answer = await self._read("ssm", "GetParameter", {"Name": name, "WithDecryption": is_secure})
        parameter = answer["Parameter"]
        if (parameter["Type"] == "SecureString") != is_secure:
            right = "ssm" if is_secure else "ssm-secure"
            raise ResourceFailure(f"the parameter {reference.name} is of type {parameter['Type']}: use resolve:{right}")
        return str(parameter["Value"])

    def masked(self, text: str) -> str:
        """Give a text without the secret values that were read."""
        for value in sorted(self._seen, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text
