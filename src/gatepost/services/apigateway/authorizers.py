"""Authorizers: the records of who says who calls. The gateway's guards act on them once they are deployed.

Source: https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html
Sentences of AWS's that are not documented are unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.deployment import Authorizer, Method
from gatepost.services.apigateway.functions import check_linear, is_function_uri
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    Definition,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.patches import Patch, PatchTable, integer, one_of, rule
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.support import check_context, check_supported

COGNITO: Final = "COGNITO_USER_POOLS"
TYPES: Final = ("TOKEN", "REQUEST", COGNITO)
TYPES_OF_AUTHORIZATION: Final[Mapping[str, tuple[str, ...]]] = {"CUSTOM": ("TOKEN", "REQUEST"), COGNITO: (COGNITO,)}
TTL_S_MAX: Final = 3_600
TTL_S_DEFAULT: Final = 300
PROVIDERS_MAX: Final = 1_000  # a bound of ours
IDENTITY_SOURCES_MAX: Final = 50  # a bound of ours
NAME_CHARACTERS_MAX: Final = 128  # unverified
DEFAULT_IDENTITY_SOURCE: Final = "method.request.header.Authorization"
NOT_FOUND: Final = "Invalid Authorizer identifier specified"

_HEADER: Final = re.compile(r"method\.request\.header\.[a-zA-Z0-9._$\-]+")
_REQUEST_SOURCE: Final = re.compile(
    r"method\.request\.(?:header|querystring|multivalueheader|multivaluequerystring)\.[a-zA-Z0-9._$\-]+"
    r"|stageVariables\.[a-zA-Z0-9_]+|context\.([a-zA-Z0-9._]+)"
)
_USER_POOL: Final = re.compile(r"userpool/[\w-]{1,55}_[0-9a-zA-Z]+")


class Authorizers:
    """The operations on authorizers."""

    def __init__(self, records: ApiRecords) -> None:
        self._records = records

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add an authorizer. Raises: NotFoundException, BadRequestException, LimitExceededException."""
        check_supported("jwtConfiguration", params.get("jwtConfiguration"))
        authorizer = authorizer_from_aws(params, random_id(6))
        authorizers_max = self._records.limits.authorizers_per_api

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            check_authorizer(authorizer)
            return with_authorizer(definition, authorizer, authorizers_max), to_aws(authorizer)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an authorizer. Raises: NotFoundException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        return to_aws(authorizer_of(definition, params["authorizerId"]))

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of an API's authorizers, by id. Raises: NotFoundException, BadRequestException."""
        definition = (await self._records.definition(call, params["restApiId"])).value
        page, position = paged(definition.authorizers, params)
        answer: dict[str, Any] = {"items": [to_aws(each) for each in page]}
        return answer | position

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an authorizer. Raises: NotFoundException, BadRequestException."""
        authorizers_max = self._records.limits.authorizers_per_api

        def change(definition: Definition) -> tuple[Definition, dict[str, Any]]:
            changed = PATCHES.apply(authorizer_of(definition, params["authorizerId"]), params)
            check_authorizer(changed)
            return with_authorizer(definition, changed, authorizers_max), to_aws(changed)

        return await self._records.change_definition(call, params["restApiId"], change)

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take away an authorizer that no method names. Raises: NotFoundException, ConflictException."""
        authorizer_id = params["authorizerId"]

        def change(definition: Definition) -> tuple[Definition, None]:
            authorizer_of(definition, authorizer_id)
            for resource in definition.resources.values():
                for method in resource.methods:
                    if method.authorizer_id == authorizer_id:
                        where = f"{method.http_method} {resource.path}"
                        raise ConflictException(
                            f"Cannot delete authorizer '{authorizer_id}', is referenced in method: {where}"
                        )
            kept = {name: each for name, each in definition.authorizers.items() if name != authorizer_id}
            return replace(definition, authorizers=kept), None

        await self._records.change_definition(call, params["restApiId"], change)


