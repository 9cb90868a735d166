"""References compiled to closures: reading `$a.b(c)[d]`, printing it, and assigning to it.

A reader takes the rendering and gives a value. What a step may do is decided by the value's exact type from the
tables of `vtl_methods`; an object's Python attributes are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_methods import METHODS, PROPERTIES
from gatepost.languages.vtl_tree import Index, Method, Position, Property, Reference, Step, TemplateError
from gatepost.languages.vtl_values import Host, NoSuchMethod, Rendering, Scope, is_filled, key_of, text_of

Read = Callable[[Rendering], Any]
Print = Callable[[Rendering], str]
Run = Callable[[Rendering], None]
Compile = Callable[[Any], Read]
_Take = Callable[[Rendering, Any], Any]  # from a value, its step's value

MISSING: Final = object()


class ByName:
    """A macro's argument: evaluated each time it is used, where the macro is called (Velocity 1.7 calls by name)."""

    __slots__ = ("literal", "outer", "read")

    def __init__(self, read: Read, literal: str, outer: Mapping[str, Any]) -> None:
        self.read = read
        self.literal = literal
        self.outer = outer

    def value(self, rendering: Rendering) -> Any:
        """Evaluate the argument with the caller's variables."""
        rendering.charge(3)
        variables = rendering.variables
        inner = {name: variables.get(name, MISSING) for name in self.outer}
        restore(variables, self.outer)
        try:
            return self.read(rendering)
        finally:
            restore(variables, inner)


def restore(variables: dict[str, Any], saved: Mapping[str, Any]) -> None:
    """Give variables back the values they had; those that were not set are unset."""
    for name, value in saved.items():
        if value is MISSING:
            variables.pop(name, None)
        else:
            variables[name] = value


def compile_reader(reference: Reference, compile_value: Compile, by_name: frozenset[str]) -> Read:
    """Compile the reading of a reference. `by_name` are the names of macros' parameters."""
    read = _plain_reader(reference, compile_value, by_name)
    if reference.alternate is None:
        return read
    instead = compile_value(reference.alternate)

    def read_or_alternate(rendering: Rendering) -> Any:
        value = read(rendering)
        return value if is_filled(value) else instead(rendering)

    return read_or_alternate


def _plain_reader(reference: Reference, compile_value: Compile, by_name: frozenset[str]) -> Read:
    root, steps = reference.root, reference.steps
    if root in by_name:
        read = _parameter_reader(root)
        return _chain(read, [compile_step(step, compile_value) for step in steps]) if steps else read
    if not steps:
        return lambda rendering: rendering.variables.get(root)
    first = steps[0]
    if isinstance(first, Property):
        read, rest = _property_reader(root, first.name), steps[1:]
    else:
        take, rest = compile_step(first, compile_value), steps[1:]
        read = _step_reader(root, take)
    return _chain(read, [compile_step(step, compile_value) for step in rest]) if rest else read


def _parameter_reader(name: str) -> Read:
    def read(rendering: Rendering) -> Any:
        value = rendering.variables.get(name)
        return value.value(rendering) if type(value) is ByName else value

    return read


def _step_reader(root: str, take: _Take) -> Read:
    return lambda rendering: take(rendering, rendering.variables.get(root))


def _property_reader(root: str, name: str) -> Read:
    take = _compile_property(name)
    from_scope = PROPERTIES[Scope].get(name)

    def read(rendering: Rendering) -> Any:
        value = rendering.variables.get(root)
        if type(value) is dict:
            return value.get(name)
        if type(value) is Scope and from_scope is not None:
            return from_scope(value)
        return take(rendering, value)

    return read


def _chain(read: Read, takes: list[_Take]) -> Read:
    if len(takes) == 1:
        take = takes[0]
        return lambda rendering: take(rendering, read(rendering))

    def read_all(rendering: Rendering) -> Any:
        value = read(rendering)
        for take in takes:
            if value is None:
                return None
            value = take(rendering, value)
        return value

    return read_all


def compile_step(step: Step, compile_value: Compile) -> _Take:
    """Compile one step of a reference."""
    if isinstance(step, Property):
        return _compile_property(step.name)
    if isinstance(step, Method):
        return _compile_method(step, compile_value)
    return _compile_index(step, compile_value)


