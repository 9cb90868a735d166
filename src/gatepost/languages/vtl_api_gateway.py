"""What API Gateway gives to mapping templates: `$input`, `$context`, `$stageVariables`, `$util`, and the overrides.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html and
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html.

Not in those pages: null references print nothing (seen by others on AWS:
https://github.com/ToQoz/api-gateway-mapping-template/issues/5); a JSONPath that leads nowhere gives null to
`$input.path` (https://github.com/localstack/localstack/pull/12774, which quotes the console). Unverified: such a path
gives `""` to `$input.json`; a body that is no JSON counts as one string; an empty one is null to `$input.path` and `{}`
to `$input.json('$')`; a missing parameter is ""; header names are compared with case first and then without; `$util`
fails the template on what it cannot decode.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final
from urllib.parse import quote_plus, unquote_plus

import orjson

from gatepost.languages.json_path import MISSING, Evaluation, JsonPath, JsonPathError, JsonPaths
from gatepost.languages.vtl_compile import API_GATEWAY, Template, compile_template
from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_tree import TemplateError
from gatepost.languages.vtl_values import (
    DEFAULT_LIMITS,
    Host,
    Limits,
    MethodTable,
    Rendering,
    json_of,
    text_of,
)

# Looking for runs of digits in a copy whose digits are all 0 is ten times as fast as a regular expression. Of a run of
# 19 digits each third byte shows 6 in a row, so a third of a text mostly tells that there is none. And `find` is asked,
# not `in`: that tries to read the bytes as a number first, and the error it makes of them costs more than the search.
_DIGITS: Final = bytes.maketrans(b"0123456789", b"0000000000")
_BIG_NUMBER: Final = b"0" * 19
_EACH_THIRD: Final = b"0" * 6
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2000-\u20ff]")  # by json-smart
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters, decoded, one value for each name (of several, the last)."""

    path: Mapping[str, str] = field(default_factory=dict)
    querystring: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)


NO_PARAMETERS: Final = Parameters()


