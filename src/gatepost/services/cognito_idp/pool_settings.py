"""A pool's settings: what may be said, what goes together, and what we do not do and therefore refuse.

Source: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPool.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.services.cognito_idp.errors import (
    FeatureUnavailableInTierException,
    InvalidParameterException,
    UserPoolTaggingException,
)
from gatepost.services.cognito_idp.messages import LINK_PLACE
from gatepost.services.cognito_idp.pool import PASSWORD_POLICY, UserPool
from gatepost.services.cognito_idp.schema import schema_of

TAGS_MAX: Final = 50
SMS_WITH_MFA: Final = (
    "SMS configuration and Auto verification for phone_number are required when MFA is required/optional"
)
# What an update sets anew, each time: what it leaves out goes back to its default.
CHANGEABLE: Final = (
    "Policies",
    "DeletionProtection",
    "LambdaConfig",
    "AutoVerifiedAttributes",
    "SmsVerificationMessage",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "VerificationMessageTemplate",
    "SmsAuthenticationMessage",
    "UserAttributeUpdateSettings",
    "MfaConfiguration",
    "DeviceConfiguration",
    "EmailConfiguration",
    "SmsConfiguration",
    "AdminCreateUserConfig",
    "UserPoolAddOns",
    "AccountRecoverySetting",
    "UserPoolTier",
)
FIXED: Final = ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration")
TRIGGERS: Final = (
    "PreSignUp",
    "CustomMessage",
    "PostConfirmation",
    "PreAuthentication",
    "PostAuthentication",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "PreTokenGeneration",
    "UserMigration",
)
_REFUSED: Final = {
    "KeyConfiguration": "records are sealed with the platform's own key: leave it out",
    "IssuerConfiguration": "start Gatepost with --issuer: leave it out",
    "AcrConfiguration": "tokens carry no acr here: leave it out",
    "DcrConfiguration": "clients do not register themselves here: leave it out",
}
_REFUSED_TRIGGERS: Final = {
    "CustomSMSSender": "it needs KMS: messages go to the outbox, see `gatepost outbox`",
    "CustomEmailSender": "it needs KMS: messages go to the outbox, see `gatepost outbox`",
    "KMSKeyID": "there is no KMS: messages go to the outbox, see `gatepost outbox`",
    "InboundFederation": "users of other providers come in as they are",
}


def unsupported(name: str, why: str) -> InvalidParameterException:
    """Say that AWS has a setting and Gatepost does not."""
    return InvalidParameterException(f"{name} is not supported by Gatepost: {why}")


def settings_from(params: Mapping[str, Any], *, fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give a pool's settings of a call, checked, with defaults filled in. `fixed`: those that cannot change any more.

    Raises: InvalidParameterException, FeatureUnavailableInTierException.
    """
    for name, why in _REFUSED.items():
        if params.get(name):
            raise unsupported(name, why)
    settings = {name: params[name] for name in CHANGEABLE if params.get(name) is not None}
    settings |= fixed if fixed is not None else {name: params[name] for name in FIXED if params.get(name)}
    settings["Policies"] = _policies(settings.get("Policies", {}))
    settings.setdefault("DeletionProtection", "INACTIVE")
    settings.setdefault("MfaConfiguration", "OFF")
    settings.setdefault("EmailConfiguration", {"EmailSendingAccount": "COGNITO_DEFAULT"})
    settings.setdefault("UserPoolTier", "ESSENTIALS")
    settings["AdminCreateUserConfig"] = {
        "AllowAdminCreateUserOnly": False,
        "UnusedAccountValidityDays": settings["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"],
        **settings.get("AdminCreateUserConfig", {}),
    }
    settings["VerificationMessageTemplate"] = {
        "DefaultEmailOption": "CONFIRM_WITH_CODE",
        **settings.get("VerificationMessageTemplate", {}),
    }
    _check_together(settings)
    settings["LambdaConfig"] = _triggers(settings.get("LambdaConfig", {}), settings["UserPoolTier"])
    _check_messages(settings)
    return settings


def _policies(given: Mapping[str, Any]) -> dict[str, Any]:
    policy = dict(given.get("PasswordPolicy") or PASSWORD_POLICY)
    policy.setdefault("MinimumLength", 8)
    policy.setdefault("TemporaryPasswordValidityDays", 7)
    for name in ("RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols"):
        policy.setdefault(name, False)
    factors = (given.get("SignInPolicy") or {}).get("AllowedFirstAuthFactors") or ["PASSWORD"]
    if "PASSWORD" not in factors:
        raise InvalidParameterException("AllowedFirstAuthFactors must contain PASSWORD.")
    if "SOFTWARE_TOKEN" in factors:
        raise unsupported("SOFTWARE_TOKEN as a first factor", "it is a second factor here")
    return {"PasswordPolicy": policy, "SignInPolicy": {"AllowedFirstAuthFactors": list(factors)}}


