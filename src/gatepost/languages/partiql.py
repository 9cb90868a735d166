"""PartiQL for DynamoDB, text to `Statement`: SELECT, INSERT, UPDATE, DELETE, and EXISTS inside transactions.

A hand-written lexer and recursive descent, bounded by the statement's 8 KB and a nesting of 100.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from gatepost.languages.item_expressions_tree import (
    And,
    Arithmetic,
    Between,
    Comparison,
    Function,
    In,
    Node,
    Not,
    Or,
    Path,
    ValueRef,
)
from gatepost.languages.item_values import ItemValueError, Value, measure, type_of
from gatepost.languages.partiql_tree import Assignment, Ordering, Statement, StatementError

STATEMENT_BYTES_MAX: Final = 8192
NESTING_MAX: Final = 100
CONDITION_FUNCTIONS: Final = frozenset({"attribute_type", "begins_with", "contains"})
UPDATE_FUNCTIONS: Final = frozenset({"list_append", "set_add", "set_delete"})
COMPARATORS: Final = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
MALFORMED: Final = "Statement wasn't well formed, can't be processed: "
_RETURNING: Final = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}
_KEYWORDS: Final = frozenset(
    {
        *("AND", "ASC", "BETWEEN", "BY", "DELETE", "DESC", "EXISTS", "FALSE", "FROM", "IN", "INSERT", "INTO", "IS"),
        *("MISSING", "NOT", "NULL", "OR", "ORDER", "REMOVE", "RETURNING", "SELECT", "SET", "TRUE", "UPDATE", "VALUE"),
        "WHERE",
    }
)
_TOKEN: Final = re.compile(
    r"(?P<space>\s+|--[^\n]*)"
    r"|(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)"
    r'|(?P<quoted>"(?:[^"]|"")*")'
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<symbol><<|>>|<>|<=|>=|!=|[=<>()\[\]{},.:?*+-])"
    r"|(?P<bad>.)",
    re.ASCII | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a statement. A keyword's or symbol's `text` is in capitals."""

    kind: str
    text: str


def _tokens(text: str) -> list[Token]:
    if len(text.encode("utf-8", "surrogatepass")) > STATEMENT_BYTES_MAX:
        raise StatementError(f"{MALFORMED}it is longer than {STATEMENT_BYTES_MAX} bytes")
    tokens = []
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup or "bad", match.group()
        if kind == "bad":
            raise StatementError(f"{MALFORMED}Unexpected character {found!r}")
        if kind == "name" and found.upper() in _KEYWORDS:
            tokens.append(Token("keyword", found.upper()))
        elif kind in {"quoted", "text"}:
            tokens.append(Token("name" if kind == "quoted" else kind, found[1:-1].replace(found[0] * 2, found[0])))
        elif kind != "space":
            tokens.append(Token(kind, found))
    return [*tokens, Token("end", "the end of the statement")]


def parse(text: str, parameters: Sequence[Value] = ()) -> Statement:
    """Parse one statement, with its parameters put in. Raises: StatementError."""
    try:
        return _Parser(text, parameters).statement()
    except ItemValueError as error:
        raise StatementError(str(error)) from error


