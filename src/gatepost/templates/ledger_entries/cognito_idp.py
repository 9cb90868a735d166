"""What happens to the properties of AWS::Cognito types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, inert, matching, one_of, refused

_OUTBOX: Final = "messages go to the outbox (`gatepost outbox`), and e-mails out by --smtp"
_KMS: Final = refused("there is no KMS: messages go to the outbox, see `gatepost outbox`")


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return (
        TypeEntry("AWS::Cognito::UserPool", ENFORCED, _POOL),
        TypeEntry("AWS::Cognito::UserPoolClient", ENFORCED, _client()),
        TypeEntry(
            "AWS::Cognito::UserPoolDomain",
            ENFORCED,
            {
                "CustomDomainConfig": ENFORCED,
                "Domain": ENFORCED,
                "ManagedLoginVersion": ENFORCED,
                "Routing": refused("there is one region: remove it"),
                "UserPoolId": ENFORCED,
            },
        ),
        TypeEntry("AWS::Cognito::UserPoolGroup", ENFORCED, _all(_GROUP)),
        TypeEntry(
            "AWS::Cognito::UserPoolIdentityProvider",
            ENFORCED,
            {
                **_all(("AttributeMapping", "IdpIdentifiers", "ProviderDetails", "ProviderName", "UserPoolId")),
                "ProviderType": one_of("OIDC", otherwise="SAML and social providers are not supported: use OIDC"),
            },
        ),
        TypeEntry("AWS::Cognito::UserPoolResourceServer", ENFORCED, _all(_SERVER)),
        TypeEntry("AWS::Cognito::UserPoolUser", ENFORCED, _all(_USER)),
        TypeEntry("AWS::Cognito::UserPoolUserToGroupAttachment", ENFORCED, _all(_ATTACHMENT)),
    )


def _client() -> dict[str, Entry]:
    return {
        **_all(_CLIENT),
        "AnalyticsConfiguration": refused("there is no Pinpoint: remove it"),
        "EnablePropagateAdditionalUserContextData": one_of("false", otherwise="no risk is assessed here: remove it"),
        "ExplicitAuthFlows": matching(
            r"(?!ALLOW_TOKEN_EXCHANGE).*", otherwise="tokens are not exchanged here: remove it"
        ),
    }


def _all(names: tuple[str, ...]) -> dict[str, Entry]:
    return dict.fromkeys(names, ENFORCED)


_CLIENT: Final = (
    "AccessTokenValidity",
    "AllowedOAuthFlows",
    "AllowedOAuthFlowsUserPoolClient",
    "AllowedOAuthScopes",
    "AuthSessionValidity",
    "CallbackURLs",
    "ClientName",
    "DefaultRedirectURI",
    "EnableTokenRevocation",
    "GenerateSecret",
    "IdTokenValidity",
    "LogoutURLs",
    "PreventUserExistenceErrors",
    "ReadAttributes",
    "RefreshTokenRotation",
    "RefreshTokenValidity",
    "SupportedIdentityProviders",
    "TokenValidityUnits",
    "UserPoolId",
    "WriteAttributes",
)
_POOL: Final[dict[str, Entry]] = {
    "AccountRecoverySetting": ENFORCED,
    "AdminCreateUserConfig": ENFORCED,
    "AliasAttributes": ENFORCED,
    "AutoVerifiedAttributes": ENFORCED,
    "DeletionProtection": ENFORCED,
    "DeviceConfiguration": ENFORCED,
    "EmailAuthenticationMessage": ENFORCED,
    "EmailAuthenticationSubject": ENFORCED,
    "EmailConfiguration": approximated(_OUTBOX),
    "EmailConfiguration/ConfigurationSet": refused("there is no SES: remove it"),
    "EmailConfiguration/SourceArn": inert("there is no SES: the sender is From"),
    "EmailVerificationMessage": ENFORCED,
    "EmailVerificationSubject": ENFORCED,
    "EnabledMfas": ENFORCED,
    "IssuerConfiguration": refused("start Gatepost with --issuer: remove it"),
    "KeyConfiguration": refused("records are sealed with the platform's own key: remove it"),
    "LambdaConfig": ENFORCED,
    "LambdaConfig/CustomEmailSender": _KMS,
    "LambdaConfig/CustomSMSSender": _KMS,
    "LambdaConfig/InboundFederation": refused("users of other providers come in as they are: remove it"),
    "LambdaConfig/KMSKeyID": _KMS,
    "MfaConfiguration": ENFORCED,
    "Policies": ENFORCED,
    "Schema": approximated("a custom attribute that the template drops stays; AWS fails the update"),
    "SmsAuthenticationMessage": ENFORCED,
    "SmsConfiguration": approximated(_OUTBOX),
    "SmsConfiguration/EumsSms": refused("there is no such service: remove it"),
    "SmsVerificationMessage": ENFORCED,
    "UserAttributeUpdateSettings": ENFORCED,
    "UserPoolAddOns": ENFORCED,
    "UserPoolAddOns/AdvancedSecurityAdditionalFlows": refused("no risk is assessed here: remove it"),
    "UserPoolAddOns/AdvancedSecurityMode": one_of("OFF", otherwise="no risk is assessed here: use OFF"),
    "UserPoolName": ENFORCED,
    "UserPoolTags": ENFORCED,
    "UserPoolTier": ENFORCED,
    "UsernameAttributes": ENFORCED,
    "UsernameConfiguration": ENFORCED,
    "VerificationMessageTemplate": ENFORCED,
    "VerificationMessageTemplate/DefaultEmailOption": ENFORCED,
    "VerificationMessageTemplate/EmailMessageByLink": ENFORCED,
    "VerificationMessageTemplate/EmailSubjectByLink": ENFORCED,
    "WebAuthnFactorConfiguration": one_of("SINGLE_FACTOR", otherwise="passkeys are a first factor here"),
    "WebAuthnRelyingPartyID": ENFORCED,
    "WebAuthnUserVerification": ENFORCED,
}
_GROUP: Final = ("Description", "GroupName", "Precedence", "RoleArn", "UserPoolId")
_SERVER: Final = ("Identifier", "Name", "Scopes", "UserPoolId")
_USER: Final = (
    "ClientMetadata",
    "DesiredDeliveryMediums",
    "ForceAliasCreation",
    "MessageAction",
    "UserAttributes",
    "UserPoolId",
    "Username",
    "ValidationData",
)
_ATTACHMENT: Final = ("GroupName", "UserPoolId", "Username")
