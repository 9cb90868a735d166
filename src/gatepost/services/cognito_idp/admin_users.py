"""What administrators do with users: make, find, change, switch off, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.codes import verifying
from gatepost.services.cognito_idp.desk import new_name
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    UnsupportedUserStateException,
    UsernameExistsException,
)
from gatepost.services.cognito_idp.password_policy import check_policy, temporary_password
from gatepost.services.cognito_idp.pool import DAY_MS, UserPool
from gatepost.services.cognito_idp.schema import check_attributes, given_attributes, schema_of
from gatepost.services.cognito_idp.sign_up import PASSWORDLESS, SignUpOperations
from gatepost.services.cognito_idp.tokens import Tokens
from gatepost.services.cognito_idp.user import (
    CONFIRMED,
    EXTERNAL_PROVIDER,
    FORCE_CHANGE_PASSWORD,
    VERIFIABLE,
    User,
    attribute_list,
    user_to_aws,
)
from gatepost.services.cognito_idp.user_filter import UserFilter, parse_filter

Params = Mapping[str, Any]
Answer = dict[str, Any]

PAGE_MAX: Final = 60
SCANNED_MAX: Final = 20_000  # users that one filtered page looks at
NO_CLIENT: Final = "CLIENT_ID_NOT_APPLICABLE"
_MEDIUM_ATTRIBUTES: Final = {"EMAIL": "email", "SMS": "phone_number"}


class AdminUserOperations(SignUpOperations):
    """The operations of administrators on users; a part of the provider."""

    _tokens: Tokens
    _clock: Clock

    @operation("AdminCreateUser")
    async def admin_create_user(self, call: Call, params: Params) -> Answer:
        """Make a user with a temporary password, and tell them; or tell again (RESEND).

        Raises: UsernameExistsException, UserNotFoundException, UnsupportedUserStateException,
        InvalidParameterException, InvalidPasswordException, and what the PreSignUp trigger raises.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        if params.get("MessageAction") == "RESEND":
            return await self._resend(call, pool, params)
        sub = random_uuid()
        given = given_attributes(params.get("UserAttributes"))
        name, attributes = new_name(pool, params["Username"], given, sub=sub)
        check_attributes(pool, attributes, is_new=True, is_admin=True)
        password, status = self._first_password(pool, params)
        if await self._users.by_name(pool, name) is not None:
            raise UsernameExistsException("User account already exists")
        user = User(pool.id, name, {"sub": sub, **attributes}, status, call.now_ms, call.now_ms)
        user = await self.asked_before_sign_up(
            pool,
            user,
            "PreSignUp_AdminCreateUser",
            client_id=NO_CLIENT,
            validation_data=given_attributes(params.get("ValidationData")),
            client_metadata=params.get("ClientMetadata"),
        )
        if password:
            user = await self._with_temporary(pool, user, password)
        await self._users.create(pool, user, force_alias=bool(params.get("ForceAliasCreation")))
        if params.get("MessageAction") != "SUPPRESS" and password:
            await self._invite(pool, user, password, params)
        return {"User": user_to_aws(user)}

    def _first_password(self, pool: UserPool, params: Params) -> tuple[str, str]:
        """Give a new user's temporary password and state; where codes do, a user may have no password at all."""
        password = params.get("TemporaryPassword") or ""
        if password:
            check_policy(pool, password)
        elif PASSWORDLESS & set(pool.first_factors):
            return "", CONFIRMED
        return password or temporary_password(pool), FORCE_CHANGE_PASSWORD

    async def _with_temporary(self, pool: UserPool, user: User, password: str) -> User:
        user = await self._password_setting.with_password(pool, user, password, keeps_history=False)
        ends_ms = self._clock.now_ms() + pool.temporary_password_days * DAY_MS
        return replace(user, status=FORCE_CHANGE_PASSWORD, temporary_until_ms=ends_ms)

    async def _resend(self, call: Call, pool: UserPool, params: Params) -> Answer:
        held = await self._users.get(pool, params["Username"])
        if held.user.status != FORCE_CHANGE_PASSWORD:
            raise UnsupportedUserStateException("Resend not possible. Current status is not FORCE_CHANGE_PASSWORD.")
        password, _ = self._first_password(pool, params)
        password = password or temporary_password(pool)
        renewed = await self._with_temporary(pool, held.user, password)

        def renew(user: User) -> User:
            if user.status != FORCE_CHANGE_PASSWORD:
                raise UnsupportedUserStateException("Resend not possible. Current status is not FORCE_CHANGE_PASSWORD.")
            return replace(
                user,
                secrets=renewed.secrets,
                temporary_until_ms=renewed.temporary_until_ms,
                changed_at_ms=call.now_ms,
            )

        user = await self._users.change(pool, held.user.name, renew)
        await self._invite(pool, user, password, params)
        return {"User": user_to_aws(user)}

    async def _invite(self, pool: UserPool, user: User, password: str, params: Params) -> None:
        for medium in params.get("DesiredDeliveryMediums") or ("SMS",):
            attribute = _MEDIUM_ATTRIBUTES[medium]
            if user.attributes.get(attribute):
                await self._messages.send(
                    pool,
                    user,
                    "CustomMessage_AdminCreateUser",
                    attribute=attribute,
                    code=password,
                    client_id=NO_CLIENT,
                    client_metadata=params.get("ClientMetadata"),
                )

    @operation("AdminSetUserPassword")
    async def admin_set_user_password(self, call: Call, params: Params) -> Answer:
        """Set a user's password, temporary or for good. Raises: UserNotFoundException, InvalidPasswordException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        check_policy(pool, params["Password"])
        if held.user.status == EXTERNAL_PROVIDER:
            raise UnsupportedUserStateException("A user of another identity provider has no password here.")
        new = await self._password_setting.with_password(pool, held.user, params["Password"])
        is_permanent = bool(params.get("Permanent"))
        ends_ms = 0 if is_permanent else call.now_ms + pool.temporary_password_days * DAY_MS
        await self._users.change(
            pool,
            held.user.name,
            lambda user: replace(
                user.with_secrets(
                    password_hash=new.secrets.password_hash,
                    srp_salt=new.secrets.srp_salt,
                    srp_verifier=new.secrets.srp_verifier,
                    history=new.secrets.history,
                ),
                status=CONFIRMED if is_permanent else FORCE_CHANGE_PASSWORD,
                temporary_until_ms=ends_ms,
                changed_at_ms=call.now_ms,
            ),
        )
        return {}

    @operation("AdminGetUser")
    async def admin_get_user(self, call: Call, params: Params) -> Answer:
        """Describe a user by name, alias or sub. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        user = (await self._users.get(pool, params["Username"])).user
        told = user_to_aws(user)
        attributes = told.pop("Attributes")
        return {**told, "UserAttributes": attributes, **factors_to_aws(user)}

    @operation("ListUsers")
    async def list_users(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's users, all or those that a filter means. Raises: InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        wanted = params.get("AttributesToGet")
        if wanted is not None:
            unknown = [name for name in wanted if name not in schema_of(pool)]
            if unknown:
                raise InvalidParameterException(f"One or more requested attributes do not exist: {', '.join(unknown)}")
        count_max = params["Limit"] if params.get("Limit") is not None else PAGE_MAX
        (after,) = place_of(params.get("PaginationToken"), InvalidParameterException("Invalid pagination token"), "")
        condition = parse_filter(params.get("Filter") or "")
        found, more = await self._found(pool, condition, after, count_max or PAGE_MAX)
        listed = [user_to_aws(user, wanted=wanted) for user in found]
        return {"Users": listed, **({"PaginationToken": page_token(more)} if more else {})}

    async def _found(
        self, pool: UserPool, condition: UserFilter | None, after: str, count_max: int
    ) -> tuple[list[User], str]:
        if condition is not None and not condition.is_prefix:
            is_unique = condition.attribute in pool.username_attributes and not pool.is_case_sensitive
            if condition.attribute == "sub" or is_unique:
                held = await self._users.by_alias(pool, condition.attribute, condition.value)
                return ([held.user] if held else []), ""
            if condition.attribute == "username":
                held = await self._users.by_name(pool, condition.value)
                return ([held.user] if held else []), ""
        found: list[User] = []
        scanned = 0
        while page := await self._users.page(pool, after=after):
            for place, user in page:
                if condition is None or condition.matches(user):
                    if len(found) == count_max:
                        return found, after
                    found.append(user)
                after, scanned = place, scanned + 1
            if scanned >= SCANNED_MAX:
                return found, after
        return found, ""

    @operation("AdminUpdateUserAttributes")
    async def admin_update_user_attributes(self, call: Call, params: Params) -> Answer:
        """Set attributes; a new address that is not said to be verified is sent a code where the pool verifies it.

        Raises: UserNotFoundException, InvalidParameterException, AliasExistsException.
        """
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        given = given_attributes(params["UserAttributes"])
        await self.update_attributes(
            pool, held.user, given, client_id=NO_CLIENT, is_admin=True, client_metadata=params.get("ClientMetadata")
        )
        return {}

    async def update_attributes(
        self,
        pool: UserPool,
        user: User,
        given: Mapping[str, str],
        *,
        client_id: str,
        is_admin: bool,
        client_metadata: Mapping[str, str] | None,
    ) -> list[dict[str, str]]:
        """Set a user's attributes, send the codes that this asks for, and give CodeDeliveryDetailsList."""
        client = self._pools.client(client_id)
        check_attributes(pool, given, is_new=False, is_admin=is_admin, client=client, held=user.attributes)
        cleared = [name for name, value in given.items() if value == "" and name in pool.required_attributes]
        if cleared:
            raise InvalidParameterException(f"{cleared[0]}: The attribute is required")
        settings = pool.settings.get("UserAttributeUpdateSettings", {})
        waits = settings.get("AttributesRequireVerificationBeforeUpdate") or ()
        now: dict[str, str] = {}
        pending: dict[str, str] = {}
        to_verify: list[str] = []
        for name, value in given.items():
            is_new_address = name in VERIFIABLE and value and value != user.attributes.get(name)
            if not is_new_address or given.get(f"{name}_verified") == "true":
                now[name] = value
                if name in VERIFIABLE and value == "":
                    now[f"{name}_verified"] = ""
                continue
            if name in pool.auto_verified:
                to_verify.append(name)
            if name in waits and name in pool.auto_verified and not is_admin:
                pending[name] = value
                continue
            now[name] = value
            now.setdefault(f"{name}_verified", "false")
        now_ms = self._clock.now_ms()
        changed = await self._users.change(pool, user.name, lambda user: user.with_attributes(now, now_ms=now_ms))
        return [
            await self._codes.send(
                pool,
                changed,
                verifying(name),
                "CustomMessage_UpdateUserAttribute",
                attribute=name,
                client_id=client_id,
                pending=pending.get(name, ""),
                client_metadata=client_metadata,
            )
            for name in to_verify
        ]

    @operation("AdminDeleteUserAttributes")
    async def admin_delete_user_attributes(self, call: Call, params: Params) -> Answer:
        """Take attributes away. Raises: UserNotFoundException, InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self.delete_attributes(pool, held.user, params["UserAttributeNames"])
        return {}

    async def delete_attributes(self, pool: UserPool, user: User, names: list[str]) -> None:
        """Take attributes away that are not required. Raises: InvalidParameterException."""
        schema = schema_of(pool)
        for name in names:
            if name not in schema:
                raise InvalidParameterException(f"user.{name}: Attribute does not exist in the schema.\n")
            if schema[name]["Required"] or name in pool.username_attributes or not schema[name]["Mutable"]:
                raise InvalidParameterException(f"user.{name}: Attribute cannot be deleted.\n")
        gone = dict.fromkeys(names, "")
        gone |= {f"{name}_verified": "" for name in names if name in VERIFIABLE}
        now_ms = self._clock.now_ms()
        await self._users.change(pool, user.name, lambda user: user.with_attributes(gone, now_ms=now_ms))

    @operation("AdminDeleteUser")
    async def admin_delete_user(self, call: Call, params: Params) -> None:
        """Delete a user. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self.delete(pool, held.user)

    async def delete(self, pool: UserPool, user: User) -> None:
        """Delete a user, and tell the gateway that the tokens are worth nothing."""
        await self._users.delete(pool, user.name)
        await self._tokens.forget(pool, user.sub)

    @operation("AdminDisableUser")
    async def admin_disable_user(self, call: Call, params: Params) -> Answer:
        """Keep a user out, tokens that there are included. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self._users.change(
            pool, held.user.name, lambda user: replace(user, is_enabled=False, changed_at_ms=call.now_ms)
        )
        await self._tokens.sign_out_everywhere(pool, held.user.name)
        return {}

    @operation("AdminEnableUser")
    async def admin_enable_user(self, call: Call, params: Params) -> Answer:
        """Let a user in again. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self._users.change(
            pool, held.user.name, lambda user: replace(user, is_enabled=True, changed_at_ms=call.now_ms)
        )
        return {}

    @operation("AdminUserGlobalSignOut")
    async def admin_user_global_sign_out(self, call: Call, params: Params) -> Answer:
        """End every token of a user. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self._tokens.sign_out_everywhere(pool, held.user.name)
        return {}


def factors_to_aws(user: User) -> Answer:
    """Give a user's second factors as GetUser and AdminGetUser do."""
    told: Answer = {}
    if user.preferred_factor:
        told["PreferredMfaSetting"] = user.preferred_factor
    if user.second_factors:
        told["UserMFASettingList"] = list(user.second_factors)
    return told


def profile_to_aws(user: User, names: Mapping[str, str]) -> Answer:
    """Give what GetUser does, with the attributes that the client may read."""
    return {"Username": user.name, "UserAttributes": attribute_list(names), **factors_to_aws(user)}
