"""DynamoDB's expressions, text to tree: conditions (also filters and key conditions), projections, updates.

A hand-written lexer and a recursive descent that is bounded by the expression's 4 KB, by 300 operators and by
a nesting of 100 parentheses, so that no text can exhaust the stack.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
and Expressions.UpdateExpressions.html. The words of the errors are AWS's as seen in its answers (unverified).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gatepost.languages.item_expressions_tree import (
    IN_OPERANDS_MAX,
    MAX_BYTES,
    MAX_OPERATORS,
    Action,
    And,
    Arithmetic,
    Between,
    Comparison,
    ExpressionError,
    Function,
    In,
    Node,
    Not,
    Or,
    Path,
    ValueRef,
)
from gatepost.languages.item_expressions_words import RESERVED_WORDS

NESTING_MAX: Final = 100
CONDITION_FUNCTIONS: Final = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"}
)
OPERAND_FUNCTIONS: Final = frozenset({"size"})
UPDATE_FUNCTIONS: Final = frozenset({"if_not_exists", "list_append"})
FUNCTIONS: Final = CONDITION_FUNCTIONS | OPERAND_FUNCTIONS | UPDATE_FUNCTIONS
COMPARATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
CLAUSES: Final = ("SET", "REMOVE", "ADD", "DELETE")

_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<placeholder>\#[A-Za-z0-9_]+)"
    r"|(?P<value>:[A-Za-z0-9_]+)"
    r"|(?P<number>[0-9]+)"
    r"|(?P<symbol><>|<=|>=|[=<>()\[\],.+-])"
    r"|(?P<bad>.)",
    re.ASCII | re.DOTALL,
)
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
END: Final = "<EOF>"


class Token(NamedTuple):
    """A piece of an expression: its kind, its text and where it starts and ends."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Cut an expression into tokens, the last of which is the end. Raises: ExpressionError."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ExpressionError(f"Expression size has exceeded the maximum allowed size; expression size: {size}")
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "bad"
        if kind != "space":
            tokens.append(Token(kind, match.group(), match.start(), match.end()))
    if not tokens:
        raise ExpressionError("The expression can not be empty;")
    tokens.append(Token("end", END, len(text), len(text)))
    for position, token in enumerate(tokens):
        if token.kind == "bad":
            raise ExpressionError(_syntax_error(text, tokens, position))
    return tokens


def _syntax_error(text: str, tokens: list[Token], position: int) -> str:
    first = tokens[max(position - 1, 0)]
    last = tokens[min(position + 1, len(tokens) - 1)]
    near = text[first.start : last.end].strip()
    return f'Syntax error; token: "{tokens[position].text}", near: "{near}"'


class Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._position = 0
        self._operators = 0
        self._nesting = 0

    # -- what all expressions share -------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _fail(self) -> ExpressionError:
        return ExpressionError(_syntax_error(self._text, self._tokens, self._position))

    def _take(self, text: str) -> bool:
        """Take the next token if it is this symbol or keyword."""
        token = self._next
        if token.kind == "symbol":
            found = token.text == text
        else:
            found = token.kind == "name" and token.text.upper() == text
        if found:
            self._position += 1
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._fail()

    def end(self) -> None:
        """Check that nothing is left. Raises: ExpressionError."""
        if self._next.kind != "end":
            raise self._fail()

    def require(self, node: Node) -> None:
        """Check that what was read is a condition, not an operand. Raises: ExpressionError."""
        if isinstance(node, Path | ValueRef):
            raise self._fail()

    def _operator(self) -> None:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise ExpressionError(
                f"The expression contains too many operators; maximum number of operators: {MAX_OPERATORS}"
            )

    def path(self) -> Path:
        """Read a document path."""
        parts: list[str | int] = [self._name()]
        while True:
            if self._take("."):
                parts.append(self._name())
            elif self._take("["):
                parts.append(self._list_index())
            else:
                return Path(tuple(parts))

    def _name(self) -> str:
        token = self._next
        if token.kind not in {"name", "placeholder"} or (token.kind == "name" and token.text.upper() in _KEYWORDS):
            raise self._fail()
        self._position += 1
        if token.kind == "name" and token.text.upper() in RESERVED_WORDS:
            raise ExpressionError(f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        return token.text

    def _list_index(self) -> int:
        token = self._next
        if token.kind != "number":
            raise self._fail()
        self._position += 1
        self._expect("]")
        if len(token.text) > 9:
            raise ExpressionError(f"List index is not within the allowable range; index: [{token.text}]")
        return int(token.text)

    def _function(self) -> Function | None:
        """Read a function call, if the next two tokens start one."""
        token = self._next
        following = self._tokens[min(self._position + 1, len(self._tokens) - 1)]
        if token.kind != "name" or following.text != "(" or token.text.upper() in _KEYWORDS:
            return None
        if token.text not in FUNCTIONS:
            raise ExpressionError(f"Invalid function name; function: {token.text}")
        self._position += 2
        self._nest()
        operands: list[Node] = [self.operand()]
        while self._take(","):
            operands.append(self.operand())
        self._expect(")")
        self._nesting -= 1
        return Function(token.text, tuple(operands))

    def _nest(self) -> None:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise ExpressionError(f"The expression is nested too deeply; maximum nesting: {NESTING_MAX}")

    def operand(self) -> Node:
        """Read a path, a value or a function call."""
        token = self._next
        if token.kind == "value":
            self._position += 1
            return ValueRef(token.text)
        return self._function() or self.path()

    # -- conditions -----------------------------------------------------------------------------------

    def condition(self) -> Node:
        """Read conditions joined by OR, which binds least."""
        conditions = [self._all_of()]
        while self._take("OR"):
            self._operator()
            self.require(conditions[-1])
            conditions.append(self._all_of())
            self.require(conditions[-1])
        return conditions[0] if len(conditions) == 1 else Or(tuple(conditions))

    def _all_of(self) -> Node:
        conditions = [self._negated()]
        while self._take("AND"):
            self._operator()
            self.require(conditions[-1])
            conditions.append(self._negated())
            self.require(conditions[-1])
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def _negated(self) -> Node:
        negations = 0
        while self._take("NOT"):
            self._operator()
            negations += 1
        condition = self._comparison()
        if negations:
            self.require(condition)
        for _ in range(negations):
            condition = Not(condition)
        return condition

    def _comparison(self) -> Node:
        """Read one condition, a condition in parentheses, or an operand in parentheses for the caller."""
        if self._take("("):
            left = self._in_parentheses()
            if isinstance(left, And | Or | Not | Comparison | Between | In):
                return left
        else:
            left = self.operand()
        token = self._next
        if token.kind == "symbol" and token.text in COMPARATORS:
            self._position += 1
            self._operator()
            return Comparison(token.text, left, self._right())
        if self._take("BETWEEN"):
            self._operator()
            low = self._right()
            self._expect("AND")
            return Between(left, low, self._right())
        if self._take("IN"):
            self._operator()
            return In(left, self._options())
        return left

    def _right(self) -> Node:
        if self._take("("):
            self._nest()
            operand = self._right()
            self._expect(")")
            self._nesting -= 1
            return operand
        return self.operand()

    def _in_parentheses(self) -> Node:
        self._nest()
        doubled = self._next.text == "("
        opened = self._position
        inner = self.condition()
        self._expect(")")
        self._nesting -= 1
        if doubled and self._closes(opened) == self._position - 2:
            raise ExpressionError("The expression has redundant parentheses;")
        return inner

    def _closes(self, opened: int) -> int:
        """Find the token that closes the parenthesis at `opened`."""
        depth = 0
        for position in range(opened, len(self._tokens)):
            text = self._tokens[position].text
            depth += (text == "(") - (text == ")")
            if depth == 0:
                return position
        return -1

    def _options(self) -> tuple[Node, ...]:
        self._expect("(")
        options = [self.operand()]
        while self._take(","):
            options.append(self.operand())
        self._expect(")")
        if len(options) > IN_OPERANDS_MAX:
            raise ExpressionError(
                f"Too many operands for the IN operator; number of operands: {len(options)}, "
                f"maximum number of operands: {IN_OPERANDS_MAX}"
            )
        return tuple(options)

    # -- updates --------------------------------------------------------------------------------------

    def actions(self) -> list[Action]:
        """Read the clauses of an update expression."""
        actions: list[Action] = []
        seen: set[str] = set()
        while self._next.kind != "end":
            clause = next((clause for clause in CLAUSES if self._take(clause)), None)
            if clause is None:
                raise self._fail()
            if clause in seen:
                raise ExpressionError(f'The "{clause}" section can only be used once in an update expression;')
            seen.add(clause)
            actions.append(self._action(clause))
            while self._take(","):
                actions.append(self._action(clause))
        return actions

    def _action(self, clause: str) -> Action:
        path = self.path()
        if clause == "REMOVE":
            return Action(clause, path, None)
        if clause == "SET":
            self._expect("=")
            return Action(clause, path, self._sum())
        token = self._next
        if token.kind != "value":
            raise self._fail()
        self._operator()
        self._position += 1
        return Action(clause, path, ValueRef(token.text))

    def _sum(self) -> Node:
        left = self._term()
        for operator in ("+", "-"):
            if self._take(operator):
                self._operator()
                return Arithmetic(operator, left, self._term())
        return left

    def _term(self) -> Node:
        if self._take("("):
            self._nest()
            inner = self._sum()
            self._expect(")")
            self._nesting -= 1
            return inner
        return self.operand()

    # -- projections ----------------------------------------------------------------------------------

    def paths(self) -> list[Path]:
        """Read document paths with commas between them."""
        paths = [self.path()]
        while self._take(","):
            paths.append(self.path())
        return paths


def parse_condition(text: str) -> Node:
    """Parse a condition, filter or key condition expression. Raises: ExpressionError."""
    parser = Parser(text)
    node = parser.condition()
    parser.require(node)
    parser.end()
    return node


def parse_projection(text: str) -> list[Path]:
    """Parse a projection expression. Raises: ExpressionError."""
    parser = Parser(text)
    paths = parser.paths()
    parser.end()
    return paths


def parse_update(text: str) -> list[Action]:
    """Parse an update expression. Raises: ExpressionError."""
    return Parser(text).actions()
