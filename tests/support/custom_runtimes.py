"""Custom runtimes for tests: small programs that speak the Runtime API by themselves."""

from __future__ import annotations

import textwrap

from gatepost.services.lambda_.runner.interpreters import own_interpreter

# A client of the API in a few lines; what a runtime does with it comes after.
CLIENT = """
import http.client, json, os, sys, time

class Api:
    def __init__(self, address=None):
        self.connection = http.client.HTTPConnection(address or os.environ["AWS_LAMBDA_RUNTIME_API"])

    def ask(self, method, path, body=None, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, names, encode_chunked=isinstance(body, list))
        answer = self.connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()

    def next(self):
        status, headers, body = self.ask("GET", "/2018-06-01/runtime/invocation/next")
        self.id = headers.get("Lambda-Runtime-Aws-Request-Id")
        self.headers = {n: v for n, v in headers.items() if n.startswith("Lambda-")}
        return json.loads(body) if status == 200 else status

    def respond(self, value):
        return self.ask("POST", f"/2018-06-01/runtime/invocation/{self.id}/response", json.dumps(value))[0]

    def fail(self, value, kind):
        path = f"/2018-06-01/runtime/invocation/{self.id}/error"
        return self.ask("POST", path, json.dumps(value), Lambda_Runtime_Function_Error_Type=kind)[0]

    def register(self, name, events):
        path, body = "/2020-01-01/extension/register", json.dumps({"events": events})
        status, headers, body = self.ask("POST", path, body, Lambda_Extension_Name=name)
        self.extension = headers.get("Lambda-Extension-Identifier", "")
        return status, json.loads(body)

    def next_event(self):
        path = "/2020-01-01/extension/event/next"
        return json.loads(self.ask("GET", path, Lambda_Extension_Identifier=self.extension)[2])
"""


def a_program(code: str) -> str:
    """An executable that has `Api`, in the interpreter that every box shows."""
    return f"#!{own_interpreter().executable} -ISu\n{CLIENT}\n{textwrap.dedent(code)}"


def a_runtime(handle: str, *, init: str = "") -> dict[str, str | bytes]:
    """A package whose bootstrap answers each `event` with what the body of a def gives; `api` is at hand."""
    lines = textwrap.indent(textwrap.dedent(handle), "    ")
    loop = "while True:\n    value = handle(api.next())\n    if value is not None:\n        api.respond(value)\n"
    return {"bootstrap": a_program(f"api = Api()\n{textwrap.dedent(init)}\ndef handle(event):\n{lines}\n{loop}")}
