"""`/signup`, `/confirmUser`, `/forgotPassword`, `/resetPassword`: the ways to an account, and back into one.

Nobody learns here who has an account: a code for a new password is "sent" to everybody. (A sign-up under a name that is
taken says so, as on AWS: PreventUserExistenceErrors does not cover it.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    NotAuthorizedException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.hosted.answers import page
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
from gatepost.services.cognito_idp.hosted.html import Field, Page
from gatepost.services.cognito_idp.hosted.steps import Step
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.messages import confirms_by_link
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.wire.messages import Response

if TYPE_CHECKING:
    from gatepost.services.cognito_idp.hosted.sign_in_pages import SignInPages

CONFIRM: Final = "CONFIRM_SIGN_UP"  # steps of ours
RESET: Final = "RESET_PASSWORD"
_TOO_OLD: Final = "This page is too old. Begin again."
_AUTOCOMPLETE: Final[Mapping[str, tuple[str, str]]] = {  # type and autocomplete, of HTML's standard names
    "email": ("email", "email"),
    "phone_number": ("tel", "tel"),
    "name": ("text", "name"),
    "given_name": ("text", "given-name"),
    "family_name": ("text", "family-name"),
    "middle_name": ("text", "additional-name"),
    "nickname": ("text", "nickname"),
    "birthdate": ("date", "bday"),
    "address": ("text", "street-address"),
    "website": ("url", "url"),
    "gender": ("text", "sex"),
    "locale": ("text", "language"),
}
_HINTS: Final[Mapping[str, str]] = {"phone_number": "With country code, such as +14325550100."}


class AccountPages:
    """The pages of an account."""

    def __init__(self, parts: PageParts, sign_in: SignInPages) -> None:
        self._parts = parts
        self._sign_in = sign_in

    # --- signing up --------------------------------------------------------------------------------------------

    def show_sign_up(self, visit: Visit) -> Response:
        """Show the form of a sign-up."""
        if visit.pool.admin_create_user_config.get("AllowAdminCreateUserOnly"):
            return show(
                visit, Page("Create an account", visit.pool.name, errors={"": "Accounts are made for you here."})
            )
        return show(visit, self._sign_up_page(visit))

    async def take_sign_up(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Take the form of a sign-up. Raises: Refused."""
        names = sign_up_attributes(visit.pool)
        try:
            username = typed_username(visit)
            given = [{"Name": name, "Value": visit.form.get(name, "").strip()} for name in names]
            params = {
                "Username": username,
                "Password": typed_password(visit),
                "UserAttributes": [one for one in given if one["Value"]],
            }
            told = await self._parts.run(visit, request.client, "SignUp", params)
        except ServiceError as error:
            return show(visit, self._sign_up_page(visit, errors=errors_of(error, otherwise=_field_named(error, names))))
        if told["UserConfirmed"]:
            return await self._let_in(visit, request, username)
        details = told.get("CodeDeliveryDetails") or {}
        if confirms_by_link(visit.pool) and details.get("DeliveryMedium") == "EMAIL":
            notice = f"We have sent a link to {details['Destination']}. Open it, then sign in."
            return await self._sign_in.with_notice(visit, request, notice, login=username)
        step = self._parts.steps.keep(visit, request.client, Step(CONFIRM, username, state={"may_sign_in": True}))
        return show(visit, confirm_page(visit, lead=told_of(told)), step=step)

    def _sign_up_page(self, visit: Visit, *, errors: Mapping[str, str] | None = None) -> Page:
        pool, query = visit.pool, carried(visit)
        username = visit.form.get("username", "")
        fields = [Field("username", _sign_up_label(pool), login_kind(pool), autocomplete="username", value=username)]
        for name in sign_up_attributes(pool):
            kind, autocomplete = _AUTOCOMPLETE.get(name, ("text", "off"))
            label = name.removeprefix("custom:").replace("_", " ").capitalize()
            value, hint = visit.form.get(name, ""), _HINTS.get(name, "")
            fields.append(Field(name, label, kind, autocomplete=autocomplete, value=value, hint=hint))
        hint = password_hint(pool)
        fields.append(Field("password", "Password", "password", autocomplete="new-password", hint=hint))
        return Page(
            "Create an account",
            pool.name,
            action=visit.link("/signup", query),
            fields=fields,
            submit="Create account",
            errors=errors or {},
            links=[(visit.link("/login", query), "I have an account")],
        )

    # --- confirming it -----------------------------------------------------------------------------------------

    def show_confirm(self, visit: Visit) -> Response:
        """Show the form for a sign-up's code to somebody who comes from elsewhere."""
        name = visit.query.get("user_name", "")
        return show(visit, confirm_page(visit, lead="Enter the code that we have sent you.", ask_name=True, name=name))

    async def confirm_by_link(self, visit: Visit) -> Response:
        """Confirm a sign-up by the address in its e-mail (`CONFIRM_WITH_LINK`): opening it is enough, as on AWS."""
        name, code = visit.query.get("user_name", ""), visit.query["confirmation_code"]
        client = self._parts.pools.client(visit.query.get("client_id", ""))
        brand = visit.pool.name
        try:
            if client is None or client.pool_id != visit.pool.id:
                raise NotAuthorizedException("This link is not complete.")
            await self._parts.run(visit, client, "ConfirmSignUp", {"Username": name, "ConfirmationCode": code})
        except ServiceError:  # who opens it twice, or made it up, is told the same
            words = "This link is not valid, or it was used already. Sign in, or ask the app for another."
            return page(Page("Not confirmed", brand, errors={"": words}).render(), status=400)
        lead = "Your account is confirmed. Go back to the app and sign in."
        return page(Page("Confirmed", brand, lead=lead).render())

    async def take_confirm(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Take a sign-up's code, or send another. Raises: Refused."""
        text = visit.form.get("step", "")
        step = self._parts.steps.take(visit, request.client, text) if text else None
        is_resend = visit.form.get("action") == "resend"
        try:
            if text and step is None:
                raise NotAuthorizedException(_TOO_OLD)
            username = step.login if step is not None else typed_username(visit)
            if is_resend:
                told = await self._parts.run(visit, request.client, "ResendConfirmationCode", {"Username": username})
                return self._confirm_again(visit, request, step, username, notice=told_of(told))
            params = {"Username": username, "ConfirmationCode": typed_code(visit)}
            await self._parts.run(visit, request.client, "ConfirmSignUp", params)
        except ServiceError as error:
            name = step.login if step is not None else visit.form.get("username", "")
            if isinstance(error, UserNotFoundException) and is_resend:
                return self._confirm_again(visit, request, step, name, notice="We have sent you a code.")
            if isinstance(error, UserNotFoundException):
                error = NotAuthorizedException("The code cannot be checked. Ask for a new one.")
            return self._confirm_again(visit, request, step, name, errors=errors_of(error, otherwise="code"))
        if step is not None and step.state.get("may_sign_in"):
            return await self._let_in(visit, request, username)
        return await self._sign_in.with_notice(visit, request, "Your account is confirmed.", login=username)

    def _confirm_again(
        self,
        visit: Visit,
        request: AuthorizationRequest,
        step: Step | None,
        name: str,
        *,
        errors: Mapping[str, str] | None = None,
        notice: str = "",
    ) -> Response:
        kept = self._parts.steps.keep(visit, request.client, step) if step is not None else ""
        shown = confirm_page(
            visit,
            lead="Enter the code that we have sent you.",
            ask_name=step is None,
            name=name,
            errors=errors,
            notice=notice,
        )
        return show(visit, shown, step=kept)

    async def _let_in(self, visit: Visit, request: AuthorizationRequest, username: str) -> Response:
        """Sign in whoever has just signed up in this browser, password and all. Raises: Refused."""
        held = await self._parts.hosted.users.find(visit.pool, username)
        try:
            if held is None:
                raise NotAuthorizedException("Sign in again.")
            attempt = self._sign_in.attempt(visit, request, username)
            answer = await self._parts.hosted.sign_in.passed_first_factor(attempt, held.user)
        except ServiceError:
            return await self._sign_in.with_notice(visit, request, "Your account is confirmed.", login=username)
        return await self._sign_in.go_on(visit, request, answer, login=username)

    # --- a forgotten password ----------------------------------------------------------------------------------

    def show_forgot(self, visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
        """Ask who has forgotten the password."""
        query = carried(visit)
        name = visit.form.get("username", "")
        field = Field("username", login_label(visit.pool), login_kind(visit.pool), autocomplete="username", value=name)
        return show(
            visit,
            Page(
                "Forgot your password?",
                visit.pool.name,
                "We will send you a code to set a new one with.",
                action=visit.link("/forgotPassword", query),
                fields=(field,),
                submit="Send code",
                errors=errors or {},
                links=[(visit.link("/login", query), "Back to sign-in")],
            ),
        )

    async def take_forgot(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Send a code for a new password, or seem to."""
        told: Mapping[str, Any] = {}
        try:
            username = typed_username(visit)
            told = await self._parts.run(visit, request.client, "ForgotPassword", {"Username": username})
        except InvalidParameterException as error:
            if not visit.form.get("username", "").strip():
                return self.show_forgot(visit, errors_of(error, otherwise="username"))
            username = visit.form["username"].strip()[:128]
        except (UserNotFoundException, NotAuthorizedException):
            pass  # clients that tell who exists do so by the API; a page never does
        except ServiceError as error:
            return self.show_forgot(visit, errors_of(error))
        hides = request.client.hides_users
        lead = told_of(told) if told and hides else "If there is such an account, we have sent it a code."
        step = self._parts.steps.keep(visit, request.client, Step(RESET, username))
        return show(visit, _reset_page(visit, lead=lead), step=step)

    def show_reset(self, visit: Visit) -> Response:
        """Show the form for a new password to somebody who comes from elsewhere."""
        return show(visit, _reset_page(visit, lead="Enter the code that we have sent you.", ask_name=True))

    async def take_reset(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Set a new password by a code."""
        text = visit.form.get("step", "")
        step = self._parts.steps.take(visit, request.client, text) if text else None
        try:
            if text and step is None:
                raise NotAuthorizedException(_TOO_OLD)
            username = step.login if step is not None else typed_username(visit)
            params = {
                "Username": username,
                "ConfirmationCode": typed_code(visit),
                "Password": typed_password(visit),
            }
            await self._parts.run(visit, request.client, "ConfirmForgotPassword", params)
        except ServiceError as error:
            if isinstance(error, UserNotFoundException):
                error = NotAuthorizedException("This code is not right. Check it and try again.")
            kept = self._parts.steps.keep(visit, request.client, step) if step is not None else ""
            lead = "Enter the code that we have sent you."
            errors = errors_of(error, otherwise="code")
            return show(visit, _reset_page(visit, lead=lead, ask_name=step is None, errors=errors), step=kept)
        return await self._sign_in.with_notice(visit, request, "Your new password is set.", login=username)


def forgot_link(visit: Visit) -> str:
    """Give the address of the page for a forgotten password."""
    return visit.link("/forgotPassword", carried(visit))


def confirm_page(
    visit: Visit,
    *,
    lead: str,
    ask_name: bool = False,
    name: str = "",
    errors: Mapping[str, str] | None = None,
    notice: str = "",
) -> Page:
    """Give the page for a sign-up's code."""
    query = carried(visit)
    code = Field("code", "Code", "code", autocomplete="one-time-code")
    who = Field("username", login_label(visit.pool), login_kind(visit.pool), autocomplete="username", value=name)
    return Page(
        "Confirm your account",
        visit.pool.name,
        lead,
        action=visit.link("/confirmUser", query),
        fields=(who, code) if ask_name else (code,),
        submit="Confirm account",
        other_submits=[("action", "resend", "Send another code")],
        errors=errors or {},
        notice=notice,
        links=[(visit.link("/login", query), "Back to sign-in")],
    )


def _reset_page(visit: Visit, *, lead: str, ask_name: bool = False, errors: Mapping[str, str] | None = None) -> Page:
    pool, query = visit.pool, carried(visit)
    name = visit.form.get("username", "")
    who = Field("username", login_label(pool), login_kind(pool), autocomplete="username", value=name)
    code = Field("code", "Code", "code", autocomplete="one-time-code")
    hint = password_hint(pool)
    password = Field("password", "New password", "password", autocomplete="new-password", hint=hint)
    return Page(
        "Reset your password",
        pool.name,
        lead,
        action=visit.link("/resetPassword", query),
        fields=(who, code, password) if ask_name else (code, password),
        submit="Set password",
        errors=errors or {},
        links=[(visit.link("/login", query), "Back to sign-in")],
    )


def sign_up_attributes(pool: UserPool) -> list[str]:
    """Give the attributes that a sign-up asks for: those that must be, and the address that is to be verified."""
    wanted = [*pool.required_attributes, *(name for name in pool.auto_verified if not pool.username_attributes)]
    single = pool.username_attributes[0] if len(pool.username_attributes) == 1 else ""
    return [name for name in dict.fromkeys(wanted) if name not in ("sub", single)]


def _sign_up_label(pool: UserPool) -> str:
    return login_label(pool) if pool.username_attributes else "Username"


def _field_named(error: ServiceError, names: list[str]) -> str:
    """Give the field that an error's words are about, if they name one."""
    return next((name for name in names if name in error.message), "")


def told_of(answer: Mapping[str, Any]) -> str:
    """Say where a code was sent."""
    where = (answer.get("CodeDeliveryDetails") or {}).get("Destination")
    return f"We have sent a code to {where}." if where else "We have sent you a code."
