"""From an import's bytes to an OpenAPI document: JSON or YAML, bounded, without surprises.

YAML is put together here from libyaml's events and not by PyYAML's loaders: those recurse in C, and a
document of 100 KB of `[` ends the process. A key that is there twice is refused: one of the two would be
lost. Plain scalars are read as JSON's: `yes` and dates are texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import yaml

from gatepost.kernel.limits import API_GATEWAY_IMPORT_BYTES_MAX
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.support import UnsupportedSetting

DEPTH_MAX: Final = 100
VALUES_MAX: Final = 1_000_000  # in the whole document, what YAML's aliases stand for counted each time
FINDINGS_MAX: Final = 200
REFERENCES_MAX: Final = 20  # that lead one to the next

_TAGS: Final = (None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")))
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: Final[Mapping[str, Any]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def parse_document(body: bytes, *, is_lenient: bool = False) -> dict[str, Any]:
    """Read an OpenAPI 3.0 or Swagger 2.0 document of at most 6 MB; `is_lenient` takes 3.1 too, which AWS refuses.

    Raises: BadRequestException.
    """
    document = parse_json_or_yaml(body)
    _check_version(document, is_lenient=is_lenient)
    return document


def parse_json_or_yaml(body: bytes) -> dict[str, Any]:
    """Read an object, JSON or YAML, of at most 6 MB. Raises: BadRequestException."""
    if len(body) > API_GATEWAY_IMPORT_BYTES_MAX:
        raise _invalid(f"it has {len(body)} bytes, and {API_GATEWAY_IMPORT_BYTES_MAX} are allowed")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(f"it is not UTF-8 (byte {error.start})") from None
    document = _parse_json(text) if text.lstrip().startswith("{") else _parse_yaml(text)
    if not isinstance(document, dict):
        raise _invalid("it is not an object")
    return document


class Findings:
    """What an import found: errors end it, warnings only with `failonwarnings`. At most `FINDINGS_MAX` of each.

    Notes are shown among the warnings and never end it: what AWS passes over without a word. Lenient ones say so of
    what is refused otherwise.
    """

    def __init__(self, *, is_lenient: bool = False) -> None:
        self.is_lenient = is_lenient
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def add_error(self, error: str) -> None:
        """Note what makes the import fail."""
        if len(self.errors) < FINDINGS_MAX:
            self.errors.append(error)

    def add_warning(self, warning: str) -> None:
        """Note what the import passes over."""
        if len(self.warnings) < FINDINGS_MAX:
            self.warnings.append(warning)

    def add_note(self, note: str) -> None:
        """Note once what AWS passes over without a word."""
        if len(self.notes) < FINDINGS_MAX and note not in self.notes:
            self.notes.append(note)

    @property
    def told(self) -> list[str]:
        """Give what the answer of an import shows as its warnings."""
        return [*self.warnings, *self.notes]

    def copy(self) -> Findings:
        """Give findings of their own that start with these."""
        copied = Findings(is_lenient=self.is_lenient)
        copied.errors.extend(self.errors)
        copied.warnings.extend(self.warnings)
        copied.notes.extend(self.notes)
        return copied

    def check(self, *, fails_on_warnings: bool) -> None:
        """Return when the import may go on. Raises: BadRequestException with AWS's text."""
        if self.errors:
            raise BadRequestException("Errors found during import:\n\t" + "\n\t".join(self.errors))
        if self.warnings and fails_on_warnings:
            raise BadRequestException("Warnings found during import:\n\t" + "\n\t".join(self.warnings))


def as_object(value: Any, what: str) -> dict[str, Any]:
    """Give `value` when it is an object; nothing counts as an empty one. Raises: BadRequestException."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequestException(f"Invalid OpenAPI input: {what} is not an object")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """Give `value` when it is a list; nothing counts as an empty one. Raises: BadRequestException."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequestException(f"Invalid OpenAPI input: {what} is not a list")
    return value


def as_text(value: Any, what: str) -> str:
    """Give `value` when it is a text or a number (YAML writes 1.0 for both). Raises: BadRequestException."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRequestException(f"Invalid OpenAPI input: {what} is not a text")
    return str(value)


def as_texts(value: Any, what: str) -> dict[str, str]:
    """Give `value` when it is an object of texts. Raises: BadRequestException."""
    return {name: as_text(each, f"{what}.{name}") for name, each in as_object(value, what).items()}


def check_extensions(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Refuse an extension of Amazon's that does nothing here; other vendors' are their own business.

    Raises: BadRequestException.
    """
    for name in given:
        if name.startswith("x-amazon-") and name not in known:
            raise UnsupportedSetting(f"Gatepost does not support the extension {name} of {what} yet: leave it out")


def is_openapi_3(document: Mapping[str, Any]) -> bool:
    """Say whether a document is OpenAPI 3.0 (else it is Swagger 2.0)."""
    return "openapi" in document


