"""JSON Schema draft-04 as API Gateway's models use it: compiled once, told in the words of AWS's validator.

Models name each other by `https://apigateway.amazonaws.com/restapis/{id}/models/{name}`; nothing is ever fetched.

Everything is bounded when a schema is compiled. Patterns run in linear time; those that look around (which a linear
engine cannot) get `BACKTRACKS_MAX` steps, and bodies for them are bounded by the caller (`looks_around`). A schema
whose parts, each counted as often as it is named, are more than `PARTS_MAX` is refused: sixty `allOf` of two that name
the one before would otherwise be 2^60 checks.

Whether a value is valid is cheap to say, what is wrong with it is not: the validator collects every error, and for each
alternative that failed the errors of that one. So what is wrong is told of small bodies (`PROBLEMS_BYTES_MAX`) and in
proportion of the schema (`PROBLEMS_WORK_MAX`), and not where a schema names itself among alternatives, which doubles
the errors with each level of the body; `UNTOLD` is said instead.

The sentences are those of the Java library that AWS's answers and logs show ("object has missing required properties
(["price"])", https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
and what users quote). Like that library, what stands below an object or array that is wrong itself is not told.
Unverified: the order of the sentences, and those of `format`, `multipleOf`, `additionalItems` and `dependencies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    import jsonschema_rs

PARTS_MAX: Final = 100_000  # of a schema, what it names counted again each time
DEPTH_MAX: Final = 100  # of a schema's own nesting
PATTERN_BYTES_MAX: Final = 1024 * 1024  # of one compiled pattern
BACKTRACKS_MAX: Final = 5_000
PROBLEMS_MAX: Final = 50
PROBLEMS_BYTES_MAX: Final = 16 * 1024  # of a body
PROBLEMS_WORK_MAX: Final = 100_000  # bytes of a body times parts of the schema: some 0.1 s when everything is wrong
UNTOLD: Final = "the instance is not what the schema says; what is wrong is not told for its size or for the schema"
VALUE_CHARACTERS_MAX: Final = 256  # of a value that a sentence quotes

_LOOKS_AROUND: Final = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9]|\\k<")
_SCHEMAS: Final = ("additionalItems", "additionalProperties", "items", "not")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "items")
_ALTERNATIVES: Final = frozenset({"allOf", "anyOf", "dependencies", "not", "oneOf", "patternProperties"})
_TABLES: Final = ("definitions", "dependencies", "patternProperties", "properties")


class SchemaError(Exception):
    """A schema that cannot be enforced. The text says why."""


class ModelSchema:
    """One compiled model: says whether a JSON value is what the schema says, and if not, what is wrong."""

    __slots__ = ("_told_bytes_max", "_validator", "is_valid", "looks_around")

    def __init__(
        self, validator: jsonschema_rs.Draft4Validator, *, looks_around: bool, told_bytes_max: int = PROBLEMS_BYTES_MAX
    ) -> None:
        self._validator = validator
        self._told_bytes_max = told_bytes_max
        self.is_valid: Callable[[Any], bool] = validator.is_valid
        self.looks_around = looks_around

    def problems(self, value: Any, size: int) -> list[str]:
        """Say what is wrong with `value` of `size` bytes, in AWS's words; at most `PROBLEMS_MAX` sentences."""
        if size > self._told_bytes_max:
            return [UNTOLD]
        by_place: dict[tuple[str | int, ...], dict[str, list[Any]]] = {}
        try:
            errors = list(islice(self._validator.iter_errors(value), PROBLEMS_MAX * 4))
        except ValueError:  # an error's value is nested deeper than the library gives it back (255 levels)
            return [UNTOLD]
        for error in errors:
            by_place.setdefault(tuple(error.instance_path), {}).setdefault(error.kind.name, []).append(error)
        said: list[str] = []
        for place in sorted(by_place, key=len):
            if any(place[:depth] in by_place for depth in range(len(place))):
                continue
            keywords = by_place[place]
            for keyword in sorted(keywords):
                said += _sentences(keyword, keywords[keyword])
        return said[:PROBLEMS_MAX]


def model_uri(api_id: str, name: str) -> str:
    """Give the name by which the models of an API refer to each other."""
    return f"https://apigateway.amazonaws.com/restapis/{api_id}/models/{name}"