def authorizer_from_aws(given: Mapping[str, Any], authorizer_id: str) -> Authorizer:
    """Read an authorizer with AWS's field names; what it does not say gets AWS's default."""
    kind = given["type"]
    ttl_s = given.get("authorizerResultTtlInSeconds")
    return Authorizer(
        id=authorizer_id,
        name=given["name"],
        type=kind,
        provider_arns=tuple(given.get("providerARNs", ())),
        auth_type=given.get("authType") or ("cognito_user_pools" if kind == COGNITO else "custom"),
        uri=given.get("authorizerUri", ""),
        credentials_arn=given.get("authorizerCredentials", ""),
        identity_source=given.get("identitySource") or ("" if kind == "REQUEST" else DEFAULT_IDENTITY_SOURCE),
        identity_validation_expression=given.get("identityValidationExpression", ""),
        result_ttl_s=TTL_S_DEFAULT if ttl_s is None else ttl_s,
    )


def check_authorizer(authorizer: Authorizer) -> None:
    """Check that an authorizer can be what it says. Raises: BadRequestException."""
    if not authorizer.name.strip():  # 1. the settings by themselves
        raise BadRequestException("Authorizer name cannot be blank")
    if len(authorizer.name) > NAME_CHARACTERS_MAX:
        raise BadRequestException(f"Authorizer name must have at most {NAME_CHARACTERS_MAX} characters")
    check_supported("authorizer type", authorizer.type)
    if authorizer.type not in TYPES:
        raise BadRequestException(f"Invalid authorizer type specified. Must be one of {', '.join(TYPES)}")
    if not 0 <= authorizer.result_ttl_s <= TTL_S_MAX:
        raise BadRequestException(f"Invalid authorizer result TTL. Should be between 0 and {TTL_S_MAX}")
    if authorizer.type == COGNITO:  # 2. who answers
        _check_user_pools(authorizer)
    else:
        _check_function(authorizer)
    _check_identity_source(authorizer)  # 3. what they are asked with
    _check_validation_expression(authorizer)


def with_authorizer(definition: Definition, authorizer: Authorizer, authorizers_max: int) -> Definition:
    """Give `definition` with `authorizer` added, or in place of the one with its id.

    Raises: BadRequestException for a name that is taken, LimitExceededException.
    """
    others = [each for each in definition.authorizers.values() if each.id != authorizer.id]
    if any(each.name == authorizer.name for each in others):
        raise BadRequestException(
            f"Authorizer name must be unique. Authorizer {authorizer.name} already exists in this RestApi."
        )
    if len(others) >= authorizers_max:
        raise LimitExceededException(
            "Maximum number of Authorizers for this API has been reached. Please contact AWS if you need additional "
            "Authorizers."
        )
    return replace(definition, authorizers={**definition.authorizers, authorizer.id: authorizer})


def check_authorization(definition: Definition, method: Method) -> None:
    """Check that a method names the authorizer that its authorization type needs. Raises: BadRequestException."""
    allowed = TYPES_OF_AUTHORIZATION.get(method.authorization_type)
    if allowed is None:
        if method.authorization_scopes:
            raise BadRequestException(
                "Authorization scopes can only be set when the authorization type is COGNITO_USER_POOLS"
            )
        return  # AWS lets an authorizerId stand that means nothing (unverified)
    authorizer = definition.authorizers.get(method.authorizer_id)
    if authorizer is None or authorizer.type not in allowed:
        raise BadRequestException(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires "
            "a valid authorizer."
        )
    if method.authorization_scopes and method.authorization_type != COGNITO:
        raise BadRequestException(
            "Authorization scopes can only be set when the authorization type is COGNITO_USER_POOLS"
        )


def authorizer_of(definition: Definition, authorizer_id: str) -> Authorizer:
    """Give an authorizer by id. Raises: NotFoundException."""
    authorizer = definition.authorizers.get(authorizer_id)
    if authorizer is None:
        raise NotFoundException(NOT_FOUND)
    return authorizer


def to_aws(authorizer: Authorizer) -> dict[str, Any]:
    """Give the shape Authorizer."""
    is_cognito = authorizer.type == COGNITO
    shape: dict[str, Any] = {
        "id": authorizer.id,
        "name": authorizer.name,
        "type": authorizer.type,
        "authType": authorizer.auth_type,
    }
    optional = (
        ("providerARNs", list(authorizer.provider_arns)),
        ("authorizerUri", authorizer.uri),
        ("authorizerCredentials", authorizer.credentials_arn),
        ("identitySource", authorizer.identity_source),
        ("identityValidationExpression", authorizer.identity_validation_expression),
    )
    shape.update((name, value) for name, value in optional if value)
    if not is_cognito:
        shape["authorizerResultTtlInSeconds"] = authorizer.result_ttl_s
    return shape


