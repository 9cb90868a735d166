"""Request validators: the parameters that a method requires, and the body as its models say.

Source: API Gateway developer guide, "Request validation for REST APIs"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html): required
parameters "are included and not blank"; the body is checked against the model "for a given content type. If no matching
content type is found, request validation is not performed. To use the same model regardless of the content type, set
the content type for your data model to $default".

Unverified: the order of names in the message (ours: as declared); an empty body and one that is no JSON are invalid
whatever the model says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts, request_media
from gatepost.gateway.mapping import MappingError, header_values, path_values, query_values
from gatepost.gateway.responses import BAD_REQUEST_BODY, BAD_REQUEST_PARAMETERS, Refusal
from gatepost.languages.json_schema import ModelSchema, SchemaError, compile_models
from gatepost.languages.vtl_api_gateway import parse_json
from gatepost.services.apigateway.deployment import Deployment, Method, RequestValidator

DEFAULT_TYPE: Final = "$default"
LOOKED_AROUND_BYTES_MAX: Final = 128 * 1024
"""Of a body whose model has patterns that look around: they may take thousands of steps for each text in it."""
ERROR_CHARACTERS_MAX: Final = 8 * 1024

_READERS: Final[Mapping[str, Callable[[Exchange, str], Sequence[str]]]] = {
    "path": path_values,
    "querystring": query_values,
    "header": header_values,
}


class ParametersGuard:
    """Refuse a request that lacks a required path, query or header parameter, or has it blank.

    The client gets 400 "Missing required request parameters: [a, b]".
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, required: Sequence[tuple[str, str]]) -> None:
        """Take (place, name) pairs. Raises: MappingError for a place that does not exist."""
        for place, name in required:
            if place not in _READERS or not name:
                raise MappingError(f"required request parameter {place}.{name}: use path, querystring or header")
        # A header is mostly there once: its first value is found without taking all of them apart.
        self._headers = tuple(
            (name, name.lower().encode("latin-1", "replace")) for at, name in required if at == "header"
        )
        self._required = tuple((_READERS[place], name) for place, name in required if place != "header")
        self._order = {name: position for position, (_, name) in enumerate(required)}
        self._names = tuple(name for _, name in required)

    def check(self, exchange: Exchange) -> None:
        """Look for each of them. Raises: Refusal."""
        missing = [name for read, name in self._required if not any(map(str.strip, read(exchange, name)))]
        request = exchange.request
        for name, lower in self._headers:
            if not request.header(lower) and not any(map(str.strip, header_values(exchange, name))):
                missing.append(name)
        if missing:
            missing.sort(key=self._order.__getitem__)
            message = f"Missing required request parameters: [{', '.join(missing)}]"
            raise Refusal(BAD_REQUEST_PARAMETERS, message=message, detail=message)

    def __repr__(self) -> str:
        return f"ParametersGuard({', '.join(self._names)})"


class BodyGuard:
    """Refuse a body that is not what the model for its content type says.

    The client gets 400 "Invalid request body"; what is wrong with it is `$context.error.validationErrorString`.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, schemas: Mapping[str, ModelSchema]) -> None:
        self._schemas = dict(schemas)
        self._default = self._schemas.get(DEFAULT_TYPE)

    def check(self, exchange: Exchange) -> None:
        """Check the body. Raises: Refusal."""
        request = exchange.request
        schema = self._schemas.get(request_media(exchange), self._default)
        if schema is None:
            return
        body = request.body
        if schema.looks_around and len(body) > LOOKED_AROUND_BYTES_MAX:
            raise _invalid(
                [f"a model with look-around patterns takes bodies of {LOOKED_AROUND_BYTES_MAX} bytes at most"]
            )
        value = _parsed(body)
        if not schema.is_valid(value):
            raise _invalid(schema.problems(value, len(body)))
        exchange.document = value

    def __repr__(self) -> str:
        return f"BodyGuard({', '.join(sorted(self._schemas))})"


def _parsed(body: bytes) -> Any:
    if not body:
        raise _invalid(["the request body is empty"])
    try:
        return parse_json(body)
    except ValueError as error:  # a UnicodeDecodeError is one
        raise _invalid([f"the request body is not JSON: {error}"]) from error


def _invalid(problems: Sequence[str]) -> Refusal:
    said = f"[{', '.join(problems)}]"[:ERROR_CHARACTERS_MAX]
    return Refusal(BAD_REQUEST_BODY, detail=said, validation_error=said)


class Validators:
    """The request validators of a deployment, with the models that its methods name, compiled."""

    def __init__(self, deployment: Deployment) -> None:
        self._validators: Mapping[str, RequestValidator] = {each.id: each for each in deployment.request_validators}
        used = {
            name
            for resource in deployment.resources
            for method in resource.methods
            if (validator := self._validators.get(method.request_validator_id)) is not None and validator.validates_body
            for name in method.request_models.values()
        }
        texts = {model.name: model.schema for model in deployment.models}
        self._schemas = compile_models(texts, used, api_id=deployment.api_id) if used else {}

    def parameters(self, method: Method) -> ParametersGuard | None:
        """Make the guard for a method's required parameters. Raises: MappingError."""
        validator = self._validator(method)
        if validator is None or not validator.validates_parameters:
            return None
        required = []
        for expression, is_required in method.request_parameters.items():
            if is_required:
                place, _, name = expression.removeprefix("method.request.").partition(".")
                required.append((place.removeprefix("multivalue"), name))
        return ParametersGuard(required) if required else None

    def body(self, method: Method) -> BodyGuard | None:
        """Make the guard for a method's bodies. Raises: MappingError."""
        validator = self._validator(method)
        if validator is None or not validator.validates_body:
            return None
        schemas = {}
        for media, name in method.request_models.items():
            schema = self._schemas[name]
            if isinstance(schema, SchemaError):
                raise MappingError(f"request model for {media}: {schema}")
            schemas[media.lower()] = schema
        return BodyGuard(schemas) if schemas else None

    def _validator(self, method: Method) -> RequestValidator | None:
        if not method.request_validator_id:
            return None
        validator = self._validators.get(method.request_validator_id)
        if validator is None:
            raise MappingError(f"request validator {method.request_validator_id} does not exist")
        return validator
