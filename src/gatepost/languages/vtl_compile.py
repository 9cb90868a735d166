"""Velocity templates, ready to render: the tree compiled once into Python closures.

No code is generated: each node becomes a function that holds the functions of its children. Text and the
references after it are printed by one loop over pairs, since most of a template is that. A rendering pays a step for
each node of a loop's body each time around; what is not in a loop is bounded by the template's size.

Two dialects: API Gateway's (Velocity 1.7, but null references print nothing: `vtl_api_gateway` says why) and AppSync's
(`#return`; https://docs.aws.amazon.com/appsync/latest/devguide/aws-appsync-directives.html).
Velocity's own engine is the reference for everything else: https://velocity.apache.org/engine/1.7/user-guide.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeGuard

from gatepost.languages.vtl_blocks import (
    Broken,
    Loop,
    MacroRun,
    Returned,
    Stopped,
    print_run,
    run_all,
    run_nested,
    stop,
    text_of_block,
    text_of_pairs,
)
from gatepost.languages.vtl_lists import JavaList
from gatepost.languages.vtl_parser import parse_template
from gatepost.languages.vtl_references import (
    Print,
    Read,
    Run,
    compile_assignment,
    compile_printer,
    compile_reader,
)
from gatepost.languages.vtl_tree import (
    Binary,
    Break,
    Constant,
    Define,
    Evaluate,
    Expression,
    Foreach,
    If,
    Interpolated,
    ListLiteral,
    Macro,
    MacroCall,
    MapLiteral,
    Node,
    Not,
    Range,
    Reference,
    Return,
    Set,
    Stop,
    TemplateError,
    Text,
    Tree,
)
from gatepost.languages.vtl_values import (
    DEFAULT_LIMITS,
    Deferred,
    Limits,
    Rendering,
    Scope,
    calculate,
    equal,
    key_of,
    text_of,
)

SHORT_CHARACTERS: Final = 255
STEPS_PER_CHARACTER: Final = 4  # of a text that #evaluate compiles


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service's templates differ from Velocity: whether `#return` exists, whether null prints nothing."""

    has_return: bool = False
    is_quiet: bool = False


