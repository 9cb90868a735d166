"""What pools never have is said to be absent; what was there before newer operations still works."""

from __future__ import annotations

import base64

from cryptography import x509

from gatepost.services.cognito_idp.signing_certificate import VALID_DAYS
from gatepost.services.cognito_idp.user_settings import preference_of
from tests.support.user_pools import Aws, Run


def test_a_pool_has_no_threat_protection_logs_branding_and_terms(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        pool = {"UserPoolId": await aws.a_pool()}
        client = {"ClientId": await aws.a_client()}
        await aws.a_user()
        assert await aws("GetUICustomization", **pool) == {"UICustomization": {}}
        assert await aws("GetUICustomization", **pool, **client) == {"UICustomization": {}}
        assert await aws("DescribeRiskConfiguration", **pool) == {"RiskConfiguration": pool}
        told = {"UserPoolId": aws.pool_id, "LogConfigurations": []}
        assert await aws("GetLogDeliveryConfiguration", **pool) == {"LogDeliveryConfiguration": told}
        assert await aws("ListTerms", **pool) == {"Terms": []}
        await aws.fails("InvalidParameterException", "ListTerms", **pool, NextToken="x")
        await aws.fails("ResourceNotFoundException", "DescribeManagedLoginBrandingByClient", **pool, **client)
        events = "AdminListUserAuthEvents"
        await aws.fails("UserPoolAddOnNotEnabledException", events, **pool, Username="ann")
        await aws.fails("UserNotFoundException", events, **pool, Username="bob")
        for operation in ("GetUICustomization", "DescribeRiskConfiguration"):
            await aws.fails("ResourceNotFoundException", operation, **pool, ClientId="other")

    pools(scenario)


def test_the_signing_certificate_is_of_the_pools_key_and_always_the_same(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        first, again = [await aws("GetSigningCertificate", UserPoolId=aws.pool_id) for _ in range(2)]
        assert first == again
        certificate = x509.load_der_x509_certificate(base64.b64decode(first["Certificate"]))
        certificate.verify_directly_issued_by(certificate)
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == VALID_DAYS
        await aws.fails("ResourceNotFoundException", "GetSigningCertificate", UserPoolId="us-east-1_none")

    pools(scenario)


def test_no_options_at_all_turn_it_off() -> None:
    assert preference_of({"MFAOptions": []}) == {"SMSMfaSettings": {"Enabled": False}}
    assert preference_of({"MFAOptions": [{"DeliveryMedium": "SMS"}]}) == {"SMSMfaSettings": {"Enabled": True}}


def test_the_old_settings_turn_the_second_factor_by_sms_on_and_off(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        pool = {"UserPoolId": await aws.a_pool()}
        await aws.a_client()
        await aws.a_user(phone_number="+15555550100", phone_number_verified="true")
        token = (await aws.sign_in())["AccessToken"]
        sms = [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]
        admin = {**pool, "Username": "ann"}
        await aws.fails("InvalidParameterException", "AdminSetUserSettings", **admin, MFAOptions=sms)
        configuration = {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::000000000000:role/sms"}}
        await aws("SetUserPoolMfaConfig", **pool, MfaConfiguration="OPTIONAL", SmsMfaConfiguration=configuration)
        await aws("SetUserSettings", AccessToken=token, MFAOptions=sms)
        assert (await aws.user())["UserMFASettingList"] == ["SMS_MFA"]
        await aws("AdminSetUserSettings", **admin, MFAOptions=[])
        assert "UserMFASettingList" not in await aws.user()
        wrong = [{"DeliveryMedium": "EMAIL", "AttributeName": "email"}]
        await aws.fails("InvalidParameterException", "AdminSetUserSettings", **admin, MFAOptions=wrong)

    pools(scenario)


def test_a_client_tells_what_was_left_out_as_well(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        pool = {"UserPoolId": await aws.a_pool()}
        told = (await aws("CreateUserPoolClient", **pool, ClientName="plain"))["UserPoolClient"]
        expected = {
            "RefreshTokenValidity": 30,
            "TokenValidityUnits": {},
            "AllowedOAuthFlowsUserPoolClient": False,
            "PreventUserExistenceErrors": "LEGACY",
            "EnableTokenRevocation": True,
            "EnablePropagateAdditionalUserContextData": False,
            "AuthSessionValidity": 3,
        }
        assert {name: value for name, value in told.items() if name in expected} == expected
        assert (await aws("DescribeUserPoolClient", **pool, ClientId=told["ClientId"]))["UserPoolClient"] == told

    pools(scenario)
