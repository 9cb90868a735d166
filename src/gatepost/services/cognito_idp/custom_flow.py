"""CUSTOM_AUTH: three triggers decide which challenges there are and whether they were answered.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-challenge.html and what it links to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.services.cognito_idp.challenges import Challenge
from gatepost.services.cognito_idp.errors import (
    InvalidLambdaResponseException,
    InvalidParameterException,
    NotAuthorizedException,
)
from gatepost.services.cognito_idp.password_flows import PasswordFlows
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN, Answer, Attempt, SignIn
from gatepost.services.cognito_idp.triggers import user_attributes
from gatepost.services.cognito_idp.user import User

ROUNDS_MAX: Final = 20  # challenges in one sign-in
Results = Sequence[Mapping[str, Any]]


class CustomFlow:
    """Goes through the challenges that a pool's functions set."""

    def __init__(self, sign_in: SignIn, passwords: PasswordFlows) -> None:
        self._sign_in = sign_in
        self._passwords = passwords

    async def begin(self, attempt: Attempt) -> Answer:
        """Begin: with SRP first when the client asks for it. Raises: InvalidParameterException and others."""
        if not self._sign_in.triggers.has(attempt.pool, "DefineAuthChallenge"):
            raise InvalidParameterException("Custom auth lambda trigger is not configured for the user pool.")
        user = await self._sign_in.user_of(attempt)
        if user is not None:
            self._sign_in.check_state(user)
        results: list[Mapping[str, Any]] = []
        if attempt.parameters.get("CHALLENGE_NAME") == "SRP_A" or attempt.parameters.get("SRP_A"):
            results = [{"challengeName": "SRP_A", "challengeResult": True, "challengeMetadata": None}]
        else:
            await self._sign_in.ask_before(attempt, user)
        return await self._next(attempt, user, results)

    async def answered(self, attempt: Attempt, session: str) -> Answer:
        """Answer CUSTOM_CHALLENGE. Raises: NotAuthorizedException, and as the triggers do."""
        challenge = self._sign_in.challenges.take(session, client_id=attempt.client.id, name="CUSTOM_CHALLENGE")
        attempt, user = await self._going_on(attempt, challenge)
        told = await self._sign_in.triggers.fire(
            attempt.pool,
            "VerifyAuthChallengeResponse",
            "VerifyAuthChallengeResponse_Authentication",
            user_name=challenge.user_name,
            client_id=attempt.client.id,
            request={
                "userAttributes": user_attributes(user),
                "privateChallengeParameters": dict(challenge.state["private"]),
                "challengeAnswer": attempt.parameters.get("ANSWER", ""),
                "clientMetadata": dict(attempt.metadata),
                "userNotFound": user is None,
            },
            response={"answerCorrect": None},
        )
        result = {
            "challengeName": "CUSTOM_CHALLENGE",
            "challengeResult": told.get("answerCorrect") is True,
            "challengeMetadata": challenge.state["metadata"],
        }
        return await self._next(attempt, user, [*challenge.state["results"], result])

    async def password_proved(self, attempt: Attempt, session: str) -> Answer:
        """Answer PASSWORD_VERIFIER inside of this flow. Raises: NotAuthorizedException, and as the triggers do."""
        challenge = self._sign_in.challenges.take(session, client_id=attempt.client.id, name="PASSWORD_VERIFIER")
        going_on, user = await self._passwords.end_srp(attempt)
        if user.name != challenge.user_name:
            raise NotAuthorizedException(BAD_LOGIN)
        going_on = replace(going_on, flow=challenge.flow)
        result = {"challengeName": "PASSWORD_VERIFIER", "challengeResult": True, "challengeMetadata": None}
        return await self._next(going_on, user, [*challenge.state["results"], result])

    async def _going_on(self, attempt: Attempt, challenge: Challenge) -> tuple[Attempt, User | None]:
        held = await self._sign_in.users.by_name(attempt.pool, challenge.user_name) if challenge.is_real else None
        user = held.user if held is not None else None
        if user is not None:
            self._sign_in.check_state(user)
        login = str(challenge.state.get("login", challenge.user_name))
        return replace(attempt, login=login, flow=challenge.flow), user

    async def _next(self, attempt: Attempt, user: User | None, results: Results) -> Answer:
        """Ask DefineAuthChallenge what comes next."""
        if len(results) > ROUNDS_MAX:
            raise NotAuthorizedException(BAD_LOGIN, detail="too many challenges")
        sign_in = self._sign_in
        name = user.name if user is not None else sign_in.invented_name(attempt.pool, attempt.login)
        told = await sign_in.triggers.fire(
            attempt.pool,
            "DefineAuthChallenge",
            "DefineAuthChallenge_Authentication",
            user_name=name,
            client_id=attempt.client.id,
            request={
                "userAttributes": user_attributes(user),
                "session": [dict(result) for result in results],
                "clientMetadata": dict(attempt.metadata),
                "userNotFound": user is None,
            },
            response={"challengeName": None, "issueTokens": None, "failAuthentication": None},
        )
        if told.get("failAuthentication"):
            raise NotAuthorizedException(BAD_LOGIN)
        if told.get("issueTokens") is True:
            if user is None:  # whatever the function says: nobody gets no tokens
                raise NotAuthorizedException(BAD_LOGIN)
            return await sign_in.passed_first_factor(attempt, user, by_password=False)
        match told.get("challengeName"):
            case "CUSTOM_CHALLENGE":
                return await self._challenge(attempt, user, name, results)
            case "PASSWORD_VERIFIER" if attempt.parameters.get("SRP_A"):
                opened = sign_in.challenge(
                    attempt, name, "PASSWORD_VERIFIER", {}, is_real=user is not None, results=results
                )
                return await self._passwords.begin_srp(attempt, session=opened["Session"])
            case _:
                raise InvalidLambdaResponseException("Unrecognizable lambda output")

    async def _challenge(self, attempt: Attempt, user: User | None, name: str, results: Results) -> Answer:
        sign_in = self._sign_in
        told = await sign_in.triggers.fire(
            attempt.pool,
            "CreateAuthChallenge",
            "CreateAuthChallenge_Authentication",
            user_name=name,
            client_id=attempt.client.id,
            request={
                "userAttributes": user_attributes(user),
                "challengeName": "CUSTOM_CHALLENGE",
                "session": [dict(result) for result in results],
                "clientMetadata": dict(attempt.metadata),
                "userNotFound": user is None,
            },
            response={
                "publicChallengeParameters": None,
                "privateChallengeParameters": None,
                "challengeMetadata": None,
            },
        )
        shown = {**_texts(told.get("publicChallengeParameters")), "USERNAME": name}
        return sign_in.challenge(
            attempt,
            name,
            "CUSTOM_CHALLENGE",
            shown,
            is_real=user is not None,
            results=list(results),
            private=_texts(told.get("privateChallengeParameters")),
            metadata=told.get("challengeMetadata"),
        )


def _texts(told: Any) -> dict[str, str]:
    if told is None:
        return {}
    if not isinstance(told, Mapping):
        raise InvalidLambdaResponseException("Unrecognizable lambda output")
    return {str(name): value if isinstance(value, str) else str(value) for name, value in told.items()}