VELOCITY: Final = Dialect()
API_GATEWAY: Final = Dialect(is_quiet=True)
APPSYNC: Final = Dialect(has_return=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rendering gave: its text, and the value of the `#return` that ended it, if one did."""

    text: str
    is_returned: bool = False
    value: Any = None


class Template:
    """A compiled template. It keeps nothing between renderings.

    `names` are the references in it, as far as they are fixed: `context.identity.sourceIp`. `constant` is what it
    always gives, if it is text alone, else None. `leading` is the text that it always begins with.
    """

    __slots__ = ("_limits", "_roots", "_run", "constant", "leading", "names")

    def __init__(
        self,
        run: Run,
        limits: Limits,
        names: frozenset[str],
        constant: str | None,
        *,
        leading: str = "",
        has_evaluate: bool = False,
    ) -> None:
        self._run = run
        self.leading = leading
        self.names = names
        self.constant = constant
        self._limits = limits
        self._roots = None if has_evaluate else frozenset(name.partition(".")[0] for name in names)

    def uses(self, root: str) -> bool:
        """Say whether it may ask for the variable `root`: a text that #evaluate compiles may ask for any."""
        return self._roots is None or root in self._roots

    def render(self, variables: Mapping[str, Any]) -> str:
        """Render with these variables, which are left as they are (maps and lists in them may be changed).

        Raises: TemplateError when the template fails or spends more than its limits.
        """
        return self.render_in(dict(variables))

    def render_in(self, variables: dict[str, Any]) -> str:
        """Render as `render` does, in these variables themselves: they are whoever calls' own, and are changed."""
        parts: list[str] = []
        try:
            self._run(Rendering(variables, parts.append, self._limits))
        except (Stopped, Broken, Returned):
            pass
        except RecursionError as error:
            raise _too_deep() from error
        return "".join(parts)

    def evaluate(self, variables: Mapping[str, Any]) -> Outcome:
        """Render, and say whether and what `#return` gave. Raises: TemplateError."""
        parts: list[str] = []
        try:
            self._run(Rendering(dict(variables), parts.append, self._limits))
        except (Stopped, Broken):
            pass
        except Returned as returned:
            return Outcome("".join(parts), is_returned=True, value=returned.value)
        except RecursionError as error:
            raise _too_deep() from error
        return Outcome("".join(parts))


def _too_deep() -> TemplateError:
    return TemplateError("the template is nested too deeply: macros and blocks call each other")


def compile_template(text: str, *, dialect: Dialect = VELOCITY, limits: Limits = DEFAULT_LIMITS) -> Template:
    """Compile a template. Raises: TemplateError with line and column."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > limits.template_bytes_max:
        raise TemplateError(f"the template has more than {limits.template_bytes_max} bytes")
    text = encoded.decode()  # without what is no character
    try:
        tree = parse_template(text, has_return=dialect.has_return)
        texts = [node.text for node in tree.nodes if isinstance(node, Text)]
        constant = "".join(texts) if len(texts) == len(tree.nodes) else None
        leading = tree.nodes[0].text if tree.nodes and isinstance(tree.nodes[0], Text) else ""
        program = _Compiler(tree, dialect).program()
        return Template(program, limits, tree.names, constant, leading=leading, has_evaluate=tree.has_evaluate)
    except RecursionError as error:
        raise TemplateError("the template is nested too deeply") from error


@dataclass(frozen=True, slots=True)
class _Macros:
    """The macros of a template by name: their trees, and, once compiled, their bodies and what those cost."""

    by_name: Mapping[str, Macro]
    bodies: dict[str, Run]
    weights: dict[str, int]


class _Compiler:
    """Compiles one tree, and the texts that its #evaluate directives make when it is rendered."""

    def __init__(self, tree: Tree, dialect: Dialect, outer: _Macros | None = None) -> None:
        self._tree = tree
        self._dialect = dialect
        self._macros = outer or _Macros(tree.macros, {}, {})
        parameters = {name for macro in self._macros.by_name.values() for name in macro.parameters}
        self._by_name = frozenset(parameters | ({"bodyContent"} if self._macros.by_name else set()))
        self._weight = 0
        roots = {name.partition(".")[0] for name in tree.names}
        used = roots if not tree.has_evaluate and outer is None else None
        self._has_scope = used is None or "foreach" in used
        self._has_counter = used is None or bool({"velocityCount", "velocityHasNext"} & used)
        self._statements: dict[type, Callable[[Any], Run]] = {
            Set: self._set,
            If: self._if,
            Foreach: self._foreach,
            Break: self._break,
            Stop: lambda _node: stop,
            Return: self._return,
            Define: self._define,
            Evaluate: self._evaluate,
            MacroCall: self._call,
        }
        self._expressions: dict[type, Callable[[Any], Read]] = {
            Constant: lambda node: _constant(node.value),
            Interpolated: self._interpolated,
            ListLiteral: self._list,
            MapLiteral: self._map,
            Range: self._range,
            Not: self._not,
            Binary: self._binary,
            Reference: self._reference,
        }

    def program(self) -> Run:
        """Compile the whole tree."""
        for name, macro in self._tree.macros.items():
            self._macros.bodies[name], self._macros.weights[name] = self._weighed(macro.body)
        return self._block(self._tree.nodes)

    # Blocks

    def _weighed(self, nodes: Sequence[Node]) -> tuple[Run, int]:
        """Compile a block and say how many steps it costs."""
        before, self._weight = self._weight, 0
        run = self._block(nodes)
        weight, self._weight = self._weight, self._weight + before
        return run, weight + 1

    def _block(self, nodes: Sequence[Node]) -> Run:
        runs: list[Run] = []
        printed: list[Printed] = []
        for node in nodes:
            if _is_printed(node):
                printed.append(node)
                continue
            if printed:
                runs.append(print_run(self._pairs(printed)))
                printed = []
            self._weight += 1
            runs.append(self._statements[type(node)](node))
        if printed:
            runs.append(print_run(self._pairs(printed)))
        if len(runs) == 1:
            return runs[0]
        return partial(run_all, tuple(runs))

    def _pairs(self, nodes: Sequence[Printed]) -> list[tuple[str, Print | None]]:
        pairs: list[tuple[str, Print | None]] = []
        before: list[str] = []
        for node in nodes:
            if isinstance(node, Text):
                before.append(node.text)
            else:
                pairs.append(("".join(before), self._printer(node)))
                before = []
        if before or not pairs:
            pairs.append(("".join(before), None))
        return pairs

    def _printer(self, node: Reference | If) -> Print:
        if isinstance(node, If):
            return self._choice(node)
        return compile_printer(node, self._reference(node), self._by_name, is_quiet=self._dialect.is_quiet)

    def _choice(self, node: If) -> Print:
        """Compile an #if that only chooses between texts and references: it is printed like them."""
        self._weight += 1
        branches = [(self._condition(condition), self._short(body)) for condition, body in node.branches]
        otherwise = self._short(node.otherwise)
        if len(branches) == 1:
            condition, then = branches[0]
            return lambda rendering: (then if condition(rendering) else otherwise)(rendering)

        def show(rendering: Rendering) -> str:
            for condition, then in branches:
                if condition(rendering):
                    return then(rendering)
            return otherwise(rendering)

        return show

    def _short(self, nodes: Sequence[Node]) -> Print:
        """Compile a block of texts with at most one reference at its end, to one string."""
        text = "".join(node.text for node in nodes if isinstance(node, Text))
        last = nodes[-1] if nodes else None
        if not isinstance(last, Reference):
            return _constant(text)
        show = self._printer(last)
        return (lambda rendering: text + show(rendering)) if text else show

    # Statements

    def _set(self, node: Set) -> Run:
        return compile_assignment(node.target, self._value(node.value), self._value, self._by_name)

    def _if(self, node: If) -> Run:
        branches = tuple((self._condition(condition), self._block(body)) for condition, body in node.branches)
        otherwise = self._block(node.otherwise) if node.otherwise else None
        if len(branches) == 1:
            (condition, body) = branches[0]

            def run_one(rendering: Rendering) -> None:
                if condition(rendering):
                    body(rendering)
                elif otherwise is not None:
                    otherwise(rendering)

            return run_one

        def run(rendering: Rendering) -> None:
            for condition, body in branches:
                if condition(rendering):
                    body(rendering)
                    return
            if otherwise is not None:
                otherwise(rendering)

        return run

    def _foreach(self, node: Foreach) -> Run:
        iterable = self._value(node.iterable)
        body, weight = self._weighed(node.body)
        loop = Loop(node, body, weight, has_scope=self._has_scope, has_counter=self._has_counter)
        return lambda rendering: loop.run(rendering, iterable(rendering))

    def _break(self, node: Break) -> Run:
        scope = self._value(node.scope) if node.scope is not None else None

        def run(rendering: Rendering) -> None:
            wanted = scope(rendering) if scope is not None else None
            if scope is not None and type(wanted) is not Scope:
                raise TemplateError("#break needs nothing, or a loop such as $foreach.parent", node.at)
            raise Broken(wanted)

        return run

    def _return(self, node: Return) -> Run:
        value = self._value(node.value) if node.value is not None else None

        def run(rendering: Rendering) -> None:
            raise Returned(value(rendering) if value is not None else None)

        return run

    def _define(self, node: Define) -> Run:
        body, weight = self._weighed(node.body)

        def run_body(rendering: Rendering) -> None:
            rendering.charge(weight)
            try:
                body(rendering)
            except Broken as broken:
                if broken.scope is not None:
                    raise

        def run(rendering: Rendering) -> None:
            rendering.variables[node.name] = Deferred(run_body)

        return run

    def _evaluate(self, node: Evaluate) -> Run:
        value = self._value(node.text)

        def run(rendering: Rendering) -> None:
            text = value(rendering)
            if text is None:
                return
            if type(text) is not str:
                text = text_of(rendering, text)
            rendering.charge(STEPS_PER_CHARACTER * len(text) + 50)
            try:
                tree = parse_template(text, has_return=self._dialect.has_return, allows_macros=False)
                program = _Compiler(tree, self._dialect, self._macros).program()
            except TemplateError as error:
                raise TemplateError(f"#evaluate: {error}", node.at) from error
            run_nested(rendering, program)

        return run

    # Macros

    def _call(self, node: MacroCall) -> Run:
        macro = self._macros.by_name.get(node.name)
        if macro is None:
            return print_run([(node.literal, None)])
        names = macro.parameters
        if len(node.arguments) > len(names):
            raise TemplateError(f"#{node.name} takes {len(names)} arguments, not {len(node.arguments)}", node.at)
        arguments = []
        for name, argument, literal in zip(names, node.arguments, node.literals, strict=False):
            if isinstance(argument, Reference) and not literal.startswith("$"):
                raise TemplateError(f"#{node.name}: {literal} is not a value: put strings in quotes", node.at)
            arguments.append(
                (name, argument if isinstance(argument, Constant) else None, self._value(argument), literal)
            )
        content = self._weighed(node.body) if node.body is not None else None
        return MacroRun(node, tuple(arguments), content, self._macros.bodies, self._macros.weights).run

    # Expressions

    def _value(self, node: Expression) -> Read:
        self._weight += 1
        return self._expressions[type(node)](node)

    def _reference(self, node: Reference) -> Read:
        self._weight += 1 + len(node.steps)
        return compile_reader(node, self._value, self._by_name)

    def _interpolated(self, node: Interpolated) -> Read:
        printed = [part for part in node.nodes if _is_printed(part)]
        if len(printed) < len(node.nodes):
            return partial(text_of_block, self._block(node.nodes))
        pairs = self._pairs(printed)
        if len(pairs) == 1 and pairs[0][1] is None and len(pairs[0][0]) <= SHORT_CHARACTERS:
            return _constant(pairs[0][0])  # a text without references, which costs no steps
        return partial(text_of_pairs, tuple(pairs))

    def _list(self, node: ListLiteral) -> Read:
        items = tuple(self._value(item) for item in node.items)
        return lambda rendering: JavaList([item(rendering) for item in items])

    def _map(self, node: MapLiteral) -> Read:
        items = tuple((self._value(key), self._value(value)) for key, value in node.items)
        return lambda rendering: {key_of(key(rendering)): value(rendering) for key, value in items}

    def _range(self, node: Range) -> Read:
        first, last = self._value(node.first), self._value(node.last)

        def read(rendering: Rendering) -> JavaList | None:
            begin, end = first(rendering), last(rendering)
            if type(begin) is not int or type(end) is not int:
                return None
            rendering.check_items(abs(end - begin) + 1)
            return JavaList(range(begin, end + 1) if begin <= end else range(begin, end - 1, -1))

        return read

    def _not(self, node: Not) -> Read:
        operand = self._condition(node.operand)
        return lambda rendering: not operand(rendering)

    def _binary(self, node: Binary) -> Read:
        operator = node.operator
        if operator in {"&&", "||"}:
            one, other = self._condition(node.left), self._condition(node.right)
            if operator == "&&":
                return lambda rendering: one(rendering) and other(rendering)
            return lambda rendering: one(rendering) or other(rendering)
        left, right = self._value(node.left), self._value(node.right)
        if operator in {"==", "!="}:
            return _equality(left, right, wanted=operator == "==")
        if (compare := _ORDER.get(operator)) is not None:
            return _order(left, right, compare)

        def read(rendering: Rendering) -> Any:
            one, other = left(rendering), right(rendering)
            if operator == "+" and isinstance(node.left, Reference) and one is None and type(other) is str:
                one = node.left.literal
            elif operator == "+" and isinstance(node.right, Reference) and other is None and type(one) is str:
                other = node.right.literal
            try:
                return calculate(rendering, operator, one, other)
            except TemplateError as error:
                raise TemplateError(error.message, node.at) from error

        return read

    def _condition(self, node: Expression) -> Callable[[Rendering], bool]:
        """Compile for truth. Only references, comparisons and booleans can be true (Velocity 1.7)."""
        if isinstance(node, Reference):
            return _truth(self._value(node))
        if isinstance(node, Constant) and isinstance(node.value, bool):
            return _constant(node.value)
        if isinstance(node, Not) or (isinstance(node, Binary) and node.operator not in {"+", "-", "*", "/", "%"}):
            return self._value(node)
        self._value(node)  # it must be well-formed all the same
        return _constant(False)


Printed = Text | Reference | If


def _is_printed(node: Node) -> TypeGuard[Printed]:
    """Say whether a node is printed in one go with those around it: texts, references, and #if between such."""
    if isinstance(node, If):
        blocks = [body for _, body in node.branches] + [node.otherwise]
        return all(
            isinstance(part, Text) or (isinstance(part, Reference) and part is body[-1])
            for body in blocks
            for part in body
        )
    return isinstance(node, (Text, Reference))


def _constant(value: Any) -> Read:
    return lambda _rendering: value


def _truth(read: Read) -> Callable[[Rendering], bool]:
    """Make a condition of a reference: all but null and false count as true (Velocity 1.7)."""

    def test(rendering: Rendering) -> bool:
        value = read(rendering)
        return value is not None and value is not False

    return test


def _equality(left: Read, right: Read, *, wanted: bool) -> Read:
    def read(rendering: Rendering) -> bool:
        one, other = left(rendering), right(rendering)
        if type(one) is str and type(other) is str:
            if len(one) > 4_096:
                rendering.charge(len(one) >> 8)
            return (one == other) is wanted
        return equal(rendering, one, other) is wanted

    return read


_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _order(left: Read, right: Read, compare: Callable[[Any, Any], bool]) -> Read:
    """Compare numbers; anything else is not ordered, and so false."""

    def read(rendering: Rendering) -> bool:
        one, other = left(rendering), right(rendering)
        if type(one) not in {int, float} or type(other) not in {int, float}:
            return False
        return compare(one, other)

    return read
