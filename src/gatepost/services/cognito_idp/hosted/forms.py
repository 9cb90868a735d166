"""What all pages share: their parts in one place, forms for one browser, and what people may type."""

from __future__ import annotations

import base64
import hmac
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Call, Principal
from gatepost.services.cognito_idp.choice_flow import ChoiceFlow
from gatepost.services.cognito_idp.errors import (
    AliasExistsException,
    CodeMismatchException,
    EnableSoftwareTokenMFAException,
    ExpiredCodeException,
    InvalidParameterException,
    InvalidPasswordException,
    PasswordHistoryPolicyViolationException,
    UsernameExistsException,
)
from gatepost.services.cognito_idp.hosted.answers import page
from gatepost.services.cognito_idp.hosted.authorization_requests import PARAMETERS
from gatepost.services.cognito_idp.hosted.browser_sessions import MARK_FIELD, form_mark, mark_of
from gatepost.services.cognito_idp.hosted.granting import Granting
from gatepost.services.cognito_idp.hosted.html import Page
from gatepost.services.cognito_idp.hosted.steps import Steps
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.page_parts import Hosted
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.wire.messages import Response

USERNAME_CHARACTERS_MAX: Final = 128
PASSWORD_CHARACTERS_MAX: Final = 256
CODE_CHARACTERS_MAX: Final = 64
_FIELD_OF: Final[Mapping[type[ServiceError], str]] = {
    CodeMismatchException: "code",
    EnableSoftwareTokenMFAException: "code",
    ExpiredCodeException: "code",
    InvalidPasswordException: "password",
    PasswordHistoryPolicyViolationException: "password",
    UsernameExistsException: "username",
    AliasExistsException: "username",
}
_WORDS: Final[Mapping[type[ServiceError], str]] = {
    CodeMismatchException: "This code is not right. Check it and try again.",
    EnableSoftwareTokenMFAException: "This code is not right. Check it and try again.",
    ExpiredCodeException: "This code has expired. Ask for a new one.",
}

Operation = Callable[[Call, Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the pages need. `operations` are users' own operations by AWS's name."""

    hosted: Hosted
    choice_flow: ChoiceFlow
    operations: Mapping[str, Operation]
    steps: Steps
    granting: Granting
    clock: Clock

    @property
    def pools(self) -> Pools:
        """Give the pools."""
        return self.hosted.pools

    async def run(self, visit: Visit, client: AppClient, operation: str, params: Mapping[str, Any]) -> Any:
        """Run one of users' own operations as this client. Raises: what it raises."""
        call = Call(
            "cognito-idp",
            operation,
            visit.pool.account_id,
            visit.pool.region,
            Principal("anonymous", visit.pool.account_id, "", "anonymous"),
            visit.request_id,
            self.clock.now_ms(),
            visit.ip,
            visit.user_agent,
            visit.is_secure,
        )
        given = {"ClientId": client.id, **params}
        if client.has_secret and "Username" in params:
            given["SecretHash"] = self.secret_hash(client, params["Username"])
        return await self.operations[operation](call, given)

    def secret_hash(self, client: AppClient, username: str) -> str:
        """Give a client's proof for a user name: the pages are part of every client."""
        secret = self.pools.secret_of(client).encode()
        return base64.b64encode(hmac.digest(secret, (username + client.id).encode(), "sha256")).decode()


def show(visit: Visit, shown: Page, *, step: str = "") -> Response:
    """Answer with a page whose form is good in this browser only. Errors make it a 400."""
    mark, cookies = mark_of(visit)
    hidden = {MARK_FIELD: form_mark(visit, mark), **({"step": step} if step else {}), **shown.hidden}
    status = 400 if shown.errors else 200
    return page(replace(shown, hidden=hidden).render(), status=status, cookies=cookies)


def carried(visit: Visit) -> dict[str, str]:
    """Give the authorization request's parameters, for the next page's address."""
    return {name: visit.query[name] for name in PARAMETERS if name in visit.query}


def login_label(pool: UserPool) -> str:
    """Say what people sign in with."""
    names = {"email": "Email", "phone_number": "Phone number"}
    found = [names[name] for name in pool.username_attributes]
    if not found:
        found = ["Username", *(names[name] for name in pool.alias_attributes if name in names)]
    text = " or ".join(found)
    return text[:1] + text[1:].lower()


def login_kind(pool: UserPool) -> str:
    """Give the type of the input for it."""
    kinds = {"email": "email", "phone_number": "tel"}
    names = pool.username_attributes
    return kinds[names[0]] if len(names) == 1 else "text"


def typed_username(visit: Visit) -> str:
    """Give the user name of a form. Raises: InvalidParameterException when none can be like that."""
    name = visit.form.get("username", "").strip()
    if not name or len(name) > USERNAME_CHARACTERS_MAX or any(unicodedata.category(one)[0] in "ZC" for one in name):
        raise InvalidParameterException(f"Enter a name of 1 to {USERNAME_CHARACTERS_MAX} characters without spaces.")
    return name


def typed_password(visit: Visit) -> str:
    """Give the password of a form. Raises: InvalidPasswordException when it is longer than any may be."""
    password = visit.form.get("password", "")
    if len(password) > PASSWORD_CHARACTERS_MAX:
        raise InvalidPasswordException(f"A password has at most {PASSWORD_CHARACTERS_MAX} characters.")
    return password


def typed_code(visit: Visit) -> str:
    """Give the code of a form, without the spaces that people put between its digits."""
    return "".join(visit.form.get("code", "").split())[:CODE_CHARACTERS_MAX]


def errors_of(error: ServiceError, *, otherwise: str = "") -> dict[str, str]:
    """Give what a page says of an error, at which field."""
    words = _WORDS.get(type(error)) or error.message or "Something went wrong. Try again."
    return {_FIELD_OF.get(type(error), otherwise): words}


def password_hint(pool: UserPool) -> str:
    """Say what a password must have."""
    policy = pool.password_policy
    wanted = {
        "RequireUppercase": "an upper-case letter",
        "RequireLowercase": "a lower-case letter",
        "RequireNumbers": "a number",
        "RequireSymbols": "a symbol",
    }
    parts = [words for name, words in wanted.items() if policy.get(name)]
    text = f"At least {policy.get('MinimumLength', 8)} characters"
    return text + (f", with {', '.join(parts)}." if parts else ".")
