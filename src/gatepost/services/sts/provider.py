"""STS's provider: who am I, and temporary credentials for me or for a role.

Authorization of AssumeRole is the authorizer's: `access` hands it the role's trust policy, which must allow, and the
condition keys of the request. What is left here are the limits of a session.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.ids import UPPER_BASE32, stable_id
from gatepost.kernel.operations import Access, Call, operation, tag_context
from gatepost.kernel.ports import Credentials
from gatepost.languages.iam_policy import PolicyError, parse_policy
from gatepost.security.access_keys import account_of
from gatepost.services.sts.errors import (
    InvalidParameterValue,
    MalformedPolicyDocumentException,
    PackedPolicyTooLargeException,
    ValidationError,
)
from gatepost.services.sts.roles import AssumableRole, MfaCodes, Roles
from gatepost.services.sts.sessions import SessionRequest, Sessions
from gatepost.services.sts.web_identity import REFUSED, WebIdentities, audience_of, provider_keys, tags_of

# A role that does not exist trusts nobody, and is refused in the same words as one that does not trust the caller.
NOBODY_IS_TRUSTED: Final = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"nobody.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}}'
)
# No policy of the caller's is asked; AssumeRoleWithWebIdentity asks the role's itself, of whom the token proves.
FREE: Final = frozenset({"GetCallerIdentity", "GetSessionToken", "AssumeRoleWithWebIdentity"})
CHAINED_DURATION_S_MAX: Final = 3_600
SESSION_POLICY_CHARACTERS_MAX: Final = 2_048
SESSION_POLICY_ARNS_MAX: Final = 10
PACKED_BYTES_MAX: Final = 2_048  # our bound on deflated policies and tags; AWS does not publish its own
ROOT_SESSION_DURATION_S_MAX: Final = 3_600
WRONG_CODE: Final = "MultiFactorAuthentication failed with invalid MFA one time pass code. "

Params = Mapping[str, Any]
Answer = dict[str, object]


class StsProvider:
    """STS's operations."""

    service = "sts"

    def __init__(
        self,
        roles: Roles,
        sessions: Sessions,
        web_identities: WebIdentities | None = None,
        mfa: MfaCodes | None = None,
    ) -> None:
        """Take where roles are found; without `web_identities` no token is taken for a role, without `mfa` no code."""
        self._mfa = mfa
        self._roles = roles
        self._sessions = sessions
        self._web_identities = web_identities

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: GetCallerIdentity and GetSessionToken need no permission."""
        if call.operation == "GetFederationToken":
            tags, _ = _session_tags(call, params)
            asked = ("sts:GetFederationToken", *(("sts:TagSession",) if tags else ()))
            arn = f"arn:aws:sts::{call.account_id}:federated-user/{params['Name']}"
            return tuple(Access(action, arn, tag_context(tags)) for action in asked)
        if call.operation != "AssumeRole":
            return () if call.operation in FREE else (Access(f"sts:{call.operation}"),)
        if self._sessions.stands_in_for(call.principal):
            return ()
        arn = params["RoleArn"]
        role = self._roles.role_by_arn(arn)
        trust_policy = NOBODY_IS_TRUSTED if role is None else role.trust_policy
        context = _assume_role_context(call, params, role)
        if _shows_code(params):  # used up once the role may be assumed
            if not self._is_right(call, params):
                raise AccessDeniedException(WRONG_CODE)
            context |= {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
        actions = ["sts:AssumeRole"]
        if _session_tags(call, params)[0]:
            actions.append("sts:TagSession")
        if "SourceIdentity" in params:
            actions.append("sts:SetSourceIdentity")
        return tuple(Access(action, arn, context, trust_policy) for action in actions)

    @operation("GetCallerIdentity")
    def get_caller_identity(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Say who calls. No policy can deny it."""
        principal = call.principal
        return {"UserId": principal.principal_id, "Account": principal.account_id, "Arn": principal.arn}

    @operation("AssumeRole")
    async def assume_role(self, call: Call, params: Params) -> Answer:
        """Give credentials of a role; to who stands in for an unknown key (`--any-credentials`) of any role.

        Raises: AccessDenied, ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge.
        """
        role = self._roles.role_by_arn(params["RoleArn"])
        stands_in = self._sessions.stands_in_for(call.principal)
        if role is None and stands_in:
            return self._of_unknown_role(params)
        if role is None or (call.principal.kind == "root" and not stands_in):
            why = "Roles may not be assumed by root accounts." if role else "Access denied"
            raise AccessDeniedException(why)
        _refuse(params, "ProvidedContexts", "MinimumSessionTokenSize")
        duration_s = _duration_s(call, params, role)
        policies = self._session_policies(params)
        tags, transitive = _session_tags(call, params)
        packed = _packed_percent(policies, tags)
        request = SessionRequest(
            session_name=params["RoleSessionName"],
            duration_s=duration_s,
            policies=policies,
            tags=tags,
            transitive_tag_keys=transitive,
            source_identity=_source_identity(call, params),
        )
        await self._use_code(call, params)
        credentials = self._sessions.of_role(role, request, now_ms=call.now_ms)
        answer: Answer = {
            "Credentials": _to_aws(credentials),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{request.session_name}",
                "Arn": f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{request.session_name}",
            },
        }
        if policies or tags:
            answer["PackedPolicySize"] = packed
        if request.source_identity:
            answer["SourceIdentity"] = request.source_identity
        return answer

    def _of_unknown_role(self, params: Params) -> Answer:
        """Answer for a role that nobody has, with `--any-credentials`: its credentials are the administrator's."""
        name = params["RoleSessionName"]
        credentials = self._sessions.assume(
            params["RoleArn"], service="", session_name=name, duration_s=params.get("DurationSeconds", 3_600)
        )
        account_id, role_name = params["RoleArn"].split(":")[4], params["RoleArn"].rpartition("/")[2]
        return {
            "Credentials": _to_aws(credentials),
            "AssumedRoleUser": {
                "AssumedRoleId": f"AROA{stable_id(params['RoleArn'], length=17, alphabet=UPPER_BASE32)}:{name}",
                "Arn": f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{name}",
            },
        }

    @operation("AssumeRoleWithWebIdentity")
    async def assume_role_with_web_identity(self, call: Call, params: Params) -> Answer:
        """Give credentials of a role to whoever holds a token of a user pool, or of another issuer, that it trusts.

        Raises: AccessDenied, InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError, ValidationError,
        MalformedPolicyDocument.
        """
        _refuse(params, "ProviderId", "MinimumSessionTokenSize")
        role = self._roles.role_by_arn(params["RoleArn"])
        if role is None or self._web_identities is None:
            raise AccessDeniedException(REFUSED)
        provider, claims = await self._web_identities.verify(role, params["WebIdentityToken"])
        name = params["RoleSessionName"]
        self._web_identities.check_trust(call, role, provider, claims, name)
        duration_s: int = params.get("DurationSeconds", 3_600)
        if duration_s > role.session_duration_s_max:
            raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        policies = self._session_policies(params)
        tags, transitive = tags_of(claims)
        packed = _packed_percent(policies, tags)
        request = SessionRequest(
            session_name=name,
            duration_s=duration_s,
            policies=policies,
            tags=tags,
            transitive_tag_keys=transitive,
            provider_keys=provider_keys(provider, claims),
        )
        credentials = self._sessions.of_role(role, request, now_ms=call.now_ms)
        answer: Answer = {
            "Credentials": _to_aws(credentials),
            "SubjectFromWebIdentityToken": str(claims["sub"]),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{name}",
                "Arn": f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{name}",
            },
            "Provider": provider.arn,
            "Audience": audience_of(claims),
        }
        if policies or tags:
            answer["PackedPolicySize"] = packed
        return answer

    @operation("GetFederationToken")
    def get_federation_token(self, call: Call, params: Params) -> Answer:
        """Give credentials of a federated user: what the calling user may and the session policies say as well.

        Without a session policy they may nothing but what resource policies grant the federated user.
        https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
        Raises: AccessDenied for others than users with their own access key, MalformedPolicyDocument, PackedPolicy….
        """
        principal = call.principal
        if principal.kind != "user" or principal.token_issued_at_ms:
            raise AccessDeniedException("Cannot call GetFederationToken with session or root credentials")
        policies = self._session_policies(params)
        tags, _ = _session_tags(call, params)
        request = SessionRequest(
            session_name=params["Name"],
            duration_s=params.get("DurationSeconds", 43_200),
            policies=policies,
            tags=tags,
        )
        packed = _packed_percent(policies, tags)
        credentials = self._sessions.of_federated_user(
            principal.name, principal.principal_id, principal.account_id, request, now_ms=call.now_ms
        )
        answer: Answer = {
            "Credentials": _to_aws(credentials),
            "FederatedUser": {
                "FederatedUserId": f"{principal.account_id}:{request.session_name}",
                "Arn": f"arn:aws:sts::{principal.account_id}:federated-user/{request.session_name}",
            },
        }
        if policies or tags:
            answer["PackedPolicySize"] = packed
        return answer

    @operation("GetSessionToken")
    async def get_session_token(self, call: Call, params: Params) -> Answer:
        """Give temporary credentials of the calling user; a code of the user's MFA device is remembered in them.

        Raises: AccessDenied for a session, or a wrong code; ValidationError.
        """
        principal = call.principal
        if principal.kind not in ("user", "root") or principal.token_issued_at_ms:
            raise AccessDeniedException("Cannot call GetSessionToken with session credentials")
        _refuse(params, "MinimumSessionTokenSize")
        has_mfa = await self._use_code(call, params)
        duration_s = params.get("DurationSeconds", 43_200)
        if principal.kind == "root":
            duration_s = min(duration_s, ROOT_SESSION_DURATION_S_MAX)
        credentials = self._sessions.of_user(
            principal.kind,
            principal.account_id,
            principal.name,
            principal.principal_id,
            duration_s=duration_s,
            now_ms=call.now_ms,
            has_mfa=has_mfa,
        )
        return {"Credentials": _to_aws(credentials)}

    def _is_right(self, call: Call, params: Params) -> bool:
        """Say whether the code is of a device of the calling user, who has to show the own access key."""
        principal = call.principal
        return (
            self._mfa is not None
            and principal.kind == "user"
            and not principal.token_issued_at_ms
            and self._mfa.is_right(params["SerialNumber"], principal.principal_id, params["TokenCode"], call.now_ms)
        )

    async def _use_code(self, call: Call, params: Params) -> bool:
        """Use up the code that a request comes with; False: with none. Raises: AccessDenied, ValidationError."""
        if not _shows_code(params):
            return False
        user_id, code = call.principal.principal_id, params["TokenCode"]
        if self._mfa is None or not self._is_right(call, params):
            raise AccessDeniedException(WRONG_CODE)
        if not await self._mfa.use(params["SerialNumber"], user_id, code, call.now_ms):
            raise AccessDeniedException(WRONG_CODE)
        return True

    @operation("GetAccessKeyInfo")
    def get_access_key_info(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Say which account an access key id was made for; the id alone tells. Raises: ValidationError."""
        account = account_of(params["AccessKeyId"])
        if account is None:
            raise ValidationError(f"Invalid value for Access Key ID: {params['AccessKeyId'][:128]}")
        return {"Account": account}

    def _session_policies(self, params: Params) -> tuple[str, ...]:
        """Check and collect the session policies: one document and up to ten managed policies of the role's account."""
        arns = [descriptor.get("arn", "") for descriptor in params.get("PolicyArns", ())]
        if len(arns) > SESSION_POLICY_ARNS_MAX:
            raise ValidationError(f"There are {len(arns)} PolicyArns: use at most {SESSION_POLICY_ARNS_MAX}")
        for arn in arns:
            if self._roles.managed_policy(arn) is None:
                raise InvalidParameterValue(f"PolicyArn {arn} does not exist or is not one that Gatepost has.")
        document = params.get("Policy")
        if document is None:
            return tuple(arns)
        if len(document) > SESSION_POLICY_CHARACTERS_MAX:
            raise PackedPolicyTooLargeException(
                f"The session policy has {len(document)} characters: use at most {SESSION_POLICY_CHARACTERS_MAX}"
            )
        try:
            parse_policy(document, "session")
        except PolicyError as error:
            raise MalformedPolicyDocumentException(str(error)) from error
        return (document, *arns)


def _refuse(params: Params, *names: str) -> None:
    for name in names:
        if name in params:
            raise ValidationError(f"{name} is not supported by Gatepost.")


def _assume_role_context(call: Call, params: Params, role: AssumableRole | None) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {"sts:rolesessionname": params["RoleSessionName"]}
    if "ExternalId" in params:
        context["sts:externalid"] = params["ExternalId"]
    if "SourceIdentity" in params:
        context["sts:sourceidentity"] = params["SourceIdentity"]
    tags, transitive = _session_tags(call, params)
    context |= tag_context(tags)
    if transitive:
        context["sts:transitivetagkeys"] = transitive
    if role is not None:
        for key, value in role.tags:
            context[f"aws:resourcetag/{key.lower()}"] = value
            context[f"iam:resourcetag/{key.lower()}"] = value
    return context


def _duration_s(call: Call, params: Params, role: AssumableRole) -> int:
    is_chained = call.principal.kind == "assumed-role"
    duration_s: int = params.get("DurationSeconds", 3_600)
    if is_chained and duration_s > CHAINED_DURATION_S_MAX:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if duration_s > role.session_duration_s_max:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return duration_s


def _session_tags(call: Call, params: Params) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Give the new session's tags and which of them go on: the request's, and the transitive ones of the caller.

    Raises: InvalidParameterValue when the request names a tag that is inherited, or a key twice.
    """
    inherited_keys = {key.lower() for key in call.principal.transitive_tag_keys}
    inherited = [(key, value) for key, value in call.principal.tags if key.lower() in inherited_keys]
    requested = [(tag["Key"], tag["Value"]) for tag in params.get("Tags", ())]
    keys = [key.lower() for key, _ in requested]
    if len(set(keys)) != len(keys):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    for key in keys:
        if key in inherited_keys:
            raise InvalidParameterValue(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
                "from the calling session."
            )
    transitive = (*call.principal.transitive_tag_keys, *params.get("TransitiveTagKeys", ()))
    known = {key.lower() for key, _ in (*inherited, *requested)}
    if any(key.lower() not in known for key in transitive):
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    return (*inherited, *requested), transitive


def _shows_code(params: Params) -> bool:
    """Say whether a request comes with a code of an MFA device. Raises: ValidationError for half of one."""
    if ("SerialNumber" in params) != ("TokenCode" in params):
        raise ValidationError("SerialNumber and TokenCode must be given together.")
    return "SerialNumber" in params


def _source_identity(call: Call, params: Params) -> str:
    own = call.principal.source_identity
    asked: str = params.get("SourceIdentity", own)
    if own and asked != own:
        raise AccessDeniedException("The source identity of a session cannot be changed by role chaining.")
    return asked


def _packed_percent(policies: Sequence[str], tags: Sequence[tuple[str, str]]) -> int:
    packed = len(zlib.compress(json.dumps([policies, tags], separators=(",", ":")).encode(), 9))
    percent = -(-packed * 100 // PACKED_BYTES_MAX)
    if percent > 100:
        raise PackedPolicyTooLargeException(
            f"Packed size of session policies and tags is {percent}% of the allowed size: use at most 100%"
        )
    return percent


def _to_aws(credentials: Credentials) -> dict[str, object]:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expires_at_ms,
    }