class _Parser:
    def __init__(self, text: str, parameters: Sequence[Value]) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._nesting = 0
        self._parameters = list(parameters)
        self._used = 0
        self._names: dict[str, str] = {}
        self._values: dict[str, Value] = {}

    # -- tokens ---------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _fail(self, expected: str) -> StatementError:
        return StatementError(f"{MALFORMED}Expected {expected}, found {self._next.text}")

    def _take(self, text: str) -> bool:
        token = self._next
        found = token.text == text and token.kind in {"keyword", "symbol"}
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._fail(text)

    def _word(self, *words: str) -> str:
        """Take one of words that are no keywords anywhere else."""
        token = self._next
        if token.kind != "name" or token.text.upper() not in words:
            raise self._fail(" or ".join(words))
        self._at += 1
        return token.text.upper()

    def _nest(self) -> None:
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            raise StatementError(f"{MALFORMED}it is nested deeper than {NESTING_MAX} levels")

    # -- statements -----------------------------------------------------------------------------------

    def statement(self) -> Statement:
        """Read the whole text."""
        if self._take("EXISTS"):
            self._expect("(")
            self._expect("SELECT")
            statement = self._select()
            statement.kind = "EXISTS"
            self._expect(")")
        elif self._take("SELECT"):
            statement = self._select()
        elif self._take("INSERT"):
            statement = self._insert()
        elif self._take("UPDATE"):
            statement = self._update()
        elif self._take("DELETE"):
            self._expect("FROM")
            statement = self._placed("DELETE")
            self._where(statement)
            self._returning(statement)
        else:
            raise self._fail("SELECT, INSERT, UPDATE or DELETE")
        if self._next.kind != "end":
            raise self._fail("the end of the statement")
        if self._used != len(self._parameters):
            raise StatementError("Number of parameters in request and statement don't match.")
        statement.names, statement.values = self._names, self._values
        return statement

    def _placed(self, kind: str) -> Statement:
        table = self._name("a table")
        return Statement(kind, table, self._name("an index") if self._take(".") else "")

    def _name(self, what: str) -> str:
        token = self._next
        if token.kind != "name" or not token.text:
            raise self._fail(f"the name of {what}")
        self._at += 1
        return token.text

    def _select(self) -> Statement:
        paths: list[Path] = []
        if not self._take("*"):
            paths.append(self._path())
            while self._take(","):
                paths.append(self._path())
        self._expect("FROM")
        statement = self._placed("SELECT")
        statement.paths = paths
        if self._next == Token("keyword", "WHERE"):
            self._where(statement)
        if self._take("ORDER"):
            self._expect("BY")
            statement.order.append(self._ordering())
            while self._take(","):
                statement.order.append(self._ordering())
        return statement

    def _ordering(self) -> Ordering:
        name = self._name("a key")
        if self._take("DESC"):
            return Ordering(name, is_descending=True)
        self._take("ASC")
        return Ordering(name, is_descending=False)

    def _insert(self) -> Statement:
        self._expect("INTO")
        statement = self._placed("INSERT")
        self._expect("VALUE")
        value = self._literal()
        if value is None or "M" not in value:
            raise self._fail("an item in braces")
        statement.item = value["M"]
        return statement

    def _update(self) -> Statement:
        statement = self._placed("UPDATE")
        while True:
            if self._take("SET"):
                statement.assignments.append(self._assignment())
                while self._take(","):
                    statement.assignments.append(self._assignment())
            elif self._take("REMOVE"):
                statement.assignments.append(Assignment(self._path(), None))
                while self._take(","):
                    statement.assignments.append(Assignment(self._path(), None))
            else:
                break
        if not statement.assignments:
            raise self._fail("SET or REMOVE")
        self._where(statement)
        self._returning(statement)
        return statement

    def _assignment(self) -> Assignment:
        path = self._path()
        self._expect("=")
        left = self._operand(UPDATE_FUNCTIONS)
        for operator in ("+", "-"):
            if self._take(operator):
                return Assignment(path, Arithmetic(operator, left, self._operand(UPDATE_FUNCTIONS)))
        return Assignment(path, left)

    def _where(self, statement: Statement) -> None:
        self._expect("WHERE")
        statement.where = self._condition()

    def _returning(self, statement: Statement) -> None:
        if self._take("RETURNING"):
            pair = (self._word("ALL", "MODIFIED"), self._word("OLD", "NEW"))
            self._expect("*")
            if statement.kind == "DELETE" and pair != ("ALL", "OLD"):
                raise StatementError("RETURNING of a DELETE can only be ALL OLD *")
            statement.returning = _RETURNING[pair]

    # -- conditions -----------------------------------------------------------------------------------

    def _condition(self) -> Node:
        conditions = [self._all_of()]
        while self._take("OR"):
            conditions.append(self._all_of())
        return conditions[0] if len(conditions) == 1 else Or(tuple(conditions))

    def _all_of(self) -> Node:
        conditions = [self._negated()]
        while self._take("AND"):
            conditions.append(self._negated())
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def _negated(self) -> Node:
        if self._take("NOT"):
            self._nest()
            condition = Not(self._negated())
            self._nesting -= 1
            return condition
        return self._comparison()

    def _comparison(self) -> Node:
        if self._take("("):
            self._nest()
            inner = self._condition()
            self._expect(")")
            self._nesting -= 1
            return inner
        left = self._operand(CONDITION_FUNCTIONS)
        token = self._next
        if token.kind == "symbol" and token.text in COMPARATORS:
            self._at += 1
            return Comparison(COMPARATORS[token.text], left, self._operand(frozenset()))
        if self._take("IS"):
            return self._state(left)
        is_negated = self._take("NOT")
        condition: Node
        if self._take("BETWEEN"):
            low = self._operand(frozenset())
            self._expect("AND")
            condition = Between(left, low, self._operand(frozenset()))
        elif self._take("IN"):
            condition = In(left, self._options())
        elif isinstance(left, Function) and left.name in CONDITION_FUNCTIONS and not is_negated:
            return left
        else:
            raise self._fail("a comparison")
        return Not(condition) if is_negated else condition

    def _state(self, left: Node) -> Node:
        """Read what follows IS: [NOT] MISSING or NULL."""
        is_negated = self._take("NOT")
        if self._take("MISSING"):
            return Function("attribute_exists" if is_negated else "attribute_not_exists", (left,))
        self._expect("NULL")
        condition = Function("attribute_type", (left, self._value({"S": "NULL"})))
        return Not(condition) if is_negated else condition

    def _options(self) -> tuple[Node, ...]:
        closing = "]" if self._take("[") else ")"
        if closing == ")":
            self._expect("(")
        options = [self._operand(frozenset())]
        while self._take(","):
            options.append(self._operand(frozenset()))
        self._expect(closing)
        return tuple(options)

    def _operand(self, functions: frozenset[str]) -> Node:
        value = self._literal()
        if value is not None:
            return self._value(value)
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        token = self._next
        if token.kind == "name" and following == Token("symbol", "("):
            name = token.text.lower()
            if name not in functions and name != "size":
                raise StatementError(f"{MALFORMED}The function {token.text} is not supported here")
            self._at += 2
            self._nest()
            operands = [self._operand(functions)]
            while self._take(","):
                operands.append(self._operand(functions))
            self._expect(")")
            self._nesting -= 1
            return Function(name, tuple(operands))
        return self._path()

    def _path(self) -> Path:
        parts: list[str | int] = [self._placeholder(self._name("an attribute"))]
        while True:
            if self._take("."):
                parts.append(self._placeholder(self._name("an attribute")))
            elif self._take("["):
                token = self._next
                self._at += 1
                if token.kind == "text":
                    parts.append(self._placeholder(token.text))
                elif token.kind == "number" and token.text.isdigit() and len(token.text) <= 9:
                    parts.append(int(token.text))
                else:
                    raise StatementError(f"{MALFORMED}Expected a list index, found {token.text}")
                self._expect("]")
            else:
                return Path(tuple(parts))

    def _placeholder(self, name: str) -> str:
        for placeholder, known in self._names.items():
            if known == name:
                return placeholder
        placeholder = f"#{len(self._names)}"
        self._names[placeholder] = name
        return placeholder

    def _value(self, value: Value) -> ValueRef:
        measure(value)
        name = f":{len(self._values)}"
        self._values[name] = value
        return ValueRef(name)

    # -- literals -------------------------------------------------------------------------------------

    def _literal(self) -> Value | None:
        """Read a literal or a parameter, if one comes next."""
        token = self._next
        if token.kind in {"text", "number"}:
            self._at += 1
            return {"S" if token.kind == "text" else "N": token.text}
        if self._take("?"):
            if self._used >= len(self._parameters):
                raise StatementError("Number of parameters in request and statement don't match.")
            self._used += 1
            return self._parameters[self._used - 1]
        for sign in ("-", "+"):
            if self._take(sign):
                if self._next.kind != "number":
                    raise self._fail("a number")
                self._at += 1
                return {"N": ("-" if sign == "-" else "") + self._tokens[self._at - 1].text}
        if token.kind == "keyword" and token.text in {"TRUE", "FALSE", "NULL"}:
            self._at += 1
            return {"NULL": True} if token.text == "NULL" else {"BOOL": token.text == "TRUE"}
        return self._container()

    def _container(self) -> Value | None:
        if self._take("["):
            return {"L": self._elements("]")}
        if self._take("<<"):
            return _set_of(self._elements(">>"))
        if not self._take("{"):
            return None
        self._nest()
        members: dict[str, Value] = {}
        while not self._take("}"):
            if members:
                self._expect(",")
            token = self._next
            if token.kind not in {"text", "name"}:
                raise self._fail("the name of an attribute")
            self._at += 1
            self._expect(":")
            if token.text in members:
                raise StatementError(f"{MALFORMED}The attribute {token.text} is there twice")
            members[token.text] = self._element()
        self._nesting -= 1
        return {"M": members}

    def _elements(self, closing: str) -> list[Value]:
        self._nest()
        elements: list[Value] = []
        while not self._take(closing):
            if elements:
                self._expect(",")
            elements.append(self._element())
        self._nesting -= 1
        return elements

    def _element(self) -> Value:
        value = self._literal()
        if value is None:
            raise self._fail("a value")
        return value


def _set_of(elements: list[Value]) -> Value:
    tags = {type_of(element) for element in elements}
    if len(tags) != 1 or not tags <= {"S", "N", "B"}:
        raise StatementError(f"{MALFORMED}A set holds strings, numbers or binaries, all of one kind")
    (tag,) = tags
    return {f"{tag}S": [element[tag] for element in elements]}
