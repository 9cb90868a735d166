"""Second factors, custom challenges, choosing a first factor, passkeys and devices."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import cbor2
import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pycognito.aws_srp import AWSSRP, generate_hash_device

from gatepost.kernel.clock import FixedClock
from gatepost.services.cognito_idp.challenges import SESSIONS_MAX, Challenge, Challenges
from gatepost.services.cognito_idp.choice_flow import CODES
from gatepost.services.cognito_idp.custom_flow import ROUNDS_MAX
from gatepost.services.cognito_idp.device_operations import devices_page
from gatepost.services.cognito_idp.devices import DEVICES_MAX
from gatepost.services.cognito_idp.passkeys import PASSKEYS_MAX
from gatepost.services.cognito_idp.second_factors import STEP_S, matching_step
from gatepost.services.cognito_idp.self_service import auth_factors
from gatepost.services.cognito_idp.user import User
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, attributes_of, claims_of
from tests.unit.services.cognito_idp.test_signing_in import proof_of, respond, srp

SMS = {"SnsCallerArn": "arn:aws:iam::000000000000:role/sms"}
APP = "SOFTWARE_TOKEN_MFA"
ADDRESSES = {
    "email": "ann@example.com",
    "email_verified": "true",
    "phone_number": "+15555550100",
    "phone_number_verified": "true",
}


async def a_shop(aws: Aws, mode: str = "OPTIONAL", *flows: str, **settings: Any) -> None:
    await aws.a_pool(**settings)
    await aws(
        "SetUserPoolMfaConfig",
        UserPoolId=aws.pool_id,
        MfaConfiguration=mode,
        SoftwareTokenMfaConfiguration={"Enabled": True},
        SmsMfaConfiguration={"SmsConfiguration": SMS, "SmsAuthenticationMessage": "Use {####}."},
        EmailMfaConfiguration={"Message": "Mail {####}", "Subject": "Hi"},
    )
    await aws.a_client(*flows)


async def prefer(aws: Aws, **settings: str) -> None:
    """Switch factors on; a value of `preferred` prefers one."""
    told = {name: {"Enabled": True, "PreferredMfa": value == "preferred"} for name, value in settings.items()}
    await aws("AdminSetUserMFAPreference", UserPoolId=aws.pool_id, Username="ann", **told)


async def begin(aws: Aws) -> dict[str, Any]:
    return await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)


def code_of(aws: Aws, secret: str) -> str:
    return pyotp.TOTP(secret).at(aws.clock.now_ms() // 1000)


async def an_app(aws: Aws) -> str:
    """Set up an authenticator app by access token; gives its secret."""
    token = (await aws.sign_in())["AccessToken"]
    secret = (await aws("AssociateSoftwareToken", AccessToken=token))["SecretCode"]
    wrong = {"AccessToken": token, "UserCode": "000000" if code_of(aws, secret) != "000000" else "000001"}
    await aws.fails("EnableSoftwareTokenMFAException", "VerifySoftwareToken", **wrong)
    told = await aws(
        "VerifySoftwareToken", AccessToken=token, UserCode=code_of(aws, secret), FriendlyDeviceName="Phone"
    )
    assert told == {"Status": "SUCCESS"}
    return str(secret)


# --- second factors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "challenge_name", "response", "text", "to"),
    [
        ("SMSMfaSettings", "SMS_MFA", "SMS_MFA_CODE", "Use {}.", "+*******0100"),
        ("EmailMfaSettings", "EMAIL_OTP", "EMAIL_OTP_CODE", "Mail {}", "a***@e***"),
    ],
)
def test_a_code_that_was_sent_is_the_second_factor(
    pools: Run, setting: str, challenge_name: str, response: str, text: str, to: str
) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user(**ADDRESSES)
        assert "AuthenticationResult" in await begin(aws)
        await prefer(aws, **{setting: "preferred"})
        challenge = await begin(aws)
        assert challenge["ChallengeName"] == challenge_name
        assert challenge["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"] == to
        assert aws.mail.messages[-1].body == text.format(aws.mail.code)
        wrong = "000000" if aws.mail.code != "000000" else "000001"
        await aws.refuses_answer("CodeMismatchException", challenge, **{response: wrong})
        await aws.refuses_answer("InvalidParameterException", challenge)
        done = await aws.answer(challenge, **{response: aws.mail.code})
        assert "AccessToken" in done["AuthenticationResult"]
        await aws.refuses_answer("NotAuthorizedException", challenge, **{response: aws.mail.code})
        challenge = await begin(aws)
        for _ in range(3):
            await aws.refuses_answer("CodeMismatchException", challenge, **{response: wrong})
        await aws.refuses_answer("NotAuthorizedException", challenge, **{response: aws.mail.code})

    pools(scenario)


def test_an_authenticator_apps_code_is_good_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        secret = await an_app(aws)
        assert "AuthenticationResult" in await begin(aws)  # set up, and not yet chosen
        await prefer(aws, SoftwareTokenMfaSettings="preferred")
        user = await aws.user()
        assert (user["PreferredMfaSetting"], user["UserMFASettingList"]) == (
            "SOFTWARE_TOKEN_MFA",
            ["SOFTWARE_TOKEN_MFA"],
        )
        challenge = await begin(aws)
        assert challenge["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "Phone"
        used = {"SOFTWARE_TOKEN_MFA_CODE": code_of(aws, secret)}
        await aws.refuses_answer("ExpiredCodeException", challenge, **used)  # the code that set it up
        for step_s, is_good in ((30, True), (-60, False), (60, False), (30, True)):
            aws.clock.advance(ms=30_000)
            challenge = await begin(aws)
            code = pyotp.TOTP(secret).at(aws.clock.now_ms() // 1000 + step_s)
            if is_good:
                await aws.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=code)
                break
            await aws.refuses_answer("CodeMismatchException", challenge, SOFTWARE_TOKEN_MFA_CODE=code)
        await aws("AdminDeleteSoftwareToken", UserPoolId=aws.pool_id, Username="ann")
        assert "AuthenticationResult" in await begin(aws)

    pools(scenario)


def test_codes_of_apps_far_from_now_are_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        secret = await an_app(aws)
        await prefer(aws, SoftwareTokenMfaSettings="preferred")
        aws.clock.advance(ms=300_000)
        for step_s, is_good in ((-60, False), (60, False), (-30, True)):
            challenge = await begin(aws)
            code = pyotp.TOTP(secret).at(aws.clock.now_ms() // 1000 + step_s)
            if is_good:
                await aws.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=code)
            else:
                await aws.refuses_answer("CodeMismatchException", challenge, SOFTWARE_TOKEN_MFA_CODE=code)

    pools(scenario)


def test_who_has_several_factors_and_prefers_none_selects_one(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user(**ADDRESSES)
        await prefer(aws, SMSMfaSettings="", EmailMfaSettings="")
        challenge = await begin(aws)
        assert challenge["ChallengeName"] == "SELECT_MFA_TYPE"
        assert challenge["ChallengeParameters"]["MFAS_CAN_CHOOSE"] == '["SMS_MFA","EMAIL_OTP"]'
        await aws.refuses_answer("InvalidParameterException", challenge, ANSWER="SOFTWARE_TOKEN_MFA")
        second = await aws.answer(challenge, ANSWER="EMAIL_OTP")
        assert "AuthenticationResult" in await aws.answer(second, EMAIL_OTP_CODE=aws.mail.code)

    pools(scenario)


def test_where_a_second_factor_is_a_must_it_is_set_up_on_the_way_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, "ON")
        await aws.a_user()
        challenge = await begin(aws)
        assert challenge["ChallengeName"] == "MFA_SETUP"
        assert "SOFTWARE_TOKEN_MFA" in challenge["ChallengeParameters"]["MFAS_CAN_SETUP"]
        await aws.refuses_answer("NotAuthorizedException", challenge)  # nothing has been set up
        told = await aws("AssociateSoftwareToken", Session=challenge["Session"])
        code = code_of(aws, told["SecretCode"])
        verified = await aws("VerifySoftwareToken", Session=told["Session"], UserCode=code)
        done = await aws.answer({**challenge, "Session": verified["Session"]})
        assert "AccessToken" in done["AuthenticationResult"]
        aws.clock.advance(ms=30_000)
        challenge = await begin(aws)
        assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
        await aws.fails("NotAuthorizedException", "AssociateSoftwareToken", Session=challenge["Session"])
        await aws.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=code_of(aws, told["SecretCode"]))

    pools(scenario)


def test_an_address_is_the_factor_where_one_is_a_must_and_no_other_was_chosen(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, "ON")
        await aws.a_user(**ADDRESSES)
        challenge = await begin(aws)
        assert challenge["ChallengeName"] == "SMS_MFA"
        await aws.answer(challenge, SMS_MFA_CODE=aws.mail.code)

    pools(scenario)


def test_factors_that_cannot_be_are_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        params = {"UserPoolId": aws.pool_id, "Username": "ann"}
        on = {"Enabled": True, "PreferredMfa": False}
        for code, settings in (
            ("SoftwareTokenMFANotFoundException", {"SoftwareTokenMfaSettings": on}),
            ("MFAMethodNotFoundException", {"SMSMfaSettings": on}),
            ("MFAMethodNotFoundException", {"EmailMfaSettings": on}),
            ("InvalidParameterException", {"SMSMfaSettings": {"Enabled": False, "PreferredMfa": True}}),
            ("InvalidParameterException", {"WebAuthnMfaSettings": {"Enabled": True}}),
        ):
            await aws.fails(code, "AdminSetUserMFAPreference", **params, **settings)
        pool = {"UserPoolId": aws.pool_id, "MfaConfiguration": "ON"}
        await aws.fails("InvalidParameterException", "SetUserPoolMfaConfig", **pool)
        await aws.fails("InvalidParameterException", "CreateUserPool", PoolName="x", MfaConfiguration="ON")

    pools(scenario)


# --- custom challenges -----------------------------------------------------------------------------------------


def captcha() -> dict[str, Any]:
    def define(event: dict[str, Any]) -> None:
        session = event["request"]["session"]
        answered = [one for one in session if one["challengeName"] == "CUSTOM_CHALLENGE"]
        if session and session[-1]["challengeName"] == "SRP_A":
            event["response"] = {
                "challengeName": "PASSWORD_VERIFIER",
                "issueTokens": False,
                "failAuthentication": False,
            }
        elif answered and answered[-1]["challengeResult"]:
            event["response"] = {"issueTokens": True, "failAuthentication": False}
        elif len(answered) >= 2:
            event["response"] = {"issueTokens": False, "failAuthentication": True}
        else:
            event["response"] = {"challengeName": "CUSTOM_CHALLENGE", "issueTokens": False, "failAuthentication": False}

    def create(event: dict[str, Any]) -> None:
        event["response"] = {
            "publicChallengeParameters": {"question": "6*7"},
            "privateChallengeParameters": {"answer": "42"},
            "challengeMetadata": "SUM",
        }

    def verify(event: dict[str, Any]) -> None:
        request = event["request"]
        event["response"]["answerCorrect"] = (
            request["challengeAnswer"] == request["privateChallengeParameters"]["answer"]
        )

    return {"DefineAuthChallenge": define, "CreateAuthChallenge": create, "VerifyAuthChallengeResponse": verify}


def test_functions_set_challenges_of_their_own(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(LambdaConfig=aws.functions.config())
        await aws.a_client("ALLOW_CUSTOM_AUTH")
        await aws.a_user()
        challenge = await aws.start("CUSTOM_AUTH")
        assert challenge["ChallengeParameters"] == {"question": "6*7", "USERNAME": "ann"}
        second = await aws.answer(challenge, ANSWER="41")
        assert second["ChallengeName"] == "CUSTOM_CHALLENGE"
        await aws.refuses_answer("NotAuthorizedException", challenge, ANSWER="42")
        done = await aws.answer(second, ANSWER="42")
        assert claims_of(done["AuthenticationResult"]["IdToken"])["cognito:username"] == "ann"
        event = aws.functions.event("DefineAuthChallenge_Authentication")
        metadata = {"challengeName": "CUSTOM_CHALLENGE", "challengeMetadata": "SUM"}
        assert event["request"]["session"] == [
            {**metadata, "challengeResult": False},
            {**metadata, "challengeResult": True},
        ]
        assert event["request"]["userNotFound"] is False
        challenge = await aws.answer(await aws.start("CUSTOM_AUTH"), ANSWER="0")
        message = await aws.refuses_answer("NotAuthorizedException", challenge, ANSWER="0")
        assert message == "Incorrect username or password."

    pools(scenario, functions=captcha())


def test_nobody_gets_the_same_challenges_and_never_tokens(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(LambdaConfig=aws.functions.config())
        await aws.a_client("ALLOW_CUSTOM_AUTH")
        challenge = await aws.start("CUSTOM_AUTH", "nobody")
        assert challenge["ChallengeName"] == "CUSTOM_CHALLENGE"
        await aws.refuses_answer("NotAuthorizedException", challenge, "nobody", ANSWER="42")
        assert aws.functions.events[-1]["request"]["userNotFound"] is True

    pools(scenario, functions=captcha())


def test_a_custom_sign_in_may_begin_with_srp(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(LambdaConfig=aws.functions.config())
        await aws.a_client("ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH")
        await aws.a_user()
        client = srp(aws)
        given = {"SRP_A": client.get_auth_params()["SRP_A"], "CHALLENGE_NAME": "SRP_A"}
        challenge = await aws.start("CUSTOM_AUTH", **given)
        assert challenge["ChallengeName"] == "PASSWORD_VERIFIER"
        proof = proof_of(aws, client, challenge)
        await aws.fails(  # without the session the proof would skip what the functions ask
            "NotAuthorizedException",
            "RespondToAuthChallenge",
            ClientId=aws.client_id,
            ChallengeName="PASSWORD_VERIFIER",
            ChallengeResponses=proof,
        )
        challenge = await aws.start("CUSTOM_AUTH", **given)
        custom = await aws.answer(challenge, **proof_of(aws, client, challenge))
        assert custom["ChallengeName"] == "CUSTOM_CHALLENGE"
        assert "AuthenticationResult" in await aws.answer(custom, ANSWER="42")

    pools(scenario, functions=captcha())


def test_custom_challenges_need_their_functions(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client("ALLOW_CUSTOM_AUTH")
        call = {"ClientId": aws.client_id, "AuthFlow": "CUSTOM_AUTH", "AuthParameters": {"USERNAME": "ann"}}
        await aws.fails("InvalidParameterException", "InitiateAuth", **call)

    pools(scenario)


# --- choosing --------------------------------------------------------------------------------------------------

CHOICES = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"]}}


async def a_choice(aws: Aws, **settings: Any) -> None:
    await aws.a_pool(Policies=CHOICES, **settings)
    await aws("SetUserPoolMfaConfig", UserPoolId=aws.pool_id, WebAuthnConfiguration={"RelyingPartyId": "shop.example"})
    await aws.a_client("ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")


def test_a_user_chooses_among_the_factors_that_there_are(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user(**ADDRESSES)
        told = await aws.start("USER_AUTH")
        assert told["ChallengeName"] == "SELECT_CHALLENGE"
        assert told["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "EMAIL_OTP", "SMS_OTP"]
        await aws.refuses_answer("InvalidParameterException", told, ANSWER="WEB_AUTHN")
        code = await aws.answer(told, ANSWER="SMS_OTP")
        done = await aws.answer(code, SMS_OTP_CODE=aws.mail.code)
        assert "AccessToken" in done["AuthenticationResult"]
        code = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="EMAIL_OTP")
        assert code["ChallengeName"] == "EMAIL_OTP"
        assert "AuthenticationResult" in await aws.answer(code, EMAIL_OTP_CODE=aws.mail.code)
        asked = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD")
        assert asked["ChallengeName"] == "PASSWORD"
        await aws.refuses_answer("NotAuthorizedException", asked, PASSWORD=OTHER_PASSWORD)
        asked = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD")
        assert "AuthenticationResult" in await aws.answer(asked, PASSWORD=PASSWORD)
        direct = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD", PASSWORD=PASSWORD)
        assert "AuthenticationResult" in direct
        client = srp(aws)
        told = await aws.start("USER_AUTH")
        proving = await aws.answer(told, ANSWER="PASSWORD_SRP", SRP_A=client.get_auth_params()["SRP_A"])
        assert "AuthenticationResult" in await aws.answer(proving, **proof_of(aws, client, proving))
        proving = await aws.start(
            "USER_AUTH", PREFERRED_CHALLENGE="PASSWORD_SRP", SRP_A=client.get_auth_params()["SRP_A"]
        )
        assert "AuthenticationResult" in await respond(aws, proof_of(aws, client, proving))

    async def nobody(aws: Aws) -> None:
        await a_choice(aws)
        told = await aws.start("USER_AUTH", "nobody")
        assert [one for one in told["AvailableChallenges"] if one != "WEB_AUTHN"] == ["PASSWORD", "PASSWORD_SRP"]
        asked = await aws.answer(told, "nobody", ANSWER="PASSWORD")
        await aws.refuses_answer("NotAuthorizedException", asked, "nobody", PASSWORD=PASSWORD)

    async def nobody_with_a_mailbox(aws: Aws) -> None:
        await a_choice(aws, UsernameAttributes=["email"])
        told = await aws.start("USER_AUTH", "nobody@example.com")
        assert set(told["AvailableChallenges"]) - {"WEB_AUTHN"} == {"PASSWORD", "PASSWORD_SRP", "EMAIL_OTP"}
        code = await aws.answer(told, "nobody@example.com", ANSWER="EMAIL_OTP")
        assert code["ChallengeParameters"] == {
            "CODE_DELIVERY_DELIVERY_MEDIUM": "EMAIL",
            "CODE_DELIVERY_DESTINATION": code["ChallengeParameters"]["CODE_DELIVERY_DESTINATION"],
        }
        assert aws.mail.messages == []
        for _ in range(3):
            await aws.refuses_answer("CodeMismatchException", code, "nobody@example.com", EMAIL_OTP_CODE="123456")
        await aws.refuses_answer("NotAuthorizedException", code, "nobody@example.com", EMAIL_OTP_CODE="123456")

    pools(scenario)
    pools(nobody)
    pools(nobody_with_a_mailbox)


def test_who_needs_a_second_factor_begins_with_a_password(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user(**ADDRESSES)
        await aws(
            "SetUserPoolMfaConfig",
            UserPoolId=aws.pool_id,
            MfaConfiguration="OPTIONAL",
            SmsMfaConfiguration={"SmsConfiguration": SMS},
        )
        await prefer(aws, SMSMfaSettings="preferred")
        told = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="EMAIL_OTP")
        assert set(told["AvailableChallenges"]) - {"WEB_AUTHN"} == {"PASSWORD", "PASSWORD_SRP"}
        second = await aws.answer(told, ANSWER="PASSWORD", PASSWORD=PASSWORD)
        assert second["ChallengeName"] == "SMS_MFA"

    pools(scenario)


def test_a_user_without_a_password_signs_up_and_is_let_in_at_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws, AutoVerifiedAttributes=["email"])
        told = await aws(
            "SignUp",
            ClientId=aws.client_id,
            Username="ann",
            UserAttributes=[{"Name": "email", "Value": "ann@example.com"}],
        )
        early = {"ClientId": aws.client_id, "AuthFlow": "USER_AUTH", "AuthParameters": {"USERNAME": "ann"}}
        await aws.fails("UserNotConfirmedException", "InitiateAuth", **early, Session=told["Session"])
        confirmed = {"ClientId": aws.client_id, "Username": "ann", "ConfirmationCode": aws.mail.code}
        assert await aws("ConfirmSignUp", **confirmed) == {}
        code = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="EMAIL_OTP")
        assert code["AvailableChallenges"] == ["EMAIL_OTP"]
        await aws.answer(code, EMAIL_OTP_CODE=aws.mail.code)
        bob = {"ClientId": aws.client_id, "Username": "bob", "Password": PASSWORD}
        told = await aws("SignUp", **bob, UserAttributes=[{"Name": "email", "Value": "bob@example.com"}])
        bob = {"ClientId": aws.client_id, "Username": "bob", "ConfirmationCode": aws.mail.code}
        session = (await aws("ConfirmSignUp", **bob, Session=told["Session"]))["Session"]
        done = await aws("InitiateAuth", **{**early, "AuthParameters": {"USERNAME": "bob"}}, Session=session)
        assert "AccessToken" in done["AuthenticationResult"]
        await aws.fails("NotAuthorizedException", "InitiateAuth", **early, Session=session)

    pools(scenario)


# --- passkeys --------------------------------------------------------------------------------------------------


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Authenticator:
    """A passkey with its own key, as a browser and a phone make one."""

    def __init__(self, relying_party: str = "shop.example", origin: str = "https://shop.example") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"credential-id-16" + b"x" * 16
        self.relying_party = relying_party
        self.origin = origin
        self.count = 0

    def client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def data(self, flags: int) -> bytes:
        self.count += 1
        return hashlib.sha256(self.relying_party.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def registration(self, challenge: str) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        data = self.data(0x45) + bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return {
            "id": encoded(self.id),
            "rawId": encoded(self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": encoded(self.client_data("webauthn.create", challenge)),
                "attestationObject": encoded(attestation),
                "transports": ["internal"],
            },
        }

    def assertion(self, challenge: str) -> str:
        data, client_data = self.data(0x05), self.client_data("webauthn.get", challenge)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return json.dumps(
            {
                "id": encoded(self.id),
                "type": "public-key",
                "response": {
                    "clientDataJSON": encoded(client_data),
                    "authenticatorData": encoded(data),
                    "signature": encoded(signature),
                },
            }
        )


async def a_passkey(aws: Aws, authenticator: Authenticator) -> str:
    told = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD", PASSWORD=PASSWORD)
    token = told["AuthenticationResult"]["AccessToken"]
    options = (await aws("StartWebAuthnRegistration", AccessToken=token))["CredentialCreationOptions"]
    credential = authenticator.registration(options["challenge"])
    await aws("CompleteWebAuthnRegistration", AccessToken=token, Credential=credential)
    return str(token)


def test_a_passkey_signs_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user(**ADDRESSES)
        phone = Authenticator()
        token = await a_passkey(aws, phone)
        (listed,) = (await aws("ListWebAuthnCredentials", AccessToken=token))["Credentials"]
        assert (listed["CredentialId"], listed["RelyingPartyId"]) == (encoded(phone.id), "shop.example")
        told = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="WEB_AUTHN")
        options = json.loads(told["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"])
        done = await aws.answer(told, CREDENTIAL=phone.assertion(options["challenge"]))
        assert "AccessToken" in done["AuthenticationResult"]
        await aws("DeleteWebAuthnCredential", AccessToken=token, CredentialId=encoded(phone.id))
        assert "WEB_AUTHN" not in (await aws.start("USER_AUTH"))["AvailableChallenges"]

    pools(scenario)


def test_passkeys_of_others_are_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user(**ADDRESSES)
        phone = Authenticator()
        token = await a_passkey(aws, phone)

        async def tries(authenticator: Authenticator, *, challenge: str = "", count: int | None = None) -> None:
            told = await aws.start("USER_AUTH", PREFERRED_CHALLENGE="WEB_AUTHN")
            options = json.loads(told["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"])
            if count is not None:
                authenticator.count = count
            given = authenticator.assertion(challenge or options["challenge"])
            await aws.refuses_answer("NotAuthorizedException", told, CREDENTIAL=given)

        await tries(Authenticator())  # another key for the same id
        phone.origin = "https://shop.example.evil.test"
        await tries(phone)
        phone.origin = "http://shop.example"
        await tries(phone)
        phone.origin, phone.relying_party = "https://shop.example", "evil.test"
        await tries(phone)
        phone.relying_party = "shop.example"
        await tries(phone, challenge=encoded(bytes(32)))
        await tries(phone, count=0)  # copied: its counter went back
        for origin, code in (
            ("https://evil.test", "WebAuthnOriginNotAllowedException"),
            ("https://notshop.example", "WebAuthnOriginNotAllowedException"),
        ):
            options = (await aws("StartWebAuthnRegistration", AccessToken=token))["CredentialCreationOptions"]
            other = Authenticator(origin=origin)
            params = {"AccessToken": token, "Credential": other.registration(options["challenge"])}
            await aws.fails(code, "CompleteWebAuthnRegistration", **params)
        await aws.fails("WebAuthnChallengeNotFoundException", "CompleteWebAuthnRegistration", **params)
        for credential in ({}, {"response": {}}, {"response": {"clientDataJSON": "!", "attestationObject": "AA"}}):
            await aws("StartWebAuthnRegistration", AccessToken=token)
            params = {"AccessToken": token, "Credential": credential}
            await aws.fails("WebAuthnCredentialNotSupportedException", "CompleteWebAuthnRegistration", **params)

    pools(scenario)


# --- devices ---------------------------------------------------------------------------------------------------


def test_a_remembered_device_proves_itself_instead_of_a_code(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        devices = {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": False}
        await a_shop(aws, "OPTIONAL", DeviceConfiguration=devices)
        await aws.a_user(**ADDRESSES)
        await prefer(aws, SMSMfaSettings="preferred")
        done = await aws.answer(await begin(aws), SMS_MFA_CODE=aws.mail.code)
        result = done["AuthenticationResult"]
        key, group = (result["NewDeviceMetadata"][name] for name in ("DeviceKey", "DeviceGroupKey"))
        secret, config = generate_hash_device(group, key)
        params = {"AccessToken": result["AccessToken"], "DeviceKey": key}
        other = {**params, "DeviceKey": "us-east-1_00000000-0000-4000-8000-000000000000"}
        await aws.fails("NotAuthorizedException", "ConfirmDevice", **other, DeviceSecretVerifierConfig=config)
        bad = {"PasswordVerifier": "AA==", "Salt": config["Salt"]}
        await aws.fails("InvalidParameterException", "ConfirmDevice", **params, DeviceSecretVerifierConfig=bad)
        told = await aws("ConfirmDevice", **params, DeviceSecretVerifierConfig=config, DeviceName="Laptop")
        assert told == {"UserConfirmationNecessary": False}

        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD, DEVICE_KEY=key)
        assert challenge["ChallengeName"] == "DEVICE_SRP_AUTH"
        client = AWSSRP(
            username="ann",
            password=PASSWORD,
            pool_id=aws.pool_id,
            client_id=aws.client_id,
            client=object(),
            device_key=key,
            device_group_key=group,
            device_password=secret,
        )
        proving = await aws.answer(challenge, SRP_A=client.get_auth_params()["SRP_A"], DEVICE_KEY=key)
        shown = proving["ChallengeParameters"]
        timestamp = client.get_cognito_formatted_timestamp(datetime.fromtimestamp(aws.clock.now_ms() / 1000, UTC))
        hkdf = client.get_device_authentication_key(group, key, secret, int(shown["SRP_B"], 16), shown["SALT"])
        signed = group.encode() + key.encode() + base64.b64decode(shown["SECRET_BLOCK"]) + timestamp.encode()
        done = await aws.answer(
            proving,
            DEVICE_KEY=key,
            TIMESTAMP=timestamp,
            PASSWORD_CLAIM_SECRET_BLOCK=shown["SECRET_BLOCK"],
            PASSWORD_CLAIM_SIGNATURE=base64.b64encode(hmac.new(hkdf, signed, hashlib.sha256).digest()).decode(),
        )
        result = done["AuthenticationResult"]
        assert claims_of(result["AccessToken"])["device_key"] == key
        assert "NewDeviceMetadata" not in result
        given = {"REFRESH_TOKEN": result["RefreshToken"]}
        call = {"ClientId": aws.client_id, "AuthFlow": "REFRESH_TOKEN_AUTH"}
        await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=given)
        await aws("InitiateAuth", **call, AuthParameters={**given, "DEVICE_KEY": key})
        (device,) = (await aws("ListDevices", AccessToken=result["AccessToken"]))["Devices"]
        assert attributes_of({"Attributes": device["DeviceAttributes"]})["device_name"] == "Laptop"
        admin = {"UserPoolId": aws.pool_id, "Username": "ann", "DeviceKey": key}
        await aws("AdminUpdateDeviceStatus", **admin, DeviceRememberedStatus="not_remembered")
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD, DEVICE_KEY=key)
        assert challenge["ChallengeName"] == "SMS_MFA"
        await aws("AdminForgetDevice", **admin)
        await aws.fails("ResourceNotFoundException", "AdminGetDevice", **admin)
        await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters={**given, "DEVICE_KEY": key})

    pools(scenario)


# --- bounds ----------------------------------------------------------------------------------------------------


def a_user(**changes: Any) -> User:
    return User("us-east-1_Pool12345", "ann", {"sub": "s"}, "CONFIRMED", 0, 0, **changes)


def test_no_more_sessions_are_open_than_said_and_the_oldest_goes() -> None:
    challenges = Challenges(FixedClock())
    sessions = [challenges.open(Challenge("p", "c", "ann", "SMS_MFA", 1 << 50)) for _ in range(SESSIONS_MAX + 1)]
    assert len(challenges) == SESSIONS_MAX
    with pytest.raises(Exception, match="Invalid session"):
        challenges.take(sessions[0], client_id="c", name="SMS_MFA")
    assert challenges.take(sessions[1], client_id="c", name="SMS_MFA").user_name == "ann"


def test_functions_that_never_end_a_sign_in_are_stopped(pools: Run) -> None:
    functions = captcha()

    def forever(event: dict[str, Any]) -> None:
        event["response"] = {"challengeName": "CUSTOM_CHALLENGE"}

    async def scenario(aws: Aws) -> None:
        await aws.a_pool(LambdaConfig=aws.functions.config())
        await aws.a_client("ALLOW_CUSTOM_AUTH")
        await aws.a_user()
        challenge = await aws.start("CUSTOM_AUTH")
        for _ in range(ROUNDS_MAX):
            challenge = await aws.answer(challenge, ANSWER="0")
        await aws.refuses_answer("NotAuthorizedException", challenge, ANSWER="0")

    pools(scenario, functions={**functions, "DefineAuthChallenge": forever})


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 456"])
def test_texts_that_are_no_codes_match_no_step(code: str) -> None:
    secret = pyotp.random_base32()
    assert matching_step(secret, code, 0) is None
    assert matching_step("", pyotp.TOTP(secret).at(0), 0) is None
    assert matching_step(secret, pyotp.TOTP(secret).at(STEP_S * 7), STEP_S * 7000) == 7


def test_devices_are_listed_by_pages() -> None:
    device = {"name": "", "ip": "", "is_remembered": True, "created_at_ms": 0, "changed_at_ms": 0, "last_used_at_ms": 0}
    user = a_user(devices=[{**device, "key": str(number)} for number in range(DEVICES_MAX)])
    first = devices_page(user, {})
    rest = devices_page(user, {"PaginationToken": first["PaginationToken"]})
    keys = [one["DeviceKey"] for page in (first, rest) for one in page["Devices"]]
    assert keys == [str(number) for number in range(DEVICES_MAX)]
    assert "PaginationToken" not in rest


def test_factors_are_listed_as_the_pool_and_the_user_have_them(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user(**ADDRESSES)
        token = await a_passkey(aws, Authenticator())
        told = await aws("GetUserAuthFactors", AccessToken=token)
        assert told["ConfiguredUserAuthFactors"] == ["PASSWORD", *CODES, "WEB_AUTHN"]
        assert await aws("AdminGetUserAuthFactors", UserPoolId=aws.pool_id, Username="ann") == told
        pool = aws.provider._pools.find(aws.pool_id)
        assert pool is not None
        assert auth_factors(pool, a_user())["ConfiguredUserAuthFactors"] == []
        assert PASSKEYS_MAX == 20

    pools(scenario)