def resolve(document: Mapping[str, Any], value: Any) -> Any:
    """Follow `$ref` from `value` to what it stands for.

    Raises: BadRequestException for a reference that leads nowhere, in a circle or out of the document.
    """
    for _ in range(REFERENCES_MAX):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        value = _look_up(document, value["$ref"])
    raise BadRequestException(
        f"Unable to resolve reference: more than {REFERENCES_MAX} references lead on, or a circle"
    )


def _look_up(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        raise BadRequestException(f"Unable to resolve reference {reference}: only references within the document work")
    here: Any = document
    for part in reference[2:].split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if not isinstance(here, dict) or name not in here:
            raise BadRequestException(f"Unable to resolve reference {reference}: there is nothing")
        here = here[name]
    return here


def _check_version(document: Mapping[str, Any], *, is_lenient: bool) -> None:
    swagger, openapi = document.get("swagger"), document.get("openapi")
    if swagger is None and openapi is None:
        raise _invalid('it has neither "swagger" nor "openapi"')
    if swagger is not None and (openapi is not None or str(swagger) != "2.0"):
        raise _invalid(f"swagger {swagger} is not supported: use 2.0")
    known = r"3\.[01](\.\d+)?" if is_lenient else r"3\.0(\.\d+)?"
    if openapi is not None and not re.fullmatch(known, str(openapi)):
        raise _invalid(f"openapi {openapi} is not supported: use 3.0")


def _parse_json(text: str) -> Any:
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _invalid(str(error)) from None
    _check_size(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"key {name!r} is there twice")
            seen.add(name)
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_size(document: Any) -> None:
    level, count = [document], 0
    for _ in range(DEPTH_MAX + 1):
        if not level:
            return
        count += len(level)
        if count > VALUES_MAX:
            raise _too_large()
        level = [below for value in level for below in _below(value)]
    raise _too_deep()


def _below(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _parse_yaml(text: str) -> Any:
    try:
        return _Composer(yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _invalid(f"{error.problem}{where}") from None
    except yaml.YAMLError as error:
        raise _invalid(str(error).splitlines()[0]) from None


class _Composer:
    """Puts values together from YAML events, without recursion."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        """Give the value of the only document."""
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _invalid("it holds more than one YAML document")
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event)
        return value

    def _node(self, first: yaml.NodeEvent) -> Any:
        """Give the value that starts with `first`, and take its further events."""
        if not isinstance(first, yaml.CollectionStartEvent):
            return self._leaf(first)
        _check_tag(first)
        # Each open collection: its values (keys and values in turn for a mapping), event and first count.
        open_ones: list[tuple[list[Any], yaml.CollectionStartEvent, int]] = [([], first, self._count)]
        while True:
            event = next(self._events)
            if isinstance(event, yaml.CollectionStartEvent):
                _check_tag(event)
                open_ones.append(([], event, self._count))
                if len(open_ones) > DEPTH_MAX:
                    raise _too_deep()
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                values, start, count_before = open_ones.pop()
                value = values if isinstance(start, yaml.SequenceStartEvent) else _mapping(values, start)
                self._took(1)
                if start.anchor:
                    self._anchors[start.anchor] = (value, self._count - count_before)
            else:
                value = self._leaf(event)
            if not open_ones:
                return value
            open_ones[-1][0].append(value)

    def _leaf(self, event: yaml.Event) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _invalid(f"alias *{event.anchor} stands for nothing, or for what it is in")
            value, count = self._anchors[event.anchor]
            self._took(count)
            return value
        assert isinstance(event, yaml.ScalarEvent)
        value = _plain(event.value) if event.implicit[0] and not event.style else event.value
        _check_tag(event)
        self._took(1)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        return value

    def _took(self, count: int) -> None:
        self._count += count
        if self._count > VALUES_MAX:
            raise _too_large()


def _check_tag(event: yaml.CollectionStartEvent | yaml.ScalarEvent) -> None:
    if event.tag not in _TAGS:
        raise _invalid(f"tag {event.tag} at line {_line(event)} is not supported")


def _mapping(values: list[Any], start: yaml.CollectionStartEvent) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in zip(values[::2], values[1::2], strict=True):
        if isinstance(key, dict | list):
            raise _invalid(f"a key of the mapping at line {_line(start)} is not a text")
        name = key if isinstance(key, str) else json.dumps(key)
        if name == "<<":
            raise _invalid(f"merge keys (<<) are not supported, line {_line(start)}")
        if name in found:
            raise _invalid(f"key {name!r} is there twice in the mapping at line {_line(start)}")
        found[name] = value
    return found


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _invalid(why: str) -> BadRequestException:
    return BadRequestException(f"Invalid OpenAPI input: {why}")


def _too_deep() -> BadRequestException:
    return _invalid(f"it is nested deeper than {DEPTH_MAX} levels")


def _too_large() -> BadRequestException:
    return _invalid(f"it holds more than {VALUES_MAX} values")