def parse_json(text: str | bytes) -> Any:
    """Parse JSON, with whole numbers of any size. Raises: ValueError."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if raw[::3].translate(_DIGITS).find(_EACH_THIRD) < 0 or raw.translate(_DIGITS).find(_BIG_NUMBER) < 0:
        return orjson.loads(text)
    orjson.loads(text)  # is stricter
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def _parsed(text: str | bytes) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return MISSING


class Input(Host):
    """`$input`: the body and the parameters of the request (or the response) that a template maps."""

    __slots__ = ("_body", "_document", "_given", "_json", "_parameters", "_paths", "_pristine")

    METHODS: ClassVar[MethodTable]

    def __init__(
        self, body: bytes, parameters: Callable[[], Parameters], paths: JsonPaths, document: Any = MISSING
    ) -> None:
        """Take a body; `document` is what it parses to, when someone has parsed it and needs it no more."""
        self._body = body
        self._given = document
        self._parameters = parameters
        self._paths = paths
        self._document: Any = MISSING  # what $input.path hands out, and templates may change
        self._pristine: Any = MISSING  # what $input.json prints
        self._json: dict[str, str] | None = None  # what was printed, by its path

    def _text(self) -> str:
        return self._body.decode("utf-8", "replace")

    def get(self, name: str) -> Any:
        """Give `$input.body`, the raw body."""
        return self._text() if name == "body" else None

    def _parse(self) -> Any:
        if self._given is not MISSING:  # for the first who asks: what $input.path hands out may be changed
            given, self._given = self._given, MISSING
            return given
        found = _parsed(self._body)
        if found is MISSING:
            text = self._text()
            found = _parsed(text)  # what is no UTF-8 has become characters
            if found is MISSING:
                return text
        return found

    def _path(self, path: Any) -> JsonPath:
        if type(path) is not str:
            raise TemplateError("$input needs a JSONPath in quotes, such as '$.name'")
        try:
            return self._paths.get(path)
        except JsonPathError as error:
            raise TemplateError(str(error)) from error

    def path(self, rendering: Rendering, path: Any) -> Any:
        """Answer `$input.path(x)`: the value itself, or null."""
        if not self._body:
            return None
        if self._document is MISSING:
            rendering.charge(len(self._body) >> 7)
            self._document = self._parse()
        return self._path(path).find(self._document, rendering.charge)

    def json(self, rendering: Rendering, path: Any) -> str:
        """Answer `$input.json(x)`: the value as compact JSON."""
        compiled = self._path(path)
        known = self._json
        if known is None:
            known = self._json = {}
        elif path in known:
            return known[path]
        if self._pristine is MISSING:
            rendering.charge(len(self._body) >> 7)
            self._pristine = self._parse() if self._body else {}
        found = compiled.first_or_all(self._pristine, Evaluation(self._pristine, rendering.charge))
        text = _json_text(rendering, "" if found is MISSING else found)
        rendering.check_text(len(text))
        known[path] = text
        return text

    def parameters(self, _rendering: Rendering) -> dict[str, dict[str, str]]:
        """Answer `$input.params()`."""
        found = self._parameters()
        return {"path": dict(found.path), "querystring": dict(found.querystring), "header": dict(found.header)}

    def parameter(self, _rendering: Rendering, name: Any) -> Any:
        """Answer `$input.params(x)`: from path, query string and header, in this order; else ""."""
        if type(name) is not str:
            raise TemplateError("$input.params needs a name in quotes")
        found = self._parameters()
        for values in (found.path, found.querystring, found.header):
            if name in values:
                return values[name]
        wanted = name.lower()
        return next((value for key, value in found.header.items() if key.lower() == wanted), "")


Input.METHODS = {
    ("json", 1): lambda rendering, given, path: given.json(rendering, path),
    ("path", 1): lambda rendering, given, path: given.path(rendering, path),
    ("params", 0): lambda rendering, given: given.parameters(rendering),
    ("params", 1): lambda rendering, given, name: given.parameter(rendering, name),
    ("getBody", 0): lambda _rendering, given: given.get("body"),
}


def _json_text(rendering: Rendering, value: Any) -> str:
    """Print a parsed document as json-smart does; orjson does it where the two agree."""
    if type(value) is str and value.isascii() and value.isprintable() and value.find('"') < 0 and value.find("\\") < 0:
        return f'"{value}"'
    try:
        made = orjson.dumps(value)
    except TypeError:  # a number that does not fit 64 bits, or nested too deeply
        return json_of(rendering, value)
    if _is_unlike_java(made):
        return json_of(rendering, value)
    text = made.decode()
    return text if text.isascii() and "\x7f" not in text else _ESCAPED.sub(_unicode_escape, text)


def _is_unlike_java(made: bytes) -> bool:
    """Say whether orjson's text may differ from json-smart's: doubles with an exponent, control characters."""
    digits = made.translate(_DIGITS)
    return (
        digits.find(b"0e") >= 0
        or digits.find(b"00000000.") >= 0
        or made.find(b"0.000") >= 0
        or made.find(b"\\u00") >= 0
    )


class Variables(Host):
    """Named values that are read when a template asks for them: a table of readers of one subject.

    A table's value is a reader, or a table of its own (`$context.identity`).
    """

    __slots__ = ("_subject", "_table")

    METHODS: ClassVar[MethodTable]

    def __init__(self, table: dict[str, Any], subject: Any) -> None:
        self._table = table
        self._subject = subject

    def get(self, name: str) -> Any:
        """Read a variable; None when there is none."""
        entry = self._table.get(name)
        if entry is None:
            return None
        return Variables(entry, self._subject) if type(entry) is dict else entry(self._subject)

    def names(self) -> JavaList:
        """Give the names of all variables."""
        return JavaList(self._table)

    def text(self) -> str:
        """Print nothing: a whole table is no value."""
        return ""


Variables.METHODS = {
    ("get", 1): lambda _rendering, given, name: given.get(name) if type(name) is str else None,
    ("containsKey", 1): lambda _rendering, given, name: type(name) is str and given.get(name) is not None,
    ("keySet", 0): lambda _rendering, given: given.names(),
}


class Overrides:
    """What a template wrote to `$context.requestOverride` and `$context.responseOverride`, as VTL values."""

    __slots__ = ("_request", "_response")

    def __init__(self) -> None:
        self._request: dict[str, Any] | None = None  # made when somebody asks for them: most templates do not
        self._response: dict[str, Any] | None = None

    @property
    def request(self) -> dict[str, Any]:
        """Give `$context.requestOverride`."""
        if self._request is None:
            self._request = {"header": {}, "path": {}, "querystring": {}}
        return self._request

    @property
    def response(self) -> dict[str, Any]:
        """Give `$context.responseOverride`."""
        if self._response is None:
            self._response = {"header": {}}
        return self._response

    @property
    def has_response(self) -> bool:
        """Say whether a template has asked for `$context.responseOverride`, and may have written to it."""
        return self._response is not None


def _copied(value: Any) -> Any:
    """Copy maps and lists, so that a template changes its own only."""
    if type(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if type(value) is list else value


class Context(Host):
    """`$context`: the request's variables, read-only but for the overrides."""

    __slots__ = ("_overrides", "_variables")

    METHODS: ClassVar[MethodTable]

    def __init__(self, variables: Variables, overrides: Overrides) -> None:
        self._variables = variables
        self._overrides = overrides

    def get(self, name: str) -> Any:
        """Read a variable; None when there is none."""
        value = self._variables.get(name)
        kind = type(value)
        if kind is str:
            return value
        if name == "requestOverride":
            return self._overrides.request
        if name == "responseOverride":
            return self._overrides.response
        return _copied(value) if kind is dict or kind is list else value

    def put(self, name: str, value: Any) -> None:  # noqa: ARG002
        """Refuse to change a variable. Raises: TemplateError."""
        raise TemplateError(f"$context.{name} cannot be set: use $context.requestOverride or $context.responseOverride")