def _check_together(settings: Mapping[str, Any]) -> None:
    if settings.get("AliasAttributes") and settings.get("UsernameAttributes"):
        raise InvalidParameterException(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool."
        )
    if settings["MfaConfiguration"] != "OFF" and not settings.get("SmsConfiguration") and "_Mfa" not in settings:
        raise InvalidParameterException(SMS_WITH_MFA)
    add_ons = settings.get("UserPoolAddOns", {})
    if add_ons.get("AdvancedSecurityMode", "OFF") != "OFF" or add_ons.get("AdvancedSecurityAdditionalFlows"):
        raise unsupported("UserPoolAddOns.AdvancedSecurityMode", "no risk is assessed here: use OFF")
    before = settings.get("UserAttributeUpdateSettings", {}).get("AttributesRequireVerificationBeforeUpdate") or ()
    if any(name not in settings.get("AutoVerifiedAttributes", ()) for name in before):
        raise InvalidParameterException(
            "AttributesRequireVerificationBeforeUpdate must be a subset of AutoVerifiedAttributes."
        )
    mechanisms = settings.get("AccountRecoverySetting", {}).get("RecoveryMechanisms") or ()
    names = [mechanism["Name"] for mechanism in mechanisms]
    if "admin_only" in names and len(names) > 1:
        raise InvalidParameterException("admin_only cannot be combined with other recovery mechanisms.")
    if len({mechanism["Priority"] for mechanism in mechanisms}) != len(names) or len(set(names)) != len(names):
        raise InvalidParameterException("Each recovery mechanism has a name and a priority of its own.")
    factors = set(settings["Policies"]["SignInPolicy"]["AllowedFirstAuthFactors"])
    if settings["UserPoolTier"] == "LITE" and factors - {"PASSWORD"}:
        raise FeatureUnavailableInTierException("Sign-in without passwords needs the tier ESSENTIALS or PLUS.")
    if settings.get("EmailConfiguration", {}).get("ConfigurationSet"):
        raise unsupported("EmailConfiguration.ConfigurationSet", "there is no SES: leave it out")
    if settings.get("SmsConfiguration", {}).get("EumsSms"):
        raise unsupported("SmsConfiguration.EumsSms", "there is no such service: leave it out")


def _check_messages(settings: Mapping[str, Any]) -> None:
    template = settings["VerificationMessageTemplate"]
    if LINK_PLACE.search(template.get("EmailMessageByLink", "{##Verify##}")) is None:
        raise InvalidParameterException("EmailMessageByLink must contain a link such as {##Verify Email##}.")
    pairs = (
        (settings, "EmailVerificationMessage", "EmailMessage"),
        (settings, "EmailVerificationSubject", "EmailSubject"),
        (settings, "SmsVerificationMessage", "SmsMessage"),
    )
    for older, name, newer in pairs:
        if name in older and newer in template and older[name] != template[newer]:
            raise InvalidParameterException(f"{name} and VerificationMessageTemplate.{newer} cannot differ.")


def _triggers(config: Mapping[str, Any], tier: str) -> dict[str, Any]:
    for name, why in _REFUSED_TRIGGERS.items():
        if config.get(name):
            raise unsupported(f"LambdaConfig.{name}", why)
    found = {name: config[name] for name in TRIGGERS if config.get(name)}
    told = config.get("PreTokenGenerationConfig")
    if told:
        if found.get("PreTokenGeneration", told["LambdaArn"]) != told["LambdaArn"]:
            raise InvalidParameterException("PreTokenGeneration and PreTokenGenerationConfig must name one function.")
        if tier == "LITE" and told["LambdaVersion"] != "V1_0":
            raise FeatureUnavailableInTierException("Changing access tokens needs the tier ESSENTIALS or PLUS.")
        found["PreTokenGenerationConfig"] = dict(told)
        found["PreTokenGeneration"] = told["LambdaArn"]
    elif "PreTokenGeneration" in found:
        found["PreTokenGenerationConfig"] = {"LambdaVersion": "V1_0", "LambdaArn": found["PreTokenGeneration"]}
    for name in TRIGGERS:
        arn = parse_arn(found[name]) if name in found else None
        if name in found and (arn is None or arn.service != "lambda" or not arn.resource.startswith("function:")):
            raise InvalidParameterException(f"LambdaConfig.{name} is not the ARN of a function.")
    return found


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Check tags. Raises: UserPoolTaggingException."""
    if len(tags) > TAGS_MAX:
        raise UserPoolTaggingException(f"A user pool has at most {TAGS_MAX} tags.")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise UserPoolTaggingException("Tag keys must not begin with aws:")
    return dict(tags)


def pool_to_aws(pool: UserPool, *, count: int, domains: Mapping[str, str]) -> dict[str, Any]:
    """Give AWS's UserPoolType. `domains` has Domain and CustomDomain where there are such."""
    shown = {name: value for name, value in pool.settings.items() if not name.startswith("_")}
    mfa = pool.mfa_settings.get("SmsMfaConfiguration", {})
    if "SmsConfiguration" in mfa:
        shown["SmsConfiguration"] = mfa["SmsConfiguration"]
    return {
        **shown,
        **domains,
        "Id": pool.id,
        "Name": pool.name,
        "Arn": pool.arn,
        "LastModifiedDate": pool.changed_at_ms,
        "CreationDate": pool.created_at_ms,
        "SchemaAttributes": list(schema_of(pool).values()),
        "EstimatedNumberOfUsers": count,
        "UserPoolTags": dict(pool.tags),
    }
