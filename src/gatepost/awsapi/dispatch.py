"""From validated parameters to a provider's answer, for calls over HTTP and from within alike.

parse (a protocol, or nothing for calls from within) -> check against the model -> `provider.access` says what the call
touches -> `authorization.check` for each -> the method. There is no second way to a provider.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from gatepost.awsapi.errors import SerializationException, UnknownOperationException
from gatepost.awsapi.protocols.documents import (
    JSON,
    NATIVE,
    PLAIN,
    WIRE,
    Reader,
    ReaderCompiler,
    Writer,
    WriterCompiler,
)
from gatepost.awsapi.shapes import OperationModel, ServiceModel, ServiceModels, signing_name
from gatepost.awsapi.validation import Checker, CheckerCompiler, raise_problems
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import (
    ServiceError,
    ServiceUnavailable,
    StateUnavailable,
    StoreFull,
    StoreUnavailable,
    UnsupportedOperation,
    ValidationException,
    VersionConflict,
)
from gatepost.kernel.ids import request_id as new_request_id
from gatepost.kernel.operations import Call, OperationMark, Prepares, Principal, Provider, operations_of
from gatepost.kernel.ports import Authorization

Result = dict[str, Any]
DEPTH_MAX: Final = 1_000  # levels of parameters from within; JSON's parser ends at about as many


class Service:
    """A service that has a provider: its model, and its operations as they are bound."""

    def __init__(self, model: ServiceModel, provider: Provider) -> None:
        self.model = model
        self.provider = provider
        self.methods = operations_of(provider)
        self.native = CheckerCompiler("native")
        self.parsed = CheckerCompiler("parsed")
        self.wire = CheckerCompiler("wire")
        self.readers = {form: ReaderCompiler(form) for form in (JSON, PLAIN)}
        self.writers = {form: WriterCompiler(form) for form in (JSON, NATIVE, PLAIN)}
        self.bound: dict[str, BoundOperation] = {}


class BoundOperation:
    """An operation of a model with the method that holds its meaning.

    `wire_json` concerns parameters and results. Members of errors are native values (blobs as bytes) in any case.
    """

    __slots__ = (
        "_service",
        "access",
        "known",
        "method",
        "model",
        "name",
        "prepare",
        "validation_error",
        "wire_json",
    )

    def __init__(
        self, service: Service, model: OperationModel, method: Callable[..., Any], mark: OperationMark
    ) -> None:
        self._service = service
        self.model = model
        self.name = model.name
        self.method = method
        self.wire_json = mark.wire_json
        self.access = service.provider.access
        self.validation_error: type[ServiceError] = getattr(service.provider, "validation_error", ValidationException)
        self.prepare = service.provider.prepare if isinstance(service.provider, Prepares) else None
        self.known: Reader | None = None  # takes members that the model does not have out of a `wire_json` input
        if mark.known_only and model.input is not None:
            self.known = ReaderCompiler(WIRE).reader(model.input)

    def checker(self, kind: str) -> Checker:
        """Give the checker of the input: kind wire, parsed or native."""
        if self.model.input is None:
            return lambda _: None
        compiler: CheckerCompiler = getattr(self._service, kind)
        return compiler.checker(self.model.input)

    def to_wire(self, params: Result) -> Result:
        """Turn native parameters into JSON's own values, for a `wire_json` method."""
        if self.model.input is None:
            return {}
        writer: Writer = self._service.writers[JSON].writer(self.model.input)
        return writer(params)  # type: ignore[no-any-return]

    def from_wire(self, result: Any) -> Result:
        """Turn what a `wire_json` method gave into native values."""
        if self.model.output is None:
            return {}
        reader: Reader = self._service.readers[JSON].reader(self.model.output)
        return reader(orjson.loads(result) if result.__class__ is bytes else result)  # type: ignore[no-any-return]

    def to_native(self, result: Mapping[str, Any] | None) -> Result:
        """Check a native result against the model and leave out None."""
        if self.model.output is None or result is None:
            return {}
        return self._service.writers[NATIVE].writer(self.model.output)(result)  # type: ignore[no-any-return]

    def read_plain(self, params: Any) -> Result:
        """Read parameters of our own JSON form: blobs in base64, timestamps in milliseconds."""
        if self.model.input is None:
            return {}
        return self._service.readers[PLAIN].reader(self.model.input)(params)  # type: ignore[no-any-return]

    def write_plain(self, result: Result) -> Result:
        """Write a native result in our own JSON form."""
        if self.model.output is None:
            return {}
        return self._service.writers[PLAIN].writer(self.model.output)(result)  # type: ignore[no-any-return]


