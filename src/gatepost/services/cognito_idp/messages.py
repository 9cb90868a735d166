"""Messages to users: which text goes where, with codes and names filled in, once the CustomMessage trigger has spoken.

Sources:
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-settings-message-customizations.html
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-custom-message.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import Mailbox, OutgoingMessage
from gatepost.services.cognito_idp.errors import CodeDeliveryFailureException
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.triggers import Triggers, user_attributes
from gatepost.services.cognito_idp.user import User

CODE: Final = "{####}"
USERNAME: Final = "{username}"
LINK: Final = "{##Click Here##}"
LINK_PLACE: Final = re.compile(r"\{##([^{}#][^{}]*?)##\}")  # its words are what is clicked
_LINKED: Final = frozenset({"CustomMessage_SignUp", "CustomMessage_ResendCode"})
_LINK_SUBJECT: Final = "Your verification link"
_LINK_TEXT: Final = "Please click the link below to verify your email address. {##Verify Email##}"
MEDIA: Final[Mapping[str, str]] = {"email": "EMAIL", "phone_number": "SMS"}
_SUBJECT: Final = "Your verification code"
_TEXT: Final = f"Your confirmation code is {CODE}"
_RESET_TEXT: Final = f"Your password reset code is {CODE}"
_INVITE_SUBJECT: Final = "Your temporary password"
_INVITE: Final = f"Your username is {USERNAME} and temporary password is {CODE}."
_SIGN_IN: Final = f"Your authentication code is {CODE}."


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts for one occasion, before anything is filled in."""

    sms: str
    subject: str
    body: str


