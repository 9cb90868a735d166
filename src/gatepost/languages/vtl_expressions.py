"""The parser of references and expressions: what stands behind a `$` and between a directive's parentheses.

Operators climb by precedence (`||` `&&`, equality, order, `+ -`, `* / %`), so depth costs little stack. Two things
are taken more widely than Velocity 1.7 does, so that templates for Velocity 2 work: expressions may stand wherever
a value may (1.7 wants plain values as arguments, and in lists and maps), and `${name|alternate}`
(https://velocity.apache.org/engine/2.3/user-guide.html, "Alternate Values").
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.languages.vtl_lexer import (
    FLOAT,
    INTEGER,
    INTEGER_DIGITS_MAX,
    NEGATION,
    OPERATOR,
    PRECEDENCE,
    PROPERTY,
    REFERENCE,
    STRING,
    SYMBOLS,
    UNICODE_ESCAPE,
    WORD,
    Source,
    skip_blank,
)
from gatepost.languages.vtl_tree import (
    Binary,
    Constant,
    Expression,
    Index,
    Interpolated,
    ListLiteral,
    MapLiteral,
    Method,
    Node,
    Not,
    Position,
    Property,
    Range,
    Reference,
    Step,
)

DEPTH_MAX = 60
"""How deep blocks, brackets and strings may be nested in each other: a bound of ours."""


def _unescaped(text: str) -> str:
    """Put characters in the place of Unicode escapes; two of them may be one character, as in Java."""
    if UNICODE_ESCAPE.search(text) is None:
        return text
    text = UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _dotted(root: str, steps: Sequence[Step]) -> str:
    """Give the name that a reference reads: its root and the properties after it, as far as they are fixed."""
    parts = [root]
    for step in steps:
        if isinstance(step, Property):
            parts.append(step.name)
        elif isinstance(step, Index) and isinstance(step.key, Constant) and isinstance(step.key.value, str):
            parts.append(step.key.value)
        else:
            break
    return ".".join(parts)


class ExpressionParser:
    """Reads expressions from `source`; `offset` is how far it has read."""

    def __init__(self, source: Source, depth: int, names: set[str]) -> None:
        self.source = source
        self.text = source.text
        self.offset = 0
        self.depth = depth
        self.names = names

    def enter(self) -> None:
        """Go one level deeper. Raises: TemplateError."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self.source.fail(self.offset, f"nested deeper than {DEPTH_MAX} levels: split it with #set or #macro")

    def leave(self) -> None:
        """Come back from a level."""
        self.depth -= 1

    def at(self) -> Position:
        """Say where it reads now."""
        return self.source.position(self.offset)

    def skip(self) -> None:
        """Pass over blanks."""
        self.offset = skip_blank(self.text, self.offset)

    def takes(self, character: str) -> bool:
        """Pass over `character` if it stands here, blanks before it included."""
        here = skip_blank(self.text, self.offset)
        if not self.text.startswith(character, here):
            return False
        self.offset = here + len(character)
        return True

    def expect(self, character: str, what: str) -> None:
        """Pass over `character`. Raises: TemplateError."""
        if not self.takes(character):
            self.skip()
            self.source.fail(self.offset, f"{what} needs {character!r} here, not {self.source.excerpt(self.offset)}")

    # Expressions

    def expression(self, binding: int = 1) -> Expression:
        """Read an expression whose operators bind at least as tightly as `binding`. Raises: TemplateError."""
        self.enter()
        left = self._unary()
        while True:
            self.skip()
            found = OPERATOR.match(self.text, self.offset)
            if found is None:
                break
            operator = SYMBOLS.get(found[0], found[0])
            if PRECEDENCE[operator] < binding:
                break
            at = self.at()
            self.offset = found.end()
            left = Binary(operator, left, self.expression(PRECEDENCE[operator] + 1), at)
        self.leave()
        return left

    def _unary(self) -> Expression:
        self.skip()
        found = NEGATION.match(self.text, self.offset)
        if found is None:
            return self.primary()
        self.offset = found.end()
        self.enter()
        operand = self._unary()
        self.leave()
        return Not(operand)

    def primary(self) -> Expression:
        """Read a value: a literal, a reference or an expression in parentheses. Raises: TemplateError."""
        self.skip()
        first = self.text[self.offset : self.offset + 1]
        if first == "$":
            return self._value_reference()
        if first in {'"', "'"}:
            return self.string()
        if first == "[":
            return self._list_or_range()
        if first == "{":
            return self._map()
        if first == "(":
            self.offset += 1
            inner = self.expression()
            self.expect(")", "an expression in parentheses")
            return inner
        return self._number_or_word()

    def _value_reference(self) -> Expression:
        found = REFERENCE.match(self.text, self.offset)
        if found is None:
            self.source.fail(self.offset, f"{self.source.excerpt(self.offset)} is not a reference: use $name")
        return self.reference(0)

    def _number_or_word(self) -> Expression:
        found = FLOAT.match(self.text, self.offset)
        if found is not None:
            self.offset = found.end()
            return Constant(float(found[0]))
        found = INTEGER.match(self.text, self.offset)
        if found is not None:
            if len(found[0]) > INTEGER_DIGITS_MAX:
                self.source.fail(self.offset, f"a number of more than {INTEGER_DIGITS_MAX} digits")
            self.offset = found.end()
            return Constant(int(found[0]))
        found = WORD.match(self.text, self.offset)
        if found is not None and found[0] in {"true", "false"}:
            self.offset = found.end()
            return Constant(found[0] == "true")
        hint = "a string in quotes, a number, true, false, [list], {map} or $reference"
        if found is not None and found[0] == "null":
            hint = "a name that is not set, such as $null: VTL has no word for null"
        return self.source.fail(self.offset, f"{self.source.excerpt(self.offset)} is not a value: use {hint}")

    def string(self) -> Expression:
        """Read a string in quotes. Raises: TemplateError."""
        found = STRING.match(self.text, self.offset)
        if found is None:
            self.source.fail(self.offset, "a string that does not end: close it with the quote that opens it")
        begin = self.offset
        self.offset = found.end()
        content = found[0][1:-1]
        if found[0][0] == "'":
            return Constant(content.replace("''", "'"))
        content = _unescaped(content.replace('""', '"'))
        if "$" not in content and "#" not in content:
            return Constant(content)
        self.enter()
        nodes = self.template_in(Source(content, self.source.position(begin + 1)))
        self.leave()
        return Interpolated(nodes)

    def template_in(self, source: Source) -> tuple[Node, ...]:
        """Parse the content of a string as a template."""
        raise NotImplementedError

    def _list_or_range(self) -> Expression:
        at = self.at()
        self.offset += 1
        if self.takes("]"):
            return ListLiteral(())
        items = [self.expression()]
        if self.takes(".."):
            last = self.expression()
            self.expect("]", "a range")
            return Range(items[0], last, at)
        while self.takes(","):
            items.append(self.expression())
        self.expect("]", "a list, after ',' and another value,")
        return ListLiteral(tuple(items))

    def _map(self) -> Expression:
        at = self.at()
        self.offset += 1
        if self.takes("}"):
            return MapLiteral((), at)
        items = []
        while True:
            key = self.expression()
            self.expect(":", "a map, between key and value,")
            items.append((key, self.expression()))
            if not self.takes(","):
                break
        self.expect("}", "a map")
        return MapLiteral(tuple(items), at)

    # References

    def reference(self, slashes: int) -> Reference:
        """Read a reference that stands here. Raises: TemplateError."""
        begin = self.offset
        at = self.at()
        found = REFERENCE.match(self.text, begin)
        if found is None:
            self.source.fail(begin, "a reference is $name")
        quiet, curly, root = found.groups()
        self.offset = found.end()
        self.enter()
        steps = self._steps()
        alternate = None
        if curly:
            if self.text.startswith("|", self.offset):
                self.offset += 1
                alternate = self.primary()
                self.skip()
            if not self.text.startswith("}", self.offset):
                self.source.fail(self.offset, f"${{{root} needs '}}' here, not {self.source.excerpt(self.offset)}")
            self.offset += 1
        self.leave()
        self.names.add(_dotted(root, steps))
        return Reference(
            root,
            steps,
            self.text[begin : self.offset],
            at,
            is_quiet=bool(quiet),
            slashes=slashes,
            alternate=alternate,
        )

    def _steps(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        while True:
            if self.text.startswith("[", self.offset):
                at = self.at()
                self.offset += 1
                steps.append(Index(self.expression(), at))
                self.expect("]", "an index")
                continue
            found = PROPERTY.match(self.text, self.offset)
            if found is None:
                return tuple(steps)
            at = self.at()
            self.offset = found.end()
            if found[2] is None:
                steps.append(Property(found[1]))
            else:
                steps.append(Method(found[1], self._arguments(found[1]), at))

    def _arguments(self, method: str) -> tuple[Expression, ...]:
        if self.takes(")"):
            return ()
        arguments = [self.expression()]
        while self.takes(","):
            arguments.append(self.expression())
        self.expect(")", f"{method}(…), after ',' and another argument,")
        return tuple(arguments)
