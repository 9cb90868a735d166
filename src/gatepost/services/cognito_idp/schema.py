"""A pool's schema: standard and custom attributes, and what a value of each may be.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gatepost.services.cognito_idp.errors import InvalidParameterException, NotAuthorizedException
from gatepost.services.cognito_idp.pool import AppClient, UserPool

CUSTOM: Final = "custom:"
DEVELOPER: Final = "dev:"
CUSTOM_ATTRIBUTES_MAX: Final = 50
CUSTOM_NAME_CHARACTERS_MAX: Final = 20
VALUE_CHARACTERS_MAX: Final = 2048
VERIFIED: Final = ("email_verified", "phone_number_verified")

_TEXT: Final = (
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "gender",
    "zoneinfo",
    "locale",
    "phone_number",
    "address",
)
STANDARD: Final[Mapping[str, Mapping[str, Any]]] = {
    "sub": {
        "AttributeDataType": "String",
        "Mutable": False,
        "Required": True,
        "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "2048"},
    },
    **{
        name: {
            "AttributeDataType": "String",
            "Mutable": True,
            "Required": False,
            "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"},
        }
        for name in _TEXT
    },
    "birthdate": {
        "AttributeDataType": "String",
        "Mutable": True,
        "Required": False,
        "StringAttributeConstraints": {"MinLength": "10", "MaxLength": "10"},
    },
    **{name: {"AttributeDataType": "Boolean", "Mutable": True, "Required": False} for name in VERIFIED},
    "updated_at": {
        "AttributeDataType": "Number",
        "Mutable": True,
        "Required": False,
        "NumberAttributeConstraints": {"MinValue": "0"},
    },
}
_STANDARD_KEPT: Final = (
    "You can not change AttributeDataType or set developerOnlyAttribute for standard schema attribute"
)
_EMAIL: Final = re.compile(r"[^\s@,;<>()\[\]\\\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_CUSTOM_NAME: Final = re.compile(r"[\w\-:.]{1,20}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
_DATE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?", re.ASCII)


def is_email(text: str) -> bool:
    """Say whether a text has the form of an e-mail address."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_phone_number(text: str) -> bool:
    """Say whether a text has the form of a phone number: E.164."""
    return _PHONE.fullmatch(text) is not None


def schema_of(pool: UserPool) -> dict[str, dict[str, Any]]:
    """Give every attribute of a pool by name, as AWS lists them."""
    found: dict[str, dict[str, Any]] = {}
    for name, attribute in STANDARD.items():
        changed = {"DeveloperOnlyAttribute": False, **attribute, **pool.schema_changes.get(name, {})}
        found[name] = {"Name": name, **changed, "Required": changed["Required"] or name in pool.required_attributes}
    for custom in pool.custom_attributes:
        found[custom["Name"]] = dict(custom)
    return found


