"""The operations of Cognito user pools: what is listed here exists, everything else is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Access, Call, Change
from gatepost.kernel.ports import Assets, Certificates, FunctionCalls, Mailbox, Publisher
from gatepost.kernel.tasks import Tasks
from gatepost.security.passwords import Passwords
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_idp.absent import AbsentOperations
from gatepost.services.cognito_idp.access import access_of
from gatepost.services.cognito_idp.auth_operations import AuthOperations
from gatepost.services.cognito_idp.challenges import Challenges
from gatepost.services.cognito_idp.choice_flow import ChoiceFlow
from gatepost.services.cognito_idp.client_operations import ClientOperations
from gatepost.services.cognito_idp.codes import Codes
from gatepost.services.cognito_idp.custom_flow import CustomFlow
from gatepost.services.cognito_idp.device_operations import DeviceOperations
from gatepost.services.cognito_idp.devices import Devices
from gatepost.services.cognito_idp.discovery import Discovery
from gatepost.services.cognito_idp.domains import DomainOperations, Domains
from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.group_operations import GroupOperations
from gatepost.services.cognito_idp.groups_store import GroupStore
from gatepost.services.cognito_idp.hosted.authorization_codes import AuthorizationCodes
from gatepost.services.cognito_idp.hosted.browser_sessions import BrowserSessions
from gatepost.services.cognito_idp.hosted.federation import Federation
from gatepost.services.cognito_idp.hosted.forms import PageParts
from gatepost.services.cognito_idp.hosted.granting import Granting
from gatepost.services.cognito_idp.hosted.provider_requests import ProviderRequests
from gatepost.services.cognito_idp.hosted.server import HostedPages
from gatepost.services.cognito_idp.hosted.steps import Steps
from gatepost.services.cognito_idp.hosted.token_endpoint import TokenEndpoint
from gatepost.services.cognito_idp.hosted.visits import Addresses
from gatepost.services.cognito_idp.import_jobs import ImportOperations, Imports
from gatepost.services.cognito_idp.link_operations import LinkOperations
from gatepost.services.cognito_idp.messages import Messages
from gatepost.services.cognito_idp.page_parts import Hosted
from gatepost.services.cognito_idp.passkeys import Passkeys
from gatepost.services.cognito_idp.password_flows import PasswordFlows
from gatepost.services.cognito_idp.password_policy import PasswordSetting
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pool_operations import PoolOperations
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.pretence import Pretence
from gatepost.services.cognito_idp.resource_servers import ResourceServerOperations
from gatepost.services.cognito_idp.revocations import Revocations
from gatepost.services.cognito_idp.second_factors import SecondFactors
from gatepost.services.cognito_idp.self_service import SelfServiceOperations
from gatepost.services.cognito_idp.sign_in import SignIn
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.signing_certificate import SigningCertificateOperations
from gatepost.services.cognito_idp.tokens import Tokens
from gatepost.services.cognito_idp.triggers import ANSWER_WITHIN_S, Triggers
from gatepost.services.cognito_idp.user_settings import UserSettingsOperations
from gatepost.services.cognito_idp.users import Users
from gatepost.storage.base import Records
from gatepost.wire.addresses import AllowAddress
from gatepost.wire.client import Client


@dataclass(frozen=True, slots=True)
class CognitoParts:
    """What the user pools need of others. `issuer` gives what a pool's tokens name as theirs, `url` where we answer."""

    records: Records
    publisher: Publisher
    seal: Sealing
    clock: Clock
    functions: FunctionCalls
    mailbox: Mailbox
    assets: Assets
    certificates: Certificates
    issuer: Callable[[UserPool], str]
    url: Callable[[], str]
    passwords: Passwords = field(default_factory=Passwords)
    new_id: Callable[[], str] = random_uuid
    trigger_answers_within_s: float = ANSWER_WITHIN_S
    allow_address: AllowAddress | None = None  # where other identity providers may be; None: anywhere


