"""Function names as Lambda takes them: a name, a partial ARN or a whole one, with or without a qualifier.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (FunctionName)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gatepost.kernel.operations import Call
from gatepost.services.lambda_.model import InvalidParameterValueException

NAME_CHARACTERS_MAX: Final = 64
_NAME: Final = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*):lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """What a name says; empty parts were not said."""

    name: str
    qualifier: str
    account_id: str
    region: str


def parse_name(text: str) -> FunctionName:
    """Read a function's name. Raises: InvalidParameterValueException."""
    found = _NAME.fullmatch(text)
    if found is None or len(found["name"]) > NAME_CHARACTERS_MAX:
        raise InvalidParameterValueException(
            f"{text!r} is not a function's name: use at most {NAME_CHARACTERS_MAX} letters, digits, - and _, or an ARN",
            members={"Type": "User"},
        )
    return FunctionName(found["name"], found["qualifier"] or "", found["account"] or "", found["region"] or "")


def function_arn(call: Call, name: FunctionName) -> str:
    """Give the unqualified ARN, in the caller's account and region unless the name says another."""
    return f"arn:aws:lambda:{name.region or call.region}:{name.account_id or call.account_id}:function:{name.name}"


def chosen_qualifier(name: FunctionName, qualifier: str | None) -> str:
    """Give the version or alias that is meant, from the name or beside it; empty when neither says one.

    Raises: InvalidParameterValueException when they say different ones.
    """
    if name.qualifier and qualifier and name.qualifier != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier.",
            members={"Type": "User"},
        )
    return qualifier or name.qualifier