def custom_attribute(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check a custom attribute's declaration and give it in full. Raises: InvalidParameterException."""
    name = given.get("Name", "")
    if not _CUSTOM_NAME.fullmatch(name) or name.startswith((CUSTOM, DEVELOPER)):
        raise InvalidParameterException(
            f"Custom attribute name {name!r} cannot be: use 1 to {CUSTOM_NAME_CHARACTERS_MAX} letters, digits, - _ . :"
        )
    if given.get("Required"):
        raise InvalidParameterException("Required custom attributes are not supported currently.")
    kind = given.get("AttributeDataType", "String")
    is_developer_only = bool(given.get("DeveloperOnlyAttribute"))
    prefix = DEVELOPER + CUSTOM if is_developer_only else CUSTOM
    found = {
        "Name": prefix + name,
        "AttributeDataType": kind,
        "DeveloperOnlyAttribute": is_developer_only,
        "Mutable": bool(given.get("Mutable", True)),
        "Required": False,
    }
    for member, needed in (("StringAttributeConstraints", "String"), ("NumberAttributeConstraints", "Number")):
        constraints = given.get(member)
        if constraints and kind != needed:
            raise InvalidParameterException(f"{member} are for attributes of type {needed}, and {name} is a {kind}.")
        if kind == needed:
            found[member] = _checked_constraints(name, constraints or {})
    return found


def _checked_constraints(name: str, constraints: Mapping[str, str]) -> dict[str, str]:
    for bound in constraints.values():
        if not _NUMBER.fullmatch(bound):
            raise InvalidParameterException(f"{bound!r} is no bound for attribute {name}: use a number.")
    for least, most in (("MinLength", "MaxLength"), ("MinValue", "MaxValue")):
        if least in constraints and most in constraints and float(constraints[least]) > float(constraints[most]):
            raise InvalidParameterException(f"{least} of attribute {name} is greater than {most}.")
    return dict(constraints)


def checked_schema(
    declared: Iterable[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[str], dict[str, dict[str, Any]]]:
    """Give custom attributes, required ones and changes of standard ones. Raises: InvalidParameterException."""
    custom: list[dict[str, Any]] = []
    required: list[str] = []
    changes: dict[str, dict[str, Any]] = {}
    for attribute in declared:
        name = attribute.get("Name", "")
        if name not in STANDARD:
            custom.append(custom_attribute(attribute))
            continue
        kind = STANDARD[name]["AttributeDataType"]
        if attribute.get("AttributeDataType", kind) != kind:
            raise InvalidParameterException(f"{_STANDARD_KEPT} {name}")
        if attribute.get("DeveloperOnlyAttribute"):
            raise InvalidParameterException(f"{_STANDARD_KEPT} {name}")
        if attribute.get("Required"):
            required.append(name)
        members = ("Mutable", "StringAttributeConstraints", "NumberAttributeConstraints")
        changed = {member: attribute[member] for member in members if member in attribute}
        if changed:
            changes[name] = changed
    names = [attribute["Name"] for attribute in custom]
    if len(names) != len(set(names)) or len(names) > CUSTOM_ATTRIBUTES_MAX:
        words = f"Custom attributes have each a name of its own, and are at most {CUSTOM_ATTRIBUTES_MAX}."
        raise InvalidParameterException(words)
    return custom, required, changes


def given_attributes(listed: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Read UserAttributes. Raises: InvalidParameterException when a name comes twice."""
    found: dict[str, str] = {}
    for attribute in listed or ():
        if attribute["Name"] in found:
            raise InvalidParameterException(f"user.{attribute['Name']}: Attribute cannot be given twice.")
        found[attribute["Name"]] = attribute.get("Value", "")
    return found


def check_attributes(
    pool: UserPool,
    attributes: Mapping[str, str],
    *,
    is_new: bool,
    is_admin: bool,
    client: AppClient | None = None,
    held: Mapping[str, str] | None = None,
) -> None:
    """Check values that a user is to have. Raises: InvalidParameterException, NotAuthorizedException.

    Users themselves may write what their client may (WriteAttributes), and never say that an address is verified.
    """
    schema = schema_of(pool)
    for name, value in attributes.items():
        attribute = schema.get(name)
        if attribute is None or name == "identities":
            raise InvalidParameterException(
                f"Attributes did not conform to the schema: Type for attribute {{{name}}} could not be determined"
            )
        if name == "sub":
            raise InvalidParameterException("Cannot modify the non-mutable attribute sub")
        if not is_admin:
            if attribute["DeveloperOnlyAttribute"] or name in VERIFIED:
                raise NotAuthorizedException("A client attempted to write unauthorized attribute")
            if client is not None and not may_write(pool, client, name):
                raise NotAuthorizedException("A client attempted to write unauthorized attribute")
        if not is_new and not attribute["Mutable"] and (held or {}).get(name, "") != value:
            raise InvalidParameterException(f"user.{name}: Attribute cannot be updated.\n")
        if value != "" or is_new:
            _check_value(attribute, name, value)
    if is_new and not is_admin:
        check_required(pool, attributes)


def check_required(pool: UserPool, attributes: Mapping[str, str]) -> None:
    """Refuse a user without a required attribute. Raises: InvalidParameterException."""
    missing = [name for name in pool.required_attributes if not attributes.get(name)]
    if missing:
        told = ", ".join(f"{name}: The attribute is required" for name in missing)
        raise InvalidParameterException(f"Attributes did not conform to the schema: {told}\n")


def _check_value(attribute: Mapping[str, Any], name: str, value: str) -> None:
    problem = ""
    kind = attribute["AttributeDataType"]
    if len(value) > VALUE_CHARACTERS_MAX:
        problem = f"{name}: String must be no longer than {VALUE_CHARACTERS_MAX} characters"
    elif kind == "String":
        problem = _text_problem(attribute.get("StringAttributeConstraints", {}), name, value)
    elif kind == "Number":
        problem = _number_problem(attribute.get("NumberAttributeConstraints", {}), name, value)
    elif kind == "Boolean" and value.lower() not in ("true", "false"):
        problem = f"{name}: The attribute value is not a boolean"
    elif kind == "DateTime" and not _DATE_TIME.fullmatch(value):
        problem = f"{name}: The attribute value is not a date and time"
    if problem:
        raise InvalidParameterException(f"Attributes did not conform to the schema: {problem}\n")
    if name == "email" and value and not is_email(value):
        raise InvalidParameterException("Invalid email address format.")
    if name == "phone_number" and value and not is_phone_number(value):
        raise InvalidParameterException("Invalid phone number format.")


def _text_problem(constraints: Mapping[str, str], name: str, value: str) -> str:
    shortest, longest = constraints.get("MinLength"), constraints.get("MaxLength")
    if shortest is not None and len(value) < float(shortest):
        return f"{name}: String must be at least {shortest} characters long"
    if longest is not None and len(value) > float(longest):
        return f"{name}: String must be no longer than {longest} characters"
    return ""


def _number_problem(constraints: Mapping[str, str], name: str, value: str) -> str:
    if not _NUMBER.fullmatch(value):
        return f"{name}: The attribute value is not a number"
    least, most = constraints.get("MinValue"), constraints.get("MaxValue")
    if least is not None and float(value) < float(least):
        return f"{name}: The attribute value is less than {least}"
    if most is not None and float(value) > float(most):
        return f"{name}: The attribute value is greater than {most}"
    return ""


def may_write(pool: UserPool, client: AppClient, name: str) -> bool:
    """Say whether a client may write an attribute; without a list, any that users may write at all."""
    allowed = client.settings.get("WriteAttributes")
    return not allowed or name in allowed or name in pool.required_attributes


def may_read(client: AppClient, name: str) -> bool:
    """Say whether a client sees an attribute; without a list, any but those for developers."""
    allowed = client.settings.get("ReadAttributes")
    if name == "sub":
        return True
    return name in allowed if allowed else not name.startswith(DEVELOPER)