def _compile_property(name: str) -> _Take:
    readers = {kind: table[name] for kind, table in PROPERTIES.items() if name in table}

    def take(_rendering: Rendering, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return value.get(name)
        if (read := readers.get(kind)) is not None:
            return read(value)
        return value.get(name) if isinstance(value, Host) else None

    return take


def _compile_method(step: Method, compile_value: Compile) -> _Take:
    key = (step.name, len(step.arguments))
    table = {kind: methods[key] for kind, methods in METHODS.items() if key in methods}
    arguments = [compile_value(argument) for argument in step.arguments]
    only = arguments[0] if len(arguments) == 1 else None
    at = step.at

    def take(rendering: Rendering, value: Any) -> Any:
        call = table.get(type(value))
        if call is None:
            call = value.METHODS.get(key) if isinstance(value, Host) else None
            if call is None:
                return None
        try:
            if only is not None:
                return call(rendering, value, only(rendering))
            return call(rendering, value, *[argument(rendering) for argument in arguments])
        except NoSuchMethod:
            return None
        except UnicodeEncodeError as unpaired:  # half a surrogate pair, which JSON and headers may smuggle in
            raise TemplateError(f"{key[0]}() got text that is not Unicode", at) from unpaired
        except TemplateError as error:
            raise placed(error, at) from error

    return take


def placed(error: TemplateError, at: Position) -> TemplateError:
    """Give an error a place, if it has none."""
    return error if error.at is not None else TemplateError(error.message, at)


def _compile_index(step: Index, compile_value: Compile) -> _Take:
    compiled = compile_value(step.key)
    at = step.at

    def take(rendering: Rendering, value: Any) -> Any:
        key = compiled(rendering)
        kind = type(value)
        if kind is dict:
            return value.get(key_of(key))
        if kind is list or kind is JavaList:
            return value[_position(value, key, at)] if type(key) is int else None
        return value.get(key) if isinstance(value, Host) and type(key) is str else None

    return take


def _position(items: list[Any], index: int, at: Position) -> int:
    position = index + len(items) if index < 0 else index  # negative ones count from the end
    if not 0 <= position < len(items):
        raise TemplateError(f"index {index} is outside a list of {len(items)} items", at)
    return position


# Printing


def compile_printer(reference: Reference, read: Read, by_name: frozenset[str], *, is_quiet: bool) -> Print:
    """Compile the printing of a reference: its value, or its own text (nothing, if quiet) when it is null.

    An odd number of backslashes escapes it: half of them and its own text are printed if it has a value, all of
    them if it has none. An even number prints half of them and the value.
    """
    literal = reference.literal
    is_quiet = is_quiet or reference.is_quiet
    if reference.slashes:
        return _escaped_printer(reference, read, is_quiet=is_quiet)
    null = "" if is_quiet else literal
    if reference.root in by_name and null == "$" + reference.root:
        return _parameter_printer(reference.root, read, null)

    if not reference.steps and reference.alternate is None and reference.root not in by_name:
        return _name_printer(reference.root, null)
    if reference.alternate is None and reference.root not in by_name and len(reference.steps) == 1:
        step = reference.steps[0]
        if isinstance(step, Property):
            return _property_printer(reference.root, step.name, null)

    def show(rendering: Rendering) -> str:
        value = read(rendering)
        if type(value) is str:
            return value
        return null if value is None else text_of(rendering, value)

    return show


def _name_printer(root: str, null: str) -> Print:
    """Print `$name`: the reading in the same function, since most references are like this or the next."""

    def show(rendering: Rendering) -> str:
        value = rendering.variables.get(root)
        if type(value) is str:
            return value
        return null if value is None else text_of(rendering, value)

    return show


def _property_printer(root: str, name: str, null: str) -> Print:
    """Print `$name.property`."""
    take = _compile_property(name)

    def show(rendering: Rendering) -> str:
        owner = rendering.variables.get(root)
        value = owner.get(name) if type(owner) is dict else take(rendering, owner)
        if type(value) is str:
            return value
        return null if value is None else text_of(rendering, value)

    return show


def _escaped_printer(reference: Reference, read: Read, *, is_quiet: bool) -> Print:
    half = "\\" * (reference.slashes // 2)
    literal = reference.literal
    if reference.slashes % 2:
        return lambda rendering: half + ("\\" if read(rendering) is None else "") + literal
    null = half + half + ("" if is_quiet else literal)

    def show(rendering: Rendering) -> str:
        value = read(rendering)
        return null if value is None else half + text_of(rendering, value)

    return show


def _parameter_printer(root: str, read: Read, null: str) -> Print:
    """Print a macro's parameter: when it is null, what the caller wrote."""

    def show(rendering: Rendering) -> str:
        value = read(rendering)
        if value is not None:
            return text_of(rendering, value)
        argument = rendering.variables.get(root)
        return argument.literal if type(argument) is ByName else null

    return show


# Assigning


def compile_assignment(target: Reference, value: Read, compile_value: Compile, by_name: frozenset[str]) -> Run:
    """Compile `#set`. Null is not assigned: the old value stays (Velocity 1.7's directive.set.null.allowed).

    Raises: TemplateError when the target is a method's result.
    """
    root = target.root
    if not target.steps:

        def assign(rendering: Rendering) -> None:
            made = value(rendering)
            if made is not None:
                rendering.variables[root] = made

        return assign
    last = target.steps[-1]
    if isinstance(last, Method):
        raise TemplateError(f"#set cannot assign to {target.literal}: use a name, a property or an index", target.at)
    owner = Reference(root, target.steps[:-1], "", target.at)
    read = compile_reader(owner, compile_value, by_name)
    key = compile_value(last.key) if isinstance(last, Index) else None
    name = last.name if isinstance(last, Property) else ""
    at = target.at

    def assign_part(rendering: Rendering) -> None:
        made = value(rendering)
        if made is None:
            return
        try:
            _put(rendering, read(rendering), name if key is None else key(rendering), made, at)
        except TemplateError as error:
            raise placed(error, at) from error

    return assign_part


def _put(rendering: Rendering, owner: Any, key: Any, value: Any, at: Position) -> None:
    kind = type(owner)
    if kind is dict:
        rendering.check_items(len(owner) + 1)
        owner[key_of(key)] = value
    elif (kind is list or kind is JavaList) and type(key) is int:
        owner[_position(owner, key, at)] = value
    elif isinstance(owner, Host) and type(key) is str:
        owner.put(key, value)
    # Velocity only logs it when there is nothing to assign to.
