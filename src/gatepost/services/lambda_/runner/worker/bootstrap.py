"""The runtime in a worker: load the handler, then answer invocations until the socket closes.

Errors are reported with the types and words of AWS's own runtime interface client
(https://github.com/aws/aws-lambda-python-runtime-interface-client), so that tools which look for them find them.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .channel import ERROR, INIT_ERROR, READY, RESULT, Channel, Request
from .context import LambdaContext
from .faults import Fault, fault_result, own_frames
from .output import Output

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; the figure is the one in Lambda's message.
RESPONSE_BYTES_MAX = 6_291_556
UNICODE_RUNTIMES = frozenset({"AWS_Lambda_python3.12", "AWS_Lambda_python3.13", "AWS_Lambda_python3.14"})

Handler = Callable[[Any, LambdaContext], Any]


class ResponseEncoder:
    """JSON as Lambda's Python runtimes write it: Decimals as numbers, plain UTF-8 from Python 3.12 on."""

    def __init__(self, execution_env: str) -> None:
        self._mark = os.urandom(16).hex()
        self._encode = json.JSONEncoder(ensure_ascii=execution_env not in UNICODE_RUNTIMES, default=self._other).encode

    def _other(self, value: object) -> object:
        if isinstance(value, Decimal):
            return math.nan if value.is_nan() else f"{self._mark}{value}{self._mark}"
        if isinstance(value, bytes):
            return value.decode("utf-8")
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def encode(self, value: object) -> bytes:
        """Render what a handler returned. Raises: Fault (Runtime.MarshalError)."""
        if isinstance(value, bytes):
            return value
        try:
            text = self._encode(value)
            if self._mark in text:
                text = text.replace('"' + self._mark, "").replace(self._mark + '"', "")
            return text.encode("utf-8")
        except Exception as error:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def load_handler(handler: str) -> Handler:
    """Import the handler's module and find the def in it. Raises: Fault, and whatever the module raises."""
    module_name, dot, name = handler.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {reason}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        words = f"Cannot use built-in module {module_name} as a handler module"
        raise Fault("Runtime.BuiltInModuleConflict", words)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        words = f"Unable to import module '{module_name}': {error}"
        raise Fault("Runtime.ImportModuleError", words) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        words = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", words, trace) from error
    try:
        found: Handler = getattr(module, name)
    except AttributeError as error:
        words = f"Handler '{name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", words) from error
    return found


class Runtime:
    """One worker's life after the sandbox is closed around it."""

    def __init__(self, channel: Channel, config: dict[str, Any]) -> None:
        environment: dict[str, str] = config["environment"]
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        self._channel = channel
        self._handler_name: str = config["handler"]
        self._output = Output(channel, config["log_format"], config.get("log_level"))
        self._encoder = ResponseEncoder(environment.get("AWS_EXECUTION_ENV", ""))
        self._trace_id = ""
        LambdaContext.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        LambdaContext.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        LambdaContext.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        LambdaContext.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        LambdaContext.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]

    def run(self) -> None:
        """Load the handler and answer invocations for ever; exits the process when loading fails."""
        started_ns = time.perf_counter_ns()
        handler = self._load()
        self._output.flush()
        self._channel.reply(READY, b"", time.perf_counter_ns() - started_ns)
        while True:
            self._answer(handler, self._channel.next_request())

    def _load(self) -> Handler:
        try:
            return load_handler(self._handler_name)
        except Fault as fault:
            result = fault_result(fault.kind, fault.message, fault.trace)
        except Exception as error:
            result = fault_result(type(error).__name__, str(error), own_frames(error.__traceback__))
        self._output.error(result)
        self._output.flush()
        self._channel.reply(INIT_ERROR, json.dumps(result).encode(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        sys.exit(1)

    def _set_trace_id(self, trace_id: str) -> None:
        if trace_id == self._trace_id:
            return
        self._trace_id = trace_id
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)

    def _answer(self, handler: Handler, request: Request) -> None:
        self._set_trace_id(request.trace_id)
        self._output.begin(request.request_id)
        kind, body = RESULT, b""
        try:
            body = self._call(handler, request)
        except Fault as fault:
            kind, body = ERROR, self._failed(request, fault.kind, fault.message, fault.trace)
        except Exception as error:
            trace = own_frames(error.__traceback__)
            kind, body = ERROR, self._failed(request, type(error).__name__, str(error), trace)
        if not self._channel.is_ours():
            os._exit(0)  # the handler forked and its child came back here: one answer is enough
        self._output.flush()
        if kind == RESULT and len(body) > RESPONSE_BYTES_MAX:
            words = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
            too_large = {"errorMessage": words, "errorType": "Function.ResponseSizeTooLarge"}
            kind, body = ERROR, json.dumps(too_large).encode()
        self._channel.reply(kind, body, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    def _call(self, handler: Handler, request: Request) -> bytes:
        client_context = None
        if request.client_context:
            try:
                client_context = json.loads(request.client_context)
            except ValueError as error:
                words = f"Unable to parse Client Context JSON: {error}"
                raise Fault("Runtime.LambdaContextUnmarshalError", words) from error
        context = LambdaContext(request.request_id, request.arn, request.deadline_ms, client_context)
        try:
            event = json.loads(request.payload)
        except ValueError as error:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error
        return self._encoder.encode(handler(event, context))

    def _failed(self, request: Request, kind: str, message: str, trace: list[str]) -> bytes:
        result = fault_result(kind, message, trace, request.request_id)
        if self._channel.is_ours():
            self._output.error(result)
        return json.dumps(result).encode()
