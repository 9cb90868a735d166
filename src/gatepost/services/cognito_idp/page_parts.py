"""What the OAuth endpoints and the hosted pages build on: the same steps as InitiateAuth, with the user at their end.

A page makes an `Attempt` with `is_hosted=True` and hands it to a flow. The answer is either a challenge
(ChallengeName, Session, ChallengeParameters), to be shown and answered by `answer`, or `{"User": User, "Source": …}`:
then the page gives out a code, and `Tokens.issue` makes tokens when that is redeemed. Errors are the operations' own; a
page never tells who exists, whatever the client's PreventUserExistenceErrors says. Pages and API do not finish each
other's sign-ins.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.services.cognito_idp.domains import Domains
from gatepost.services.cognito_idp.passkeys import Passkeys
from gatepost.services.cognito_idp.password_flows import PasswordFlows
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.second_factors import SecondFactors
from gatepost.services.cognito_idp.sign_in import Answer, Attempt, SignIn
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.tokens import Tokens
from gatepost.services.cognito_idp.users import Users


@dataclass(frozen=True, slots=True)
class Hosted:
    """The parts of the provider that pages need. Pools, clients and domains are in memory; users are read."""

    pools: Pools
    domains: Domains
    users: Users
    things: PoolThings  # resource servers and identity providers
    sign_in: SignIn
    passwords: PasswordFlows
    second_factors: SecondFactors
    passkeys: Passkeys
    tokens: Tokens
    access_tokens: AccessTokens

    async def with_password(self, attempt: Attempt, password: str) -> Answer:
        """Check a password, with lockout, triggers, migration and second factors. Raises: as InitiateAuth."""
        return await self.passwords.with_password(attempt, password)

    async def answer(self, attempt: Attempt, name: str, session: str) -> Answer:
        """Answer a challenge of a hosted sign-in; `attempt.parameters` hold the responses, by Cognito's names.

        Raises: as RespondToAuthChallenge; KeyError for a challenge that pages do not have.
        """
        answers = {
            "NEW_PASSWORD_REQUIRED": self.passwords.new_password,
            "SELECT_MFA_TYPE": self.second_factors.chosen,
            "MFA_SETUP": self.second_factors.set_up,
            "WEB_AUTHN": self.passkeys.answered,
        }
        if name in ("SMS_MFA", "EMAIL_OTP", "SMS_OTP", "SOFTWARE_TOKEN_MFA"):
            return await self.second_factors.code_given(attempt, session, name)
        return await answers[name](attempt, session)