def _check_user_pools(authorizer: Authorizer) -> None:
    if not authorizer.provider_arns:
        raise BadRequestException("At least one provider ARN is required for a COGNITO_USER_POOLS authorizer")
    if len(authorizer.provider_arns) > PROVIDERS_MAX:
        raise BadRequestException(f"At most {PROVIDERS_MAX} provider ARNs are allowed")
    for each in authorizer.provider_arns:
        parsed = parse_arn(each)
        if parsed is None or parsed.service != "cognito-idp" or not _USER_POOL.fullmatch(parsed.resource):
            raise BadRequestException(f"Invalid Cognito User Pool ARN: {each}")
    if authorizer.uri or authorizer.credentials_arn:
        raise BadRequestException("A COGNITO_USER_POOLS authorizer has no authorizerUri and no authorizerCredentials")


def _check_function(authorizer: Authorizer) -> None:
    if authorizer.provider_arns:
        raise BadRequestException(f"A {authorizer.type} authorizer has no provider ARNs")
    if not is_function_uri(authorizer.uri):
        raise BadRequestException(
            f"Invalid Authorizer URI: {authorizer.uri}. Authorizer URI should be a valid API Gateway ARN that "
            "represents a Lambda function invocation."
        )
    if authorizer.credentials_arn:
        parsed = parse_arn(authorizer.credentials_arn)
        check_supported("credentials", authorizer.credentials_arn)
        if parsed is None or parsed.service != "iam" or not parsed.resource.startswith("role/"):
            raise BadRequestException(f"Invalid Authorizer credentials: {authorizer.credentials_arn}")


def _check_identity_source(authorizer: Authorizer) -> None:
    source = authorizer.identity_source
    if authorizer.type != "REQUEST":
        if not _HEADER.fullmatch(source):
            raise BadRequestException(f"Invalid identity source specified: {source}")
        return
    if not source:
        if authorizer.result_ttl_s:
            raise BadRequestException("Identity source is required when the authorizer's results are cached")
        return
    expressions = [each.strip() for each in source.split(",")]
    if len(expressions) > IDENTITY_SOURCES_MAX:
        raise BadRequestException(f"At most {IDENTITY_SOURCES_MAX} identity sources are allowed")
    for each in expressions:
        found = _REQUEST_SOURCE.fullmatch(each)
        if found is None:
            raise BadRequestException(f"Invalid identity source specified: {each}")
        if found[1]:
            check_context(found[1])


def _check_validation_expression(authorizer: Authorizer) -> None:
    expression = authorizer.identity_validation_expression
    if not expression:
        return
    if authorizer.type != "TOKEN":
        raise BadRequestException("An identity validation expression can only be set on a TOKEN authorizer")
    check_linear("identity validation expression", expression)


def _providers(authorizer: Authorizer, patch: Patch) -> Authorizer:
    others = tuple(each for each in authorizer.provider_arns if each != patch.value)
    if patch.op == "remove":
        if len(others) == len(authorizer.provider_arns):
            raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
        return replace(authorizer, provider_arns=others)
    return replace(authorizer, provider_arns=(*others, patch.value))


PATCHES: Final[PatchTable[Authorizer]] = PatchTable(
    (
        rule("/authType", "replace", lambda held, patch: replace(held, auth_type=patch.value)),
        rule("/authorizerCredentials", "replace", lambda held, patch: replace(held, credentials_arn=patch.value)),
        rule(
            "/authorizerResultTtlInSeconds", "replace", lambda held, patch: replace(held, result_ttl_s=integer(patch))
        ),
        rule("/authorizerUri", "replace", lambda held, patch: replace(held, uri=patch.value)),
        rule("/identitySource", "add replace", lambda held, patch: replace(held, identity_source=patch.value)),
        rule("/identitySource", "remove", lambda held, _patch: replace(held, identity_source="")),
        rule(
            "/identityValidationExpression",
            "replace",
            lambda held, patch: replace(held, identity_validation_expression=patch.value),
        ),
        rule("/name", "replace", lambda held, patch: replace(held, name=patch.value)),
        rule("/providerARNs", "add remove", _providers),
        rule("/type", "replace", lambda held, patch: replace(held, type=one_of(patch, TYPES))),
    )
)