def compile_models(
    models: Mapping[str, str], names: Iterable[str], *, api_id: str
) -> dict[str, ModelSchema | SchemaError]:
    """Compile those models that are used: of `models`, the schemas' texts by name, those called `names`.

    A model that cannot work gets its error: the methods that use it cannot work, the others can.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    schemas: dict[str, Any] = {}
    broken: dict[str, SchemaError] = {}
    for name, text in models.items():
        try:
            schemas[name] = _parse(text)
        except SchemaError as error:
            broken[name] = error
    compile_one = _Compiler(schemas, api_id).compile
    made: dict[str, ModelSchema | SchemaError] = {}
    for name in wanted:
        try:
            if name in broken:
                raise broken[name]
            made[name] = compile_one(name)
        except SchemaError as error:
            made[name] = SchemaError(f"model {name}: {error}")
    return made


def _parse(text: str) -> Any:
    try:
        schema = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        raise SchemaError(f"not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise SchemaError(f"a schema is an object, not {type(schema).__name__}")
    return schema


class _Compiler:
    def __init__(self, schemas: Mapping[str, Any], api_id: str) -> None:
        self._schemas = schemas
        self._api_id = api_id

    def compile(self, name: str) -> ModelSchema:
        import jsonschema_rs

        if name not in self._schemas:
            raise SchemaError("there is no such model")
        measure = _Measure(self._schemas, self._api_id)
        measure.check(name)
        options: Any = jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES_MAX, dfa_size_limit=PATTERN_BYTES_MAX)
        if measure.looks_around:
            options = jsonschema_rs.FancyRegexOptions(
                backtrack_limit=BACKTRACKS_MAX, size_limit=PATTERN_BYTES_MAX, dfa_size_limit=PATTERN_BYTES_MAX
            )
        try:
            # Of the models only those that this one leads to: another's fault is not its own.
            known = [(model_uri(self._api_id, each), self._schemas[each]) for each in sorted(measure.named | {name})]
            validator = jsonschema_rs.Draft4Validator(
                self._schemas[name],
                registry=jsonschema_rs.Registry(known, draft=jsonschema_rs.Draft4),
                base_uri=model_uri(self._api_id, name),
                pattern_options=options,
                validate_formats=True,
                offline=True,
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:  # ValidationError is a ValueError
            raise SchemaError(str(getattr(error, "message", error))[:512]) from error
        return ModelSchema(validator, looks_around=measure.looks_around, told_bytes_max=measure.told_bytes_max)


class _Measure:
    """Counts the parts of a schema, everything that it names included, and looks at its patterns."""

    def __init__(self, schemas: Mapping[str, Any], api_id: str) -> None:
        self._schemas = schemas
        self._prefix = model_uri(api_id, "")
        self._known: dict[int, int] = {}
        self._open: set[int] = set()
        self.looks_around = False
        self._names_itself = self._has_alternatives = False
        self._parts = 1
        self.named: set[str] = set()  # the other models that the schema leads to

    def check(self, name: str) -> None:
        """Let a schema pass that stays within the bounds. Raises: SchemaError."""
        self._parts = self._count(self._schemas[name], self._schemas[name], 0)

    @property
    def told_bytes_max(self) -> int:
        """Give the most bytes of a body of which is told what is wrong; -1: of none."""
        if self._names_itself and self._has_alternatives:
            return -1
        return min(PROBLEMS_BYTES_MAX, PROBLEMS_WORK_MAX // self._parts)

    def _count(self, schema: Any, root: Any, depth: int) -> int:
        if not isinstance(schema, dict):
            return 1
        if depth > DEPTH_MAX:
            raise SchemaError(f"it is nested, or names models, more than {DEPTH_MAX} deep")
        key = id(schema)
        if key in self._known:
            return self._known[key]
        if key in self._open:
            self._names_itself = True
            return 1  # it names itself: each level of the body goes around once
        self._open.add(key)
        self._has_alternatives |= not _ALTERNATIVES.isdisjoint(schema)
        count = 1 + sum(self._count(each, above, depth + 1) for each, above in self._children(schema, root))
        if count > PARTS_MAX:
            raise SchemaError(f"it comes to more than {PARTS_MAX} schemas when everything that it names is written out")
        self._open.discard(key)
        self._known[key] = count
        for pattern in (schema.get("pattern"), *_mapping(schema.get("patternProperties"))):
            if isinstance(pattern, str) and _LOOKS_AROUND.search(pattern):
                self.looks_around = True
        return count

    def _children(self, schema: Mapping[str, Any], root: Any) -> list[tuple[Any, Any]]:
        found = [(schema[name], root) for name in _SCHEMAS if isinstance(schema.get(name), dict)]
        for name in _LISTS:
            if isinstance(schema.get(name), list):
                found += [(each, root) for each in schema[name]]
        for name in _TABLES:
            found += [(each, root) for each in _mapping(schema.get(name)).values()]
        if isinstance(schema.get("$ref"), str):
            found.append(self._named(schema["$ref"], root))
        return found

    def _named(self, reference: str, root: Any) -> tuple[Any, Any]:
        address, _, pointer = reference.partition("#")
        here = root
        if address.startswith(self._prefix):
            name = address.removeprefix(self._prefix)
            here = root = self._schemas.get(name)
            if here is not None:
                self.named.add(name)
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(here, list):
                here = here[int(step)] if step.isdigit() and int(step) < len(here) else None
            else:
                here = _mapping(here).get(step)
        return here, root


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# -- the sentences

_TYPES: Final[Mapping[type, str]] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
    type(None): "null",
}


def _json(value: Any) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits
        text = str(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}…"


def _text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}…"


def _types(error: Any) -> str:
    allowed = set(error.kind.value)
    if "number" in allowed:
        allowed.add("integer")  # an integer is a number, and AWS's validator says so
    instance = _TYPES.get(type(error.instance), "number")
    return f"instance type ({instance}) does not match any allowed primitive type (allowed: {_json(sorted(allowed))})"


def _one_of(error: Any) -> str:
    tried: Sequence[Any] = error.kind.value or ()
    matched = sum(1 for each in tried if not each)
    return f"instance failed to match exactly one schema (matched {matched} out of {len(tried)})"


def _format(error: Any) -> str:
    kinds = {
        "date-time": "is invalid against requested date format(s) "
        "[yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,12}Z]",
        "email": "is not a valid email address",
        "hostname": "is not a valid hostname",
        "ipv4": "is not a valid IPv4 address",
        "ipv6": "is not a valid IPv6 address",
        "uri": "is not a valid URI",
    }
    said = kinds.get(error.kind.value, f"is not a valid {error.kind.value}")
    return f'string "{_text(error.instance)}" {said}'


_SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "additionalItems": lambda e: (
        f"array is too long: must have at most {e.kind.value} elements but instance has {len(e.instance)} elements"
    ),
    "additionalProperties": lambda e: (
        f"object instance has properties which are not allowed by the schema: {_json(sorted(e.kind.value))}"
    ),
    "anyOf": lambda e: f"instance failed to match at least one required schema among {len(e.kind.value or ())}",
    "enum": lambda e: (
        f"instance value ({_json(e.instance)}) not found in enum (possible values: {_json(e.kind.value)})"
    ),
    "exclusiveMaximum": lambda e: (
        f"numeric instance is not strictly lower than the required maximum {_json(e.kind.value)}"
    ),
    "exclusiveMinimum": lambda e: (
        f"numeric instance is not strictly greater than the required minimum {_json(e.kind.value)}"
    ),
    "format": _format,
    "maxItems": lambda e: (
        f"array is too long: must have at most {e.kind.value} elements but instance has {len(e.instance)} elements"
    ),
    "maxLength": lambda e: (
        f'string "{_text(e.instance)}" is too long (length: {len(e.instance)}, maximum allowed: {e.kind.value})'
    ),
    "maxProperties": lambda e: (
        f"object has too many properties (found {len(e.instance)} but schema requires at most {e.kind.value})"
    ),
    "maximum": lambda e: (
        "numeric instance is greater than the required maximum "
        f"(maximum: {_json(e.kind.value)}, found: {_json(e.instance)})"
    ),
    "minItems": lambda e: (
        f"array is too short: must have at least {e.kind.value} elements but instance has {len(e.instance)} elements"
    ),
    "minLength": lambda e: (
        f'string "{_text(e.instance)}" is too short (length: {len(e.instance)}, required minimum: {e.kind.value})'
    ),
    "minProperties": lambda e: (
        f"object has not enough properties (found {len(e.instance)} but schema requires at least {e.kind.value})"
    ),
    "minimum": lambda e: (
        "numeric instance is lower than the required minimum "
        f"(minimum: {_json(e.kind.value)}, found: {_json(e.instance)})"
    ),
    "multipleOf": lambda e: f"remainder of division is not zero ({_json(e.instance)} / {_json(e.kind.value)})",
    "not": lambda _e: "instance matched a schema which it should not have",
    "oneOf": _one_of,
    "pattern": lambda e: f'ECMA 262 regex "{_text(e.kind.value)}" does not match input string "{_text(e.instance)}"',
    "type": _types,
    "uniqueItems": lambda _e: "array must not contain duplicate elements",
}


def _sentences(keyword: str, errors: Sequence[Any]) -> list[str]:
    if keyword == "required":
        missing = sorted({str(error.kind.value) for error in errors})
        return [f"object has missing required properties ({_json(missing)})"]
    sentence = _SENTENCES.get(keyword, lambda error: _text(error.message))
    return [sentence(error) for error in errors]