class Dispatcher:
    """Every operation that Gatepost has. Implements `kernel.ports.Operations`."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        authorization: Authorization,
        clock: Clock,
        account_id: str,
        region: str,
        models: ServiceModels | None = None,
    ) -> None:
        """Take the providers. `region` is that of calls from within that name none.

        Raises: ValueError when two providers have the same service or a service has no model.
        """
        self.models = models or ServiceModels()
        self.clock = clock
        self.account_id = account_id
        self.region = region
        self._authorization = authorization
        self._providers: dict[str, Provider] = {}
        for provider in providers:
            if provider.service in self._providers:
                raise ValueError(f"two providers have the service {provider.service}")
            if provider.service not in self.models.index:
                raise ValueError(f"there is no service model of {provider.service}")
            self._providers[provider.service] = provider
        self._services: dict[str, Service] = {}

    @property
    def signing_names(self) -> frozenset[str]:
        """Give the names in credential scopes of the services that have a provider."""
        return frozenset(signing_name(self.models.index[service]) for service in self._providers)

    def service(self, name: str) -> Service | None:
        """Give a service that has a provider, its model loaded; None when Gatepost does not have it."""
        found = self._services.get(name)
        if found is None and (provider := self._providers.get(name)) is not None:
            model = self.models.get(name)
            assert model is not None
            found = self._services[name] = Service(model, provider)
            unknown = [operation for operation in found.methods if operation not in model.operations]
            if unknown:
                raise ValueError(f"AWS has no operation {', '.join(unknown)} in {name}")
        return found

    def operation(self, service: str, name: str) -> BoundOperation:
        """Give an operation. Raises: UnknownOperationException, UnsupportedOperation."""
        found = self.service(service)
        if found is not None and (bound := found.bound.get(name)) is not None:
            return bound
        model = self.models.get(service)
        operation = model.operation(name) if model is not None else None
        if operation is None:
            raise UnknownOperationException(f"Could not find operation {name[:128]} of {service[:64]}")
        if found is None or name not in found.methods:
            raise unsupported(service, name, self.refusal(service, name))
        mark, method = found.methods[name]
        bound = found.bound[name] = BoundOperation(found, operation, method, mark)
        return bound

    def refusal(self, service: str, name: str) -> str:
        """Give the sentence of a provider's `refusals` for an operation that it does not have; empty: none."""
        refusals: Mapping[str, str] = getattr(self._providers.get(service), "refusals", {})
        return refusals.get(name, "")

    def start(self, bound: BoundOperation, call: Call, params: Result) -> Any:
        """Authorize a call and start its method: gives its result, or the coroutine that will.

        `params` are checked already. Raises: ServiceError.
        """
        if bound.prepare is not None and (waiting := bound.prepare(call, params)) is not None:
            return self._start_prepared(waiting, bound, call, params)
        for access in bound.access(call, params):
            self._authorization.check(call, access)
        return bound.method(call, params)

    async def _start_prepared(self, waiting: Awaitable[None], bound: BoundOperation, call: Call, params: Result) -> Any:
        await waiting
        for access in bound.access(call, params):
            self._authorization.check(call, access)
        result = bound.method(call, params)
        return await result if inspect.isawaitable(result) else result

    async def invoke(
        self,
        principal: Principal,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        region: str | None = None,
        called_via: tuple[str, ...] = (),
    ) -> Result:
        """Run one operation from within and give its result as boto3 would: blobs as bytes, times as ms.

        Raises: ServiceError.
        """
        bound = self.operation(service, operation)
        call = Call(
            service,
            operation,
            principal.account_id,
            region or self.region,
            principal,
            new_request_id(),
            self.clock.now_ms(),
            called_via=called_via,
        )
        return await self.run(bound, call, dict(params))

    async def run(self, bound: BoundOperation, call: Call, params: Result) -> Result:
        """Check native `params`, run the operation, give its native result. Raises: ServiceError."""
        if bound.model.has_event_stream:
            raise UnsupportedOperation(f"{call.service}:{call.operation} streams its answer: call it by an AWS SDK")
        try:
            check(bound.checker("native"), params, bound.validation_error)
            result = self.start(bound, call, bound.to_wire(params) if bound.wire_json else params)
            if inspect.isawaitable(result):
                result = await result
        except (NotImplementedError, StoreUnavailable, StateUnavailable, VersionConflict) as error:
            raise as_service_error(error, call.service, call.operation) from error
        return bound.from_wire(result) if bound.wire_json else bound.to_native(result)


def check(checker: Checker, params: Result, error: type[ServiceError] = ValidationException) -> None:
    """Raise `error` (or SerializationException for a wrong type) unless `params` are right.

    What came over HTTP is nested no deeper than its parser allows; what comes from within is looked at here.
    """
    _check_depth(params)
    problems = checker(params)
    if problems is not None:
        raise_problems(problems, error)


def _check_depth(params: Result) -> None:
    """Refuse parameters that would exhaust the stack. Raises: SerializationException."""
    level: list[Any] = [params]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for value in level:
            inner = value.values() if value.__class__ is dict else value
            below += [one for one in inner if one.__class__ in {dict, list, tuple}]
        if not below:
            return
        level = below
    raise SerializationException("The parameters are nested too deeply")


def unsupported(service: str, operation: str, sentence: str = "") -> UnsupportedOperation:
    """Say that AWS has this and Gatepost does not, and what works instead where somebody knows."""
    return UnsupportedOperation(f"Gatepost does not have {service}:{operation}" + (f": {sentence}" if sentence else ""))


def as_service_error(error: Exception, service: str, operation: str) -> ServiceError:
    """Say to a caller what became of an operation whose dependency failed."""
    if isinstance(error, NotImplementedError):
        return unsupported(service, operation)
    if isinstance(error, VersionConflict):
        return ServiceUnavailable("The resource was changed by another request meanwhile: try again", detail=str(error))
    if isinstance(error, StoreFull):
        return ServiceUnavailable(
            "The disk of the data directory is full: nothing was changed; make room, then try again", detail=str(error)
        )
    return ServiceUnavailable("The service cannot reach its store: nothing was changed, try again", detail=str(error))