Context.METHODS = {("get", 1): lambda _rendering, given, name: given.get(name) if type(name) is str else None}


# $util


def _string(rendering: Rendering, value: Any, function: str) -> str:
    if value is None:
        raise TemplateError(f"$util.{function} got null: check the value with #if first")
    text = text_of(rendering, value)
    rendering.charge(len(text) >> 5)
    return text


_JAVASCRIPT: Final = (
    ("\\", "\\\\"),
    ('"', '\\"'),
    ("'", "\\'"),
    ("/", "\\/"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\t", "\\t"),
)
_CONTROLS: Final = bytes(range(0x20))
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_CONTROL_NAMES: Final = {"\b": "\\b", "\f": "\\f"}
_BEYOND_ASCII: Final = re.compile(r"[\x7f-\U0010ffff]")


def _control_escape(found: re.Match[str]) -> str:
    return _CONTROL_NAMES.get(found[0]) or f"\\u{ord(found[0]):04X}"


def _unicode_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04X}" for at in range(0, len(units), 2))


def escape_javascript(text: str) -> str:
    r"""Escape as Apache Commons Lang 2's escapeJavaScript does: quotes, `\`, `/`, control characters, all above `~`.

    Source: https://commons.apache.org/proper/commons-lang/javadocs/api-2.6/org/apache/commons/lang/StringEscapeUtils.html
    (that AWS uses this library is unverified; its documentation shows `'` escaped).
    """
    for character, escape in _JAVASCRIPT:  # ten times as fast as str.translate
        text = text.replace(character, escape)
    data = text.encode("utf-8", "replace")
    if len(data.translate(None, _CONTROLS)) < len(data):
        text = _CONTROL.sub(_control_escape, text)
    return text if text.isascii() and "\x7f" not in text else _BEYOND_ASCII.sub(_unicode_escape, text)


