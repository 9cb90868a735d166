"""The users of all pools in the store: found by name, alias or sub, and changed one change after the other."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import RecordKey
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_idp.errors import (
    AliasExistsException,
    ConcurrentModificationException,
    UsernameExistsException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.pool import ALIAS, MEMBER, SEPARATOR, USER, UserPool
from gatepost.services.cognito_idp.user import CONFIRMED, Secrets, User, aliases_of
from gatepost.storage.base import Record, Records, Write

ATTEMPTS_MAX: Final = 5
PAGE: Final = 500
NOBODY: Final = "user-pool-nobody"  # one record of each pool that a stranger asked for nobody
NOBODIES_MAX: Final = 1_000
_ALIAS_WORDS: Final = {"email": "email", "phone_number": "phone_number", "preferred_username": "preferred_username"}


@dataclass(frozen=True, slots=True)
class Held:
    """A user as read, with the version to write it back with."""

    user: User
    version: int


class Users:
    """Every read and write of a user's record goes through here."""

    def __init__(self, records: Records, seal: Sealing) -> None:
        self._records = records
        self._seal = seal
        self._counts: dict[str, int] = {}
        self._nobodies: dict[str, Record] = {}  # by pool

    # --- finding -----------------------------------------------------------------------------------------------

    async def by_name(self, pool: UserPool, name: str) -> Held | None:
        """Give a user by the user name itself."""
        record = await self._records.get(_key(pool, USER, pool.canonical(name)))
        return self._held(pool, record) if record is not None else None

    async def by_alias(self, pool: UserPool, attribute: str, value: str) -> Held | None:
        """Give a user by an attribute that is unique, or by `sub`."""
        canonical = value if attribute == "sub" else pool.canonical(value)
        record = await self._records.get(_key(pool, ALIAS, attribute, canonical))
        return await self.by_name(pool, record.value["name"]) if record is not None else None

    async def find(self, pool: UserPool, login: str) -> Held | None:
        """Give a user by what is typed into a sign-in form: name, alias or sub."""
        if not login or SEPARATOR in login:
            return None
        found = await self.by_name(pool, login)
        if found is not None:
            return found
        for attribute in (*pool.username_attributes, *pool.alias_attributes, "sub"):
            if (found := await self.by_alias(pool, attribute, login)) is not None:
                return found
        self._held(pool, self._nobody(pool))  # somebody would have been unsealed
        return None

    async def seem_to_change(self, pool: UserPool) -> None:
        """Do for a name that nobody has what changing a user does, without an effect. Raises: StoreUnavailable."""
        held = self._held(pool, self._nobody(pool))
        value = self._to_json(replace(held.user, changed_at_ms=held.user.changed_at_ms + 1))
        await self._records.commit([Write(_key(pool, NOBODY, ""), value)])

    def _nobody(self, pool: UserPool) -> Record:
        """Give the record of a user who does not exist, of the size that they have."""
        found = self._nobodies.get(pool.id)
        if found is None:
            address = {"sub": "00000000-0000-4000-8000-000000000000", "email": "nobody@example.com"}
            made_up = Secrets("$" * 97, "0" * 32, "0" * 768)
            user = User(
                pool.id, address["sub"], {**address, "email_verified": "true"}, CONFIRMED, 0, 0, secrets=made_up
            )
            found = Record(_key(pool, NOBODY, ""), 1, self._to_json(user))
            if len(self._nobodies) >= NOBODIES_MAX:
                self._nobodies.clear()
            self._nobodies[pool.id] = found
        return found

    async def get(self, pool: UserPool, login: str) -> Held:
        """Give a user. Raises: UserNotFoundException."""
        found = await self.find(pool, login)
        if found is None:
            raise UserNotFoundException("User does not exist.")
        return found

    async def page(self, pool: UserPool, *, after: str = "", count_max: int = PAGE) -> list[tuple[str, User]]:
        """Give users in the order of their names, each with the place that the next page begins after.

        They are to be shown: they come without their secrets, and must not be written back. Others get a turn after
        each page.
        """
        prefix = f"{pool.id}{SEPARATOR}"
        start = f"{prefix}{after}" if after else ""
        records = await self._records.page(
            USER, pool.account_id, pool.region, prefix=prefix, after=start, count_max=count_max
        )
        await asyncio.sleep(0)
        return [(record.key.id.removeprefix(prefix), User.from_json(record.value, Secrets())) for record in records]

    async def members(self, pool: UserPool, group: str, *, after: str = "", count_max: int = PAGE) -> list[str]:
        """Give the names of a group's users, in order."""
        prefix = f"{pool.id}{SEPARATOR}{group}{SEPARATOR}"
        start = f"{prefix}{after}" if after else ""
        records = await self._records.page(
            MEMBER, pool.account_id, pool.region, prefix=prefix, after=start, count_max=count_max
        )
        return [record.key.id.removeprefix(prefix) for record in records]

    async def count(self, pool: UserPool) -> int:
        """Give how many users there are; counted once, then kept up to date."""
        if pool.id not in self._counts:
            counted, after = 0, ""
            while found := await self.page(pool, after=after):
                counted, after = counted + len(found), found[-1][0]
            self._counts[pool.id] = counted
        return self._counts[pool.id]

    # --- changing ----------------------------------------------------------------------------------------------

    async def create(self, pool: UserPool, user: User, *, force_alias: bool = False) -> User:
        """Keep a new user. Raises: UsernameExistsException, AliasExistsException."""
        for attempt in range(ATTEMPTS_MAX):
            if await self.by_name(pool, user.name) is not None:
                raise UsernameExistsException("User already exists")
            # A name that is another's sub would be taken for that one wherever servers name users by sub.
            if await self.by_alias(pool, "sub", pool.canonical(user.name)) is not None:
                raise UsernameExistsException("User already exists")
            writes = [Write(_key(pool, USER, pool.canonical(user.name)), self._to_json(user), 0)]
            writes += await self._alias_writes(pool, None, user, force=force_alias)
            try:
                await self._records.commit(writes)
            except VersionConflict:
                if attempt + 1 < ATTEMPTS_MAX:
                    continue
                raise UsernameExistsException("User already exists") from None
            break
        if pool.id in self._counts:
            self._counts[pool.id] += 1
        return user

    async def change(
        self, pool: UserPool, name: str, change: Callable[[User], User], *, force_alias: bool = False
    ) -> User:
        """Change a user by the user name, as often as it takes to come through; `change` may refuse by raising.

        Raises: UserNotFoundException, AliasExistsException, ConcurrentModificationException.
        """
        for _ in range(ATTEMPTS_MAX):
            held = await self.by_name(pool, name)
            if held is None:
                raise UserNotFoundException("User does not exist.")
            changed = change(held.user)
            if changed is held.user:
                return changed
            writes = [Write(_key(pool, USER, pool.canonical(name)), self._to_json(changed), held.version)]
            writes += await self._alias_writes(pool, held.user, changed, force=force_alias)
            writes += _member_writes(pool, held.user, changed)
            try:
                await self._records.commit(writes)
            except VersionConflict:
                continue
            return changed
        raise ConcurrentModificationException("The user is being changed by other requests: try again.")

    async def delete(self, pool: UserPool, name: str) -> None:
        """Delete a user with all that points to it. Raises: UserNotFoundException."""
        held = await self.by_name(pool, name)
        if held is None:
            raise UserNotFoundException("User does not exist.")
        writes = [Write(_key(pool, USER, pool.canonical(name)), None)]
        writes += [Write(_key(pool, ALIAS, *alias), None) for alias in aliases_of(pool, held.user).items()]
        writes += _member_writes(pool, held.user, replace(held.user, groups=()))
        await self._records.commit(writes)
        if pool.id in self._counts:
            self._counts[pool.id] -= 1

    async def delete_all(self, pool: UserPool) -> None:
        """Delete all users of a pool that is going."""
        for kind in (USER, ALIAS, MEMBER, NOBODY):
            while records := await self._records.page(
                kind, pool.account_id, pool.region, prefix=f"{pool.id}{SEPARATOR}", count_max=PAGE
            ):
                await self._records.commit([Write(record.key, None) for record in records])
        self._counts.pop(pool.id, None)

    async def _alias_writes(self, pool: UserPool, old: User | None, new: User, *, force: bool) -> list[Write]:
        before = aliases_of(pool, old) if old is not None else {}
        after = aliases_of(pool, new)
        writes = []
        for attribute, value in before.items():
            if after.get(attribute) != value:
                writes.append(Write(_key(pool, ALIAS, attribute, value), None))
        for attribute, value in after.items():
            if before.get(attribute) == value:
                continue
            key = _key(pool, ALIAS, attribute, value)
            record = await self._records.get(key)
            if record is not None and force and attribute in pool.alias_attributes:
                writes += await self._give_up(pool, record, attribute)
            elif record is not None and record.value["name"] != new.name:
                if old is None and attribute in pool.username_attributes:
                    raise UsernameExistsException(
                        f"An account with the given {_ALIAS_WORDS[attribute]} already exists."
                    )
                raise AliasExistsException(f"An account with the given {_ALIAS_WORDS.get(attribute)} already exists.")
            writes.append(Write(key, {"name": new.name}, record.version if record is not None else 0))
        return writes

    async def _give_up(self, pool: UserPool, alias: Record, attribute: str) -> list[Write]:
        """Take an alias from the user who has it: the address is not verified any more for that one."""
        held = await self.by_name(pool, alias.value["name"])
        if held is None:
            return []
        change = {"preferred_username": ""} if attribute == "preferred_username" else {f"{attribute}_verified": "false"}
        loser = held.user.with_attributes(change, now_ms=held.user.changed_at_ms)
        return [Write(_key(pool, USER, pool.canonical(loser.name)), self._to_json(loser), held.version)]

    # --- sealing -----------------------------------------------------------------------------------------------

    def _to_json(self, user: User) -> dict[str, Any]:
        sealed = self._seal.seal(orjson.dumps(user.secrets.to_json()), purpose=_purpose(user.pool_id, user.sub))
        return user.to_json(base64.b64encode(sealed).decode())

    def _held(self, pool: UserPool, record: Record) -> Held:
        value = record.value
        sealed = base64.b64decode(value["sealed"])
        plain = self._seal.open(sealed, purpose=_purpose(pool.id, value["attributes"]["sub"]))
        return Held(User.from_json(value, Secrets.from_json(orjson.loads(plain))), record.version)


def _purpose(pool_id: str, sub: str) -> str:
    """Bind secrets to their user: what is copied into another user's record does not open there."""
    return f"user-pool-user:{pool_id}:{sub}"


def _key(pool: UserPool, kind: str, *names: str) -> RecordKey:
    return RecordKey(kind, pool.account_id, pool.region, SEPARATOR.join((pool.id, *names)))


def _member_writes(pool: UserPool, old: User, new: User) -> Sequence[Write]:
    joined = [name for name in new.groups if name not in old.groups]
    left = [name for name in old.groups if name not in new.groups]
    name = pool.canonical(new.name)
    writes = [Write(_key(pool, MEMBER, group, name), {"name": new.name}) for group in joined]
    return [*writes, *(Write(_key(pool, MEMBER, group, name), None) for group in left)]
