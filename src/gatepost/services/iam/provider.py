"""IAM's provider: its parts put together, its start, and the administrator's first key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Access, Call, Change
from gatepost.kernel.ports import Credentials, Publisher, TokenIssuers
from gatepost.security.access_keys import new_secret_access_key
from gatepost.security.passwords import Passwords
from gatepost.security.session_tokens import Sealing
from gatepost.services.iam.absent import AbsentOperations
from gatepost.services.iam.access import access_of
from gatepost.services.iam.account import AccountOperations
from gatepost.services.iam.credential_report import CredentialReport, CredentialReportOperations
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.groups import GroupOperations
from gatepost.services.iam.holders import HolderOperations
from gatepost.services.iam.instance_profiles import InstanceProfileOperations
from gatepost.services.iam.last_uses import LastUses
from gatepost.services.iam.login_profiles import LoginProfileOperations
from gatepost.services.iam.mfa_devices import MfaCodes, MfaDeviceOperations
from gatepost.services.iam.model import ACCOUNT, ACCOUNT_RECORD_ID, Account, whole_second
from gatepost.services.iam.oidc_providers import OidcProviderOperations
from gatepost.services.iam.password_rules import PasswordPolicyOperations
from gatepost.services.iam.policies import PolicyOperations
from gatepost.services.iam.roles import RoleOperations
from gatepost.services.iam.server_certificates import ServerCertificateOperations
from gatepost.services.iam.service_access import AccessJob, ServiceAccessOperations
from gatepost.services.iam.service_linked_roles import ServiceLinkedRoleOperations
from gatepost.services.iam.simulation import SimulationOperations
from gatepost.services.iam.user_certificates import UserCertificateOperations
from gatepost.services.iam.users import UserOperations
from gatepost.storage.base import Records


class IamProvider(
    UserOperations,
    GroupOperations,
    RoleOperations,
    PolicyOperations,
    HolderOperations,
    InstanceProfileOperations,
    OidcProviderOperations,
    AccountOperations,
    LoginProfileOperations,
    PasswordPolicyOperations,
    UserCertificateOperations,
    MfaDeviceOperations,
    ServerCertificateOperations,
    ServiceLinkedRoleOperations,
    CredentialReportOperations,
    ServiceAccessOperations,
    SimulationOperations,
    AbsentOperations,
):
    """IAM's operations. Each base class holds those on one kind of entity, and nothing else inherits from it."""

    service = "iam"

    def __init__(
        self,
        records: Records,
        directory: Directory,
        publisher: Publisher,
        seal: Sealing,
        clock: Clock,
        issuers: TokenIssuers | None = None,
    ) -> None:
        """Take where entities are kept; without `issuers` there can be no OpenID Connect providers."""
        self._issuers = issuers
        self._directory = directory
        self._entities = Entities(records, directory, publisher)
        self._seal = seal
        self._clock = clock
        self._mfa = MfaCodes(directory, self._entities, seal)
        self._passwords = Passwords()
        self._uses = LastUses(records)
        self._reports: dict[str, CredentialReport] = {}
        self._jobs: dict[tuple[str, str], AccessJob] = {}

    @property
    def mfa(self) -> MfaCodes:
        """Give what checks the codes of MFA devices."""
        return self._mfa

    @property
    def uses(self) -> LastUses:
        """Give what notes the last use of keys and roles."""
        return self._uses

    async def start(self) -> None:
        """Load, and write down last uses from now on. Raises: StoreUnavailable."""
        await self.load()
        await self._uses.start()

    async def close(self) -> None:
        """Write the last uses that are left; end the threads that hash passwords."""
        await self._uses.close()
        self._passwords.close()

    async def load(self) -> None:
        """Read every record into the directory. Call it once, before the first request. Raises: StoreUnavailable."""
        await self._entities.load()

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(self._directory, call, params)

    async def published(self) -> Sequence[Change]:
        """Give every record, secrets sealed, under the topic "principal"."""
        return self._directory.changes()

    async def create_administrator_key(self, account_id: str, *, given: Credentials | None = None) -> Credentials:
        """Make an access key for the account's root user, for the one who starts the platform.

        There may be two; the oldest gives way, so that a lost key can be replaced. With `given` that key is
        made again, for a store that was emptied.

        Raises: StoreUnavailable.
        """
        secret = new_secret_access_key() if given is None else given.secret_access_key
        key = self.new_access_key(account_id, secret, whole_second(self._clock.now_ms()))
        if given is not None:
            key = replace(key, id=given.access_key_id)
        if self._directory.stored(ACCOUNT, account_id, ACCOUNT_RECORD_ID) is None:
            account = Account(account_id, (key,), created_at_ms=key.created_at_ms)
            await self._entities.create(account, exists="The account has its record already.")
        else:
            await self._entities.change(
                Account,
                ACCOUNT,
                account_id,
                ACCOUNT_RECORD_ID,
                missing="The account has no record.",
                change=lambda account: replace(account, access_keys=(*account.access_keys, key)[-2:]),
            )
        return Credentials(key.id, secret)