def _escape(rendering: Rendering, _util: Host, value: Any) -> str | None:
    if value is None:
        return None
    text = _string(rendering, value, "escapeJavaScript")
    rendering.check_text(6 * len(text) if len(text) > rendering.limits.output_chars_max // 6 else len(text))
    return escape_javascript(text)


def _parse(rendering: Rendering, _util: Host, value: Any) -> Any:
    text = _string(rendering, value, "parseJson")
    try:
        return parse_json(text)
    except ValueError as error:
        raise TemplateError(f"$util.parseJson: {text[:60]!r} is not JSON") from error


def _url_encode(rendering: Rendering, _util: Host, value: Any) -> str:
    text = _string(rendering, value, "urlEncode")
    rendering.check_text(len(text))
    rendering.charge(len(text) >> 3)  # it is Python's slowest
    made = quote_plus(text, safe="*", errors="replace").replace("~", "%7E")
    rendering.check_text(len(made))
    return made


def _url_decode(rendering: Rendering, _util: Host, value: Any) -> str:
    text = _string(rendering, value, "urlDecode")
    if (bad := _BAD_PERCENT.search(text)) is not None:
        raise TemplateError(f"$util.urlDecode: {text[bad.start() : bad.start() + 3]!r} is no %XX")
    return unquote_plus(text)


def _base64_encode(rendering: Rendering, _util: Host, value: Any) -> str:
    made = base64.b64encode(_string(rendering, value, "base64Encode").encode("utf-8", "replace")).decode()
    rendering.check_text(len(made))
    return made


def _base64_decode(rendering: Rendering, _util: Host, value: Any) -> str:
    text = _string(rendering, value, "base64Decode")
    try:
        return base64.b64decode(text.encode("utf-8", "replace"), validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise TemplateError(f"$util.base64Decode: {text[:60]!r} is not base64") from error


class Util(Host):
    """`$util` of API Gateway."""

    __slots__ = ()
    METHODS: ClassVar[MethodTable] = {
        ("escapeJavaScript", 1): _escape,
        ("parseJson", 1): _parse,
        ("urlEncode", 1): _url_encode,
        ("urlDecode", 1): _url_decode,
        ("base64Encode", 1): _base64_encode,
        ("base64Decode", 1): _base64_decode,
    }


class Mapped:
    """What a mapping template gave: a text, and what is to be overridden."""

    __slots__ = ("overrides", "text")

    def __init__(self, text: str, overrides: Overrides) -> None:
        self.text = text
        self.overrides = overrides


class MappingTemplate:
    """A compiled mapping template of API Gateway."""

    __slots__ = ("_paths", "_template", "_uses_context", "_uses_input", "_uses_stage", "_util")

    def __init__(self, template: Template, paths: JsonPaths) -> None:
        self._template = template
        self._paths = paths
        self._util = Util()
        # What a template does not name is not made for it.
        self._uses_input = template.uses("input")
        self._uses_context = template.uses("context")
        self._uses_stage = template.uses("stageVariables")

    @property
    def constant(self) -> str | None:
        """What it always gives, if it is text alone."""
        return self._template.constant

    @property
    def leading(self) -> str:
        """The text that whatever it gives begins with."""
        return self._template.leading

    @property
    def context_names(self) -> frozenset[str]:
        """The `$context` variables that it names, without `context.` (`identity.sourceIp`)."""
        begin = "context."
        return frozenset(name[len(begin) :] for name in self._template.names if name.startswith(begin))

    def render(
        self,
        body: bytes,
        *,
        context: Variables,
        stage_variables: Mapping[str, str],
        parameters: Callable[[], Parameters] = lambda: NO_PARAMETERS,
        overrides: Overrides | None = None,
        document: Any = MISSING,
    ) -> Mapped:
        """Map a body. `parameters` is called when the template asks for them, each time.

        `document` is what the body parses to, if it has been parsed already; nobody else may use it.

        `overrides` are those of the request's template, which a response's template reads and adds to.

        Raises: TemplateError when the template fails or spends more than its limits.
        """
        overrides = Overrides() if overrides is None else overrides
        text = self.render_text(body, context, stage_variables, parameters, overrides, document)
        return Mapped(text, overrides)

    def render_text(
        self,
        body: bytes,
        context: Variables,
        stage_variables: Mapping[str, str],
        parameters: Callable[[], Parameters],
        overrides: Overrides,
        document: Any,
    ) -> str:
        """Give the text of `render`."""
        variables: dict[str, Any] = {"util": self._util}
        if self._uses_input:
            variables["input"] = Input(body, parameters, self._paths, document)
        if self._uses_context:
            variables["context"] = Context(context, overrides)
        if self._uses_stage:
            variables["stageVariables"] = dict(stage_variables)
        return self._template.render_in(variables)


def compile_mapping_template(text: str, *, paths: JsonPaths, limits: Limits = DEFAULT_LIMITS) -> MappingTemplate:
    """Compile a mapping template. Raises: TemplateError with line and column."""
    return MappingTemplate(compile_template(text, dialect=API_GATEWAY, limits=limits), paths)
