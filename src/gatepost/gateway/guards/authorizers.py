"""The authorizers of one stage, each made once for all methods that name it."""

from __future__ import annotations

from typing import Final

from gatepost.gateway.backends.lambda_event import EventFormat, PassedToLambda
from gatepost.gateway.guards.cognito_authorizer import CognitoAuthorizer, CognitoAuthorizerGuard
from gatepost.gateway.guards.lambda_authorizer import AuthorizerParts, LambdaAuthorizer, LambdaAuthorizerGuard
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.user_pools import UserPools
from gatepost.services.apigateway.deployment import Authorizer, Deployment, Method

LAMBDA_TYPES: Final = ("TOKEN", "REQUEST")
POOL_TYPES: Final = ("COGNITO_USER_POOLS",)


class Authorizers:
    """Finds or makes the authorizer that a method names."""

    def __init__(
        self,
        deployment: Deployment,
        stage: StageFacts,
        parts: AuthorizerParts,
        passed: PassedHeaders[PassedToLambda],
        pools: UserPools | None = None,
    ) -> None:
        self._pools = pools
        self._declared = {each.id: each for each in deployment.authorizers}
        self._stage = stage
        self._parts = parts
        self._passed = passed
        self._made: dict[str, LambdaAuthorizer] = {}
        self._pools_made: dict[str, CognitoAuthorizer] = {}

    def lambda_guard(self, method: Method, route: Route) -> LambdaAuthorizerGuard:
        """Make the guard of a method with authorization type CUSTOM. Raises: MappingError when it cannot work."""
        declared = self._find(method, LAMBDA_TYPES)
        made = self._made.get(declared.id)
        if made is None:
            made = self._made[declared.id] = LambdaAuthorizer(declared, self._stage, self._parts)
        event = EventFormat(self._stage, route, has_caller=False, passed=self._passed)
        return LambdaAuthorizerGuard(made, self._stage, event, is_token=declared.type == "TOKEN")

    def cognito_guard(self, method: Method) -> CognitoAuthorizerGuard:
        """Make the guard of a method with type COGNITO_USER_POOLS. Raises: MappingError when it cannot work."""
        declared = self._find(method, POOL_TYPES)
        if self._pools is None:
            raise MappingError("authorizationType COGNITO_USER_POOLS: this gateway was built without user pools")
        made = self._pools_made.get(declared.id)
        if made is None:
            made = self._pools_made[declared.id] = CognitoAuthorizer(declared, self._stage, self._pools)
        return CognitoAuthorizerGuard(made, method.authorization_scopes)

    def _find(self, method: Method, types: tuple[str, ...]) -> Authorizer:
        declared = self._declared.get(method.authorizer_id)
        if declared is None:
            named = (
                f"no authorizer {method.authorizer_id}" if method.authorizer_id else "the method names no authorizer"
            )
            raise MappingError(f"authorizationType {method.authorization_type}: {named}")
        if declared.type not in types:
            raise MappingError(
                f"authorizationType {method.authorization_type}: authorizer {declared.name} is of type {declared.type}"
            )
        return declared