class CognitoIdpProvider(
    PoolOperations,
    ClientOperations,
    DomainOperations,
    ResourceServerOperations,
    GroupOperations,
    SelfServiceOperations,
    DeviceOperations,
    AuthOperations,
    ImportOperations,
    LinkOperations,
    UserSettingsOperations,
    SigningCertificateOperations,
    AbsentOperations,
):
    """Cognito user pools. Each base class holds the operations on one thing, and nothing else inherits from it.

    Call `start` once the store is open, `close` before it is closed.
    """

    service = "cognito-idp"
    validation_error: ClassVar[type[ServiceError]] = InvalidParameterException  # where others say ValidationException

    def __init__(self, parts: CognitoParts) -> None:
        self._tasks = Tasks("cognito")
        self._clock = parts.clock
        self._passwords = parts.passwords
        self._pools = Pools(parts.records, parts.publisher, parts.seal, parts.clock, parts.issuer)
        self._users = Users(parts.records, parts.seal)
        self._groups = GroupStore(parts.records)
        self._things = PoolThings(parts.records)
        self._domains = Domains(parts.records, parts.publisher, parts.certificates)
        self._revocations = Revocations(parts.records, parts.publisher, parts.clock)
        self._triggers = Triggers(
            parts.functions, self._tasks, parts.new_id, answer_within_s=parts.trigger_answers_within_s
        )
        self.discovery = Discovery(self._pools, parts.url, self._domains)
        self._messages = Messages(parts.mailbox, self._triggers, self.discovery.pages_of)
        self._codes = Codes(self._users, self._messages, parts.clock)
        self._password_setting = PasswordSetting(parts.passwords)
        self._challenges = Challenges(parts.clock)
        self._pretence = Pretence(parts.clock)
        self._tokens = Tokens(
            self._pools,
            self._users,
            self._groups,
            self._triggers,
            self._revocations,
            seal=parts.seal,
            clock=parts.clock,
        )
        self._access_tokens = AccessTokens(self._pools, self._users, self._revocations)
        self._sign_in = SignIn(
            self._pools,
            self._users,
            self._triggers,
            self._tokens,
            self._challenges,
            self._password_setting,
            parts.clock,
        )
        self._password_lockout = self._sign_in.lockout
        self._second_factors = SecondFactors(self._sign_in, self._messages, self._pretence)
        self._sign_in.second_factor = self._second_factors
        self._devices = self._sign_in.devices = Devices(self._sign_in)
        self._passkeys = Passkeys(self._sign_in)
        self._password_flows = PasswordFlows(self._sign_in, self, parts.seal)
        self._custom_flow = CustomFlow(self._sign_in, self._password_flows)
        self._choice_flow = ChoiceFlow(self._sign_in, self._password_flows, self._second_factors, self._passkeys)
        self._imports = Imports(
            self._things,
            self._users,
            self._pools,
            self._tasks,
            assets=parts.assets,
            seal=parts.seal,
            clock=parts.clock,
            url=parts.url,
        )
        self._client = Client(clock=parts.clock, allow_address=parts.allow_address)  # to other identity providers
        self.pages = self._make_pages()

    def _make_pages(self) -> HostedPages:
        """Make what answers at the pools' domains."""
        sessions, codes = BrowserSessions(self._users, self._clock), AuthorizationCodes(self._clock)
        parts = PageParts(
            hosted=self.hosted,
            choice_flow=self._choice_flow,
            operations={
                "SignUp": self.sign_up,
                "ConfirmSignUp": self.confirm_sign_up,
                "ResendConfirmationCode": self.resend_confirmation_code,
                "ForgotPassword": self.forgot_password,
                "ConfirmForgotPassword": self.confirm_forgot_password,
                "AssociateSoftwareToken": self.associate_software_token,
                "VerifySoftwareToken": self.verify_software_token,
            },
            steps=Steps(self._clock),
            granting=Granting(sessions, codes, self._tokens),
            clock=self._clock,
        )
        token_endpoint = TokenEndpoint(
            self._pools,
            self._users,
            self._tokens,
            self._access_tokens,
            self._revocations,
            codes,
            self._clock,
        )
        federation = Federation(parts, ProviderRequests(self._client.send, self._clock), self.asked_before_sign_up)
        return HostedPages(Addresses(self._pools, self._domains), parts, sessions, token_endpoint, federation)

    async def start(self) -> None:
        """Read what must be in memory. Raises: StoreUnavailable."""
        await self._pools.load()
        await self._domains.load()
        await self._revocations.load()
        await self._imports.end_those_cut_off()

    async def close(self) -> None:
        """End background work and the threads for passwords."""
        await self._tasks.close()
        await self._client.close()
        self._passwords.close()

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(self._pools, call, params)

    async def published(self) -> Sequence[Change]:
        """Give the pools' public keys, their custom domains, and what was revoked."""
        return [*self._pools.published(), *self._domains.published(), *self._revocations.published()]

    @property
    def hosted(self) -> Hosted:
        """Give what the OAuth endpoints and the hosted pages build on."""
        return Hosted(
            self._pools,
            self._domains,
            self._users,
            self._things,
            self._sign_in,
            self._password_flows,
            self._second_factors,
            self._passkeys,
            self._tokens,
            self._access_tokens,
        )

    async def is_signed_in(self, claims: Mapping[str, Any]) -> bool:
        """Say whether a verified token's user is still signed in. See `kernel.ports.SignedInUsers`."""
        return await self._access_tokens.is_signed_in(claims)

    async def certificate_uses(self) -> Mapping[str, Sequence[str]]:
        """Give the custom domains that use a certificate, by its ARN."""
        return self._domains.certificate_uses()

    @property
    def domain_names(self) -> Domains:
        """Give the pools' domains: others may not take their names."""
        return self._domains

    @property
    def imports(self) -> Imports:
        """Give the import jobs: their files come by an address of ours."""
        return self._imports
