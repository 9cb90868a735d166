"""`/login`: user name and password, then whatever else the pool asks for, then back to the app.

Each page is the answer to the form before; the address stays, and holds the authorization request, which is checked
anew with every form. What must not be in a browser's hands (Cognito's session, a secret for an authenticator app) is
kept here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.cognito_idp.errors import (
    CodeMismatchException,
    EnableSoftwareTokenMFAException,
    InvalidParameterException,
    InvalidPasswordException,
    NotAuthorizedException,
    PasswordHistoryPolicyViolationException,
    PasswordResetRequiredException,
    UserNotConfirmedException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.hosted.account_pages import CONFIRM, confirm_page, forgot_link
from gatepost.services.cognito_idp.hosted.authorization_requests import AuthorizationRequest
from gatepost.services.cognito_idp.hosted.forms import (
    PageParts,
    carried,
    errors_of,
    login_kind,
    login_label,
    password_hint,
    show,
    typed_code,
    typed_password,
    typed_username,
)
from gatepost.services.cognito_idp.hosted.html import SIGN_IN, Choice, Field, Page
from gatepost.services.cognito_idp.hosted.identity_providers import offered
from gatepost.services.cognito_idp.hosted.steps import Step
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.pool import IDENTITY_PROVIDER, UserPool
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN, Answer, Attempt
from gatepost.wire.messages import Response

FLOW: Final = "HOSTED_UI"
CODES: Final[Mapping[str, str]] = {
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
    "SMS_OTP": "SMS_OTP_CODE",
    "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE",
}
_METHODS: Final[Mapping[str, str]] = {
    "SMS_MFA": "Text message",
    "EMAIL_OTP": "Email",
    "SOFTWARE_TOKEN_MFA": "Authenticator app",
}
_BY_CODE: Final[Mapping[str, str]] = {"EMAIL_OTP": "Email me a code instead", "SMS_OTP": "Text me a code instead"}
_TRY_AGAIN: Final = (
    CodeMismatchException,
    EnableSoftwareTokenMFAException,
    InvalidPasswordException,
    InvalidParameterException,
    PasswordHistoryPolicyViolationException,
)


class SignInPages:
    """The pages of signing in."""

    def __init__(self, parts: PageParts) -> None:
        self._parts = parts

    async def show(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Show the first page."""
        return await self._first(visit, request, login=request.login_hint)

    async def take(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Take a form: the first one, or the response to a challenge. Raises: Refused."""
        text = visit.form.get("step", "")
        if not text:
            return await self._begin(visit, request)
        step = self._parts.steps.take(visit, request.client, text)
        if step is None:
            return await self._first(visit, request, errors={"": "This page is too old. Sign in again."})
        try:
            answer = await self._respond(visit, request, step)
        except _TRY_AGAIN as error:
            has_code = step.challenge in CODES or step.challenge == "MFA_SETUP"
            return self._ask(visit, request, step, errors=errors_of(error, otherwise="code" if has_code else ""))
        except ServiceError as error:
            return await self._first(visit, request, login=step.login, errors={"": error.message})
        return await self.go_on(visit, request, answer, login=step.login)

    async def go_on(self, visit: Visit, request: AuthorizationRequest, answer: Answer, *, login: str) -> Response:
        """Go on from a step: to the next page, or back to the app. Raises: Refused."""
        if "User" in answer:
            return await self._parts.granting.signed_in(visit, request, answer["User"])
        step = Step(answer["ChallengeName"], login, answer["Session"], answer["ChallengeParameters"])
        if step.challenge == "MFA_SETUP":
            return await self._set_up(visit, request, step)
        return self._ask(visit, request, step)

    def attempt(self, visit: Visit, request: AuthorizationRequest, login: str, **parameters: str) -> Attempt:
        """Give the attempt of somebody at these pages."""
        return Attempt(visit.pool, request.client, login, parameters, flow=FLOW, is_hosted=True)

    # --- the first page ----------------------------------------------------------------------------------------

    async def _begin(self, visit: Visit, request: AuthorizationRequest) -> Response:
        login = visit.form.get("username", "").strip()
        try:
            attempt = self.attempt(visit, request, typed_username(visit))
            if not _has_own_users(request):
                raise NotAuthorizedException("Sign in by one of the providers below.")
            answer = await self._first_factor(visit, attempt)
        except UserNotConfirmedException:
            return self._unconfirmed(visit, request, login)
        except PasswordResetRequiredException:
            words = "Your password has to be reset. Choose “Forgot your password?”."
            return await self._first(visit, request, login=login, errors={"": words})
        except UserNotFoundException:
            return await self._first(visit, request, login=login, errors={"": BAD_LOGIN})
        except InvalidParameterException as error:
            return await self._first(visit, request, login=login, errors=errors_of(error, otherwise="username"))
        except ServiceError as error:
            return await self._first(visit, request, login=login, errors=errors_of(error))
        return await self.go_on(visit, request, answer, login=attempt.login)

    async def _first_factor(self, visit: Visit, attempt: Attempt) -> Answer:
        method = visit.form.get("method", "")
        if method in _BY_CODE and method in attempt.pool.first_factors and attempt.pool.mfa != "ON":
            chosen = replace(attempt, parameters={"PREFERRED_CHALLENGE": method})
            answer = await self._parts.choice_flow.begin(chosen, "")
            if answer["ChallengeName"] != method:
                raise NotAuthorizedException("This way of signing in is not open to you. Use your password.")
            return answer
        password = typed_password(visit)
        if not password:
            raise InvalidPasswordException("Enter your password.")
        return await self._parts.hosted.with_password(attempt, password)

    def _unconfirmed(self, visit: Visit, request: AuthorizationRequest, login: str) -> Response:
        """Let somebody whose password is right confirm the sign-up first."""
        step = self._parts.steps.keep(visit, request.client, Step(CONFIRM, login))
        shown = confirm_page(visit, lead="You have to confirm your account before you sign in.")
        return show(visit, shown, step=step)

    async def _first(
        self,
        visit: Visit,
        request: AuthorizationRequest,
        *,
        login: str = "",
        errors: Mapping[str, str] | None = None,
        notice: str = "",
    ) -> Response:
        pool, query = visit.pool, carried(visit)
        providers = await self._parts.hosted.things.every(IDENTITY_PROVIDER, pool)
        names = offered(request.client, providers)
        shown = [
            (visit.link("/oauth2/authorize", {**query, "identity_provider": name}), f"Continue with {name}")
            for name in names
        ]
        if not _has_own_users(request):
            return show(visit, Page(SIGN_IN, pool.name, providers=shown, errors=errors or {}, notice=notice))
        links = [(forgot_link(visit), "Forgot your password?")]
        if not pool.admin_create_user_config.get("AllowAdminCreateUserOnly"):
            links.append((visit.link("/signup", query), "Create an account"))
        by_code = [
            ("method", method, label)
            for method, label in _BY_CODE.items()
            if method in pool.first_factors and pool.mfa != "ON"
        ]
        fields = (
            Field("username", login_label(pool), login_kind(pool), autocomplete="username", value=login),
            Field("password", "Password", "password", autocomplete="current-password"),
        )
        return show(
            visit,
            Page(
                SIGN_IN,
                pool.name,
                action=visit.link("/login", query),
                fields=fields,
                submit=SIGN_IN,
                other_submits=by_code,
                errors=errors or {},
                notice=notice,
                links=links,
                providers=shown,
            ),
        )

    async def with_notice(self, visit: Visit, request: AuthorizationRequest, notice: str, *, login: str) -> Response:
        """Show the first page, and say what has been done."""
        return await self._first(visit, request, login=login, notice=notice)

    # --- challenges --------------------------------------------------------------------------------------------

    async def _respond(self, visit: Visit, request: AuthorizationRequest, step: Step) -> Answer:
        parts, code = self._parts, typed_code(visit)
        if step.challenge in CODES:
            attempt = self.attempt(visit, request, step.login, **{CODES[step.challenge]: code})
            return await parts.hosted.answer(attempt, step.challenge, step.session)
        match step.challenge:
            case "NEW_PASSWORD_REQUIRED":
                given = {f"userAttributes.{name}": visit.form.get(name, "") for name in _missing(step)}
                attempt = self.attempt(visit, request, step.login, NEW_PASSWORD=typed_password(visit), **given)
                return await parts.hosted.answer(attempt, step.challenge, step.session)
            case "SELECT_MFA_TYPE":
                attempt = self.attempt(visit, request, step.login, ANSWER=visit.form.get("answer", ""))
                return await parts.hosted.answer(attempt, step.challenge, step.session)
            case "MFA_SETUP":
                params = {"Session": step.session, "UserCode": code, "FriendlyDeviceName": "Authenticator app"}
                verified = await parts.run(visit, request.client, "VerifySoftwareToken", params)
                attempt = self.attempt(visit, request, step.login)
                return await parts.hosted.answer(attempt, step.challenge, verified["Session"])
        raise NotAuthorizedException("Sign in again.")

    async def _set_up(self, visit: Visit, request: AuthorizationRequest, step: Step) -> Response:
        """Let somebody who needs a second factor and has none set up an authenticator app."""
        if "SOFTWARE_TOKEN_MFA" not in json.loads(step.shown.get("MFAS_CAN_SETUP", "[]")):
            words = "A second factor is needed, and your account has none. Ask whoever made it for you."
            return await self._first(visit, request, login=step.login, errors={"": words})
        told = await self._parts.run(visit, request.client, "AssociateSoftwareToken", {"Session": step.session})
        return self._ask(visit, request, replace(step, session=told["Session"], state={"secret": told["SecretCode"]}))

    def _ask(
        self, visit: Visit, request: AuthorizationRequest, step: Step, errors: Mapping[str, str] | None = None
    ) -> Response:
        shown = challenge_page(visit.pool, step)
        if shown is None:
            raise request.refusal("server_error", "the sign-in needs a step that these pages do not have")
        kept = self._parts.steps.keep(visit, request.client, step)
        query = carried(visit)
        shown = replace(
            shown,
            action=visit.link("/login", query),
            errors=errors or {},
            links=[(visit.link("/login", query), "Sign in as someone else")],
        )
        return show(visit, shown, step=kept)


def _has_own_users(request: AuthorizationRequest) -> bool:
    return "COGNITO" in (request.client.settings.get("SupportedIdentityProviders") or ("COGNITO",))


def _missing(step: Step) -> list[str]:
    names: list[str] = json.loads(step.shown.get("requiredAttributes", "[]"))
    return [name.removeprefix("userAttributes.") for name in names]


def challenge_page(pool: UserPool, step: Step) -> Page | None:
    """Give the page that asks for a challenge's response; None: there is none."""
    code = Field("code", "Code", "code", autocomplete="one-time-code")
    if step.challenge == "SOFTWARE_TOKEN_MFA":
        lead = "Enter the code that your authenticator app shows."
        return Page("Enter your code", pool.name, lead, fields=(code,), submit=SIGN_IN)
    if step.challenge in CODES:
        lead = f"We have sent a code to {step.shown.get('CODE_DELIVERY_DESTINATION', 'you')}."
        return Page("Enter your code", pool.name, lead, fields=(code,), submit=SIGN_IN)
    if step.challenge == "NEW_PASSWORD_REQUIRED":
        asked = [Field(name, _named(name)) for name in _missing(step)]
        password = Field("password", "New password", "password", autocomplete="new-password", hint=password_hint(pool))
        lead = "Your password was a temporary one."
        return Page("Choose a new password", pool.name, lead, fields=(password, *asked), submit="Set password")
    if step.challenge == "SELECT_MFA_TYPE":
        can: list[str] = json.loads(step.shown.get("MFAS_CAN_CHOOSE", "[]"))
        choices = [Choice("answer", factor, _METHODS[factor]) for factor in can if factor in _METHODS]
        return Page(
            "Choose a method", pool.name, "How do you want to confirm it is you?", choices=choices, submit="Go on"
        )
    if step.challenge == "MFA_SETUP":
        return _set_up_page(pool, step, code)
    return None


def _set_up_page(pool: UserPool, step: Step, code: Field) -> Page:
    import pyotp
    import segno

    secret = step.state["secret"]
    uri = pyotp.TOTP(secret).provisioning_uri(name=step.login, issuer_name=pool.name)
    drawn = segno.make(uri, error="m").svg_inline(border=2, omitsize=True, dark="#000", light="#fff")
    above = (
        f'<div class="qr" role="img" aria-label="QR code of the key below">{drawn}</div>'
        f'<p class="hint">If you cannot scan it, type this key into the app:</p>'
        f'<p class="secret">{_grouped(secret)}</p>'
    )
    return Page(
        "Set up an authenticator app",
        pool.name,
        "Scan this code with an authenticator app, then enter the code that the app shows.",
        above=above,
        fields=(code,),
        submit="Go on",
    )


def _grouped(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def _named(attribute: str) -> str:
    return attribute.removeprefix("custom:").replace("_", " ").capitalize()
