"""Toy providers: a few operations of real services, whose answers tests hand in or can compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import MARK, Access, Call, OperationMark, Principal
from gatepost.kernel.ports import Identity

ACCOUNT = "000000000000"
ADMINISTRATOR = Principal(
    "user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/administrator", "AIDAADMINISTRATOR", "AKIATESTADMIN"
)
STRANGER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/stranger", "AIDASTRANGER", "AKIATESTSTRANGER")
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "a/session+token=="

Method = Callable[[Call, dict[str, Any]], Any]


class KnownIdentities:
    """Three keys: the administrator's, a stranger's who may do nothing, and temporary ones of the administrator."""

    def find(self, access_key_id: str, session_token: str, now_ms: int) -> Identity | None:
        if access_key_id == "ASIATESTSESSION":
            return Identity(ADMINISTRATOR, SECRET) if session_token == SESSION_TOKEN else None
        if session_token:
            return None
        known = {"AKIATESTADMIN": ADMINISTRATOR, "AKIATESTSTRANGER": STRANGER}
        principal = known.get(access_key_id)
        return Identity(principal, SECRET) if principal is not None else None

    def knows(self, access_key_id: str) -> bool:
        return access_key_id in {"AKIATESTADMIN", "AKIATESTSTRANGER", "ASIATESTSESSION"}


class StrangersMayNothing:
    """Lets the administrator do everything and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def check(self, call: Call, access: Access) -> None:
        self.asked.append((access.action, access.resource))
        if call.principal != ADMINISTRATOR and call.principal.name != "anyone":
            told = f"is not authorized to perform: {access.action} on resource: {access.resource}"
            raise AccessDeniedException(f"User: {call.principal.arn} {told}")


def a_provider(service_name: str, *, wire_json: Sequence[str] = (), **methods: Method) -> Any:
    """Build a provider of `service_name` whose operations are `methods`, by AWS's names."""

    class Toy:
        service = service_name

        def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
            return (Access(f"{service_name}:{call.operation}", "*"),)

    for name, method in methods.items():

        def bound(self: Any, call: Call, params: dict[str, Any], method: Method = method) -> Any:
            return method(call, params)

        setattr(bound, MARK, OperationMark(name, name in wire_json))
        setattr(Toy, name.lower(), bound)
    return Toy()