class Messages:
    """Renders messages and hands them to the mailbox."""

    def __init__(self, mailbox: Mailbox, triggers: Triggers, address_of: Callable[[UserPool], str]) -> None:
        """Take where messages go to; `address_of` gives where a pool's pages are, "" when it has no domain."""
        self._address_of = address_of
        self._mailbox = mailbox
        self._triggers = triggers

    async def send(
        self,
        pool: UserPool,
        user: User,
        source: str,
        *,
        attribute: str,
        code: str,
        client_id: str,
        to: str = "",
        client_metadata: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Send a code for an occasion (`CustomMessage_SignUp`, …) to a user's `attribute`; give CodeDeliveryDetails.

        `to` is an address that is not the attribute's value yet.

        Raises: CodeDeliveryFailureException, and what the trigger raises.
        """
        texts = await self._texts(pool, user, source, client_id, client_metadata)
        address = to or user.attributes.get(attribute, "")
        link = self._link(pool, user, source, code=code, client_id=client_id) if attribute == "email" else ""
        message = _rendered(pool, user, texts, medium=MEDIA[attribute], to=address, code=code, source=source, link=link)
        try:
            await self._mailbox.send(message)
        except ServiceUnavailable as error:
            raise CodeDeliveryFailureException("The code could not be delivered.", detail=error.message) from error
        return {"Destination": masked(address), "DeliveryMedium": message.medium, "AttributeName": attribute}

    def _link(self, pool: UserPool, user: User, source: str, *, code: str, client_id: str) -> str:
        """Give the address that confirms a sign-up; "" where a code does. Raises: CodeDeliveryFailureException."""
        if source not in _LINKED or not confirms_by_link(pool):
            return ""
        base = self._address_of(pool)
        if not base:
            raise CodeDeliveryFailureException("A link needs the user pool to have a domain: create one.")
        query = {"client_id": client_id, "user_name": user.name, "confirmation_code": code}
        return f"{base}/confirmUser?{urlencode(query)}"

    async def _texts(
        self,
        pool: UserPool,
        user: User,
        source: str,
        client_id: str,
        client_metadata: Mapping[str, str] | None,
    ) -> Texts:
        texts = texts_of(pool, source)
        told = await self._triggers.fire(
            pool,
            "CustomMessage",
            source,
            user_name=user.name,
            client_id=client_id,
            request={
                "userAttributes": user_attributes(user),
                "codeParameter": CODE,
                "linkParameter": LINK,
                "usernameParameter": USERNAME if source == "CustomMessage_AdminCreateUser" else None,
                "clientMetadata": dict(client_metadata or {}),
            },
            response={"smsMessage": None, "emailMessage": None, "emailSubject": None},
        )
        return Texts(
            told.get("smsMessage") or texts.sms,
            told.get("emailSubject") or texts.subject,
            told.get("emailMessage") or texts.body,
        )


def _rendered(
    pool: UserPool, user: User, texts: Texts, *, medium: str, to: str, code: str, source: str, link: str
) -> OutgoingMessage:
    login = _login(pool, user)
    is_mail = medium == "EMAIL"
    settings = pool.settings.get("EmailConfiguration", {}) if is_mail else {}
    return OutgoingMessage(
        medium=medium,
        to=to,
        subject=_filled(texts.subject, code=code, name=login) if is_mail else "",
        body=_linked(_filled(texts.body, code=html.escape(code), name=html.escape(login)), link)
        if is_mail
        else _filled(texts.sms, code=code, name=login),
        sender=settings.get("From") or ("no-reply@verificationemail.com" if is_mail else ""),
        reply_to=settings.get("ReplyToEmailAddress", ""),
        source_arn=pool.arn,
        occasion=source.removeprefix("CustomMessage_"),
        user_name=user.name,
        code=code,
    )


def _login(pool: UserPool, user: User) -> str:
    """Give what the user signs in with: a made-up user name means nothing to anybody."""
    return next((user.attributes[name] for name in pool.username_attributes if name in user.attributes), user.name)


def confirms_by_link(pool: UserPool) -> bool:
    """Say whether sign-ups are confirmed by a link in an e-mail."""
    template: Mapping[str, Any] = pool.settings.get("VerificationMessageTemplate", {})
    return template.get("DefaultEmailOption") == "CONFIRM_WITH_LINK"


def _linked(text: str, link: str) -> str:
    if not link:
        return text
    return LINK_PLACE.sub(lambda found: f'<a href="{html.escape(link)}">{html.escape(found[1])}</a>', text)


def _filled(text: str, *, code: str, name: str) -> str:
    return text.replace(CODE, code).replace(USERNAME, name)


def texts_of(pool: UserPool, source: str) -> Texts:
    """Give a pool's texts for an occasion."""
    settings = pool.settings
    template: Mapping[str, Any] = settings.get("VerificationMessageTemplate", {})
    if source == "CustomMessage_AdminCreateUser":
        invite = pool.admin_create_user_config.get("InviteMessageTemplate", {})
        return Texts(
            invite.get("SMSMessage", _INVITE),
            invite.get("EmailSubject", _INVITE_SUBJECT),
            invite.get("EmailMessage", _INVITE),
        )
    if source == "CustomMessage_Authentication":
        email = pool.mfa_settings.get("EmailMfaConfiguration", {})
        sms = pool.mfa_settings.get("SmsMfaConfiguration", {})
        return Texts(
            sms.get("SmsAuthenticationMessage") or settings.get("SmsAuthenticationMessage", _SIGN_IN),
            email.get("Subject", "Your authentication code"),
            email.get("Message", _SIGN_IN),
        )
    if source in _LINKED and confirms_by_link(pool):
        return Texts(
            template.get("SmsMessage") or settings.get("SmsVerificationMessage", _TEXT),
            template.get("EmailSubjectByLink", _LINK_SUBJECT),
            template.get("EmailMessageByLink", _LINK_TEXT),
        )
    default = _RESET_TEXT if source == "CustomMessage_ForgotPassword" else _TEXT
    return Texts(
        template.get("SmsMessage") or settings.get("SmsVerificationMessage", default),
        template.get("EmailSubject") or settings.get("EmailVerificationSubject", _SUBJECT),
        template.get("EmailMessage") or settings.get("EmailVerificationMessage", default),
    )


def masked(address: str) -> str:
    """Hide most of an address, as CodeDeliveryDetails do: `a***@e***`, `+*******0123`."""
    if "@" in address:
        local, _, domain = address.partition("@")
        return f"{local[:1]}***@{domain[:1]}***"
    return f"+{'*' * max(len(address) - 5, 0)}{address[-4:]}"
