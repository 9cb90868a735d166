"""The parser of Velocity templates: text to tree, in one pass, with every error at its line and column.

Whitespace is kept as Velocity 1.7 keeps it (checked against that release): a directive with parentheses, `#else`
and `#end` take the rest of their line if it is blank; `#set` takes the blanks before it, too, unless they follow
text of the same piece; a `##` comment takes its newline. Unknown `#words` are text.

Sources: https://velocity.apache.org/engine/1.7/user-guide.html and
https://velocity.apache.org/engine/1.7/vtl-reference.html.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatepost.languages.vtl_expressions import ExpressionParser
from gatepost.languages.vtl_lexer import (
    DIRECTIVE,
    LINE,
    MACRO_NAME,
    REFERENCE,
    SET,
    SLASHED_BANG,
    SLASHES,
    SPECIAL,
    WORD,
    Source,
    skip_blank,
    skip_rest_of_line,
)
from gatepost.languages.vtl_tree import (
    Break,
    Define,
    Evaluate,
    Expression,
    Foreach,
    If,
    Macro,
    MacroCall,
    Node,
    Position,
    Reference,
    Return,
    Set,
    Stop,
    TemplateError,
    Text,
    Tree,
)

CONTROL: Final = frozenset({"if", "elseif", "else", "end", "stop"})
PLUGGED: Final = frozenset({"foreach", "break", "define", "macro", "evaluate", "parse", "include", "literal", "return"})
MACROS_MAX: Final = 1_000


@dataclass(slots=True)
class _Shared:
    """What the parsers of a template and of the strings in it have in common."""

    has_return: bool
    macros: dict[str, Macro]
    names: set[str]
    has_evaluate: bool = False


def parse_template(text: str, *, has_return: bool = False, allows_macros: bool = True) -> Tree:
    """Parse a template. `has_return` turns `#return` into a directive; else it is text, as in Velocity.

    Raises: TemplateError.
    """
    shared = _Shared(has_return, {}, set())
    nodes = TemplateParser(Source(text), 0, shared).template()
    if shared.macros and not allows_macros:
        first = next(iter(shared.macros.values()))
        raise TemplateError("#macro inside #evaluate: define it in the template itself", first.at)
    return Tree(nodes, shared.macros, frozenset(shared.names), shared.has_evaluate)


class TemplateParser(ExpressionParser):
    """Reads statements until the source ends or a block's terminator comes."""

    def __init__(self, source: Source, depth: int, shared: _Shared) -> None:
        super().__init__(source, depth, shared.names)
        self._shared = shared
        self._ended_by = ""  # the terminator that ends the block being read
        self._closer = ""  # the terminator that ended the last block
        self._directives: dict[str, Callable[[int, Position], Node | None]] = {
            "if": self._if,
            "foreach": self._foreach,
            "define": self._define,
            "macro": self._macro,
            "evaluate": self._evaluate,
            "literal": self._literal,
            "parse": self._refused,
            "include": self._refused,
        }

    def template(self) -> tuple[Node, ...]:
        """Read the whole source. Raises: TemplateError."""
        return self._nodes("")

    def template_in(self, source: Source) -> tuple[Node, ...]:
        """Parse the content of a string as a template."""
        return TemplateParser(source, self.depth, self._shared).template()

    def _nodes(self, opener: str) -> tuple[Node, ...]:
        """Read statements; those of a block end at #end, #else or #elseif, which `_ended_by` names afterwards."""
        begin = self.offset
        nodes: list[Node] = []
        self._ended_by = ""
        while self.offset < len(self.text):
            node = self._statement()
            if self._ended_by:
                if not opener:
                    self.source.fail(begin, f"#{self._ended_by} without #if, #foreach, #define or #macro before it")
                return tuple(nodes)
            if node is not None:
                nodes.append(node)
        if opener:
            self.source.fail(begin, f"#{opener} has no #end")
        return tuple(nodes)

    def _statement(self) -> Node | None:
        text, begin = self.text, self.offset
        if (found := SET.match(text, begin)) is not None:
            self.offset = found.end()
            return self._set()
        character = text[begin]
        if character == "\\":
            return self._slashes()
        if character == "$":
            return self._dollar(0)
        if character == "#":
            return self._hash()
        special = SPECIAL.search(text, begin)
        self.offset = special.start() if special is not None else len(text)
        return Text(text[begin : self.offset])

    def _plain(self, until: int) -> Text:
        begin, self.offset = self.offset, until
        return Text(self.text[begin:until])

    # Backslashes, dollars

    def _slashes(self) -> Node:
        begin = self.offset
        found = SLASHES.match(self.text, begin)
        end = found.end() if found is not None else begin + 1
        count = end - begin
        if self.text.startswith("$", end):
            if REFERENCE.match(self.text, end) is None:
                return self._plain(end)
            self.offset = end
            return self.reference(count)
        directive = DIRECTIVE.match(self.text, end)
        if directive is None or not self._is_known(directive[1] or directive[2]):
            return self._plain(directive.end() if directive is not None and count % 2 else end)
        if count % 2:
            self.offset = directive.end()
            return Text("\\" * (count // 2) + directive[0])
        self.offset = end
        return Text("\\" * (count if SET.match(self.text, end) else count // 2))

    def _is_known(self, name: str) -> bool:
        if name == "return":
            return self._shared.has_return
        return name in CONTROL or name in PLUGGED or name == "set" or name in self._shared.macros

    def _dollar(self, slashes: int) -> Node:
        if REFERENCE.match(self.text, self.offset) is not None:
            return self.reference(slashes)
        if (found := SLASHED_BANG.match(self.text, self.offset)) is not None:
            self.offset = found.end()
            return Text("$" + found[1][1:] + "!")
        return self._plain(self.offset + (2 if self.text.startswith("$!", self.offset) else 1))

    # Directives

    def _hash(self) -> Node | None:
        text, begin = self.text, self.offset
        if text.startswith("##", begin):
            line = LINE.match(text, begin)
            self.offset = line.end() if line is not None else len(text)
            return None
        if text.startswith("#[[", begin):
            end = self._find("]]#", "#[[ needs ]]# at its end")
            return Text(text[begin + 3 : end - 3])
        if text.startswith("#*", begin):
            self._find("*#", "#* needs *# at its end")
            return None
        found = DIRECTIVE.match(text, begin)
        if found is None:
            return self._plain(begin + 1)
        self.offset = found.end()
        return self._directive(found[1] or found[2], begin)

    def _find(self, closing: str, message: str) -> int:
        found = self.text.find(closing, self.offset + 2)
        if found < 0:
            self.source.fail(self.offset, message)
        self.offset = found + len(closing)
        return self.offset

    def _directive(self, name: str, begin: int) -> Node | None:
        at = self.source.position(begin)
        if name in {"end", "else", "elseif"}:
            if name != "elseif":
                self.offset = skip_rest_of_line(self.text, self.offset)
            self._ended_by = name
            return None
        if name == "stop":
            return Stop()
        if name == "break":
            return self._break(at)
        if name == "return" and self._shared.has_return:
            return self._return()
        if (read := self._directives.get(name)) is not None:
            if not self._opens():
                self.source.fail(self.offset, f"#{name} needs '(' here, not {self.source.excerpt(self.offset)}")
            return read(begin, at)
        return self._call(name, begin, at)

    def _opens(self) -> bool:
        """Pass over the parenthesis that opens a directive's arguments, if one comes."""
        here = skip_blank(self.text, self.offset)
        if not self.text.startswith("(", here):
            return False
        self.offset = here + 1
        return True

    def _close(self, what: str) -> None:
        self.expect(")", what)
        self.offset = skip_rest_of_line(self.text, self.offset)

    def _set(self) -> Node:
        self.skip()
        if REFERENCE.match(self.text, self.offset) is None:
            self.source.fail(self.offset, f"#set needs a $reference here, not {self.source.excerpt(self.offset)}")
        target = self.reference(0)
        self.expect("=", "#set")
        value = self.expression()
        self._close("#set")
        return Set(target, value)

    def _block(self, opener: str, begin: int, *, closers: tuple[str, ...] = ("end",)) -> tuple[Node, ...]:
        self.enter()
        nodes = self._nodes(opener)
        self.leave()
        closer, self._ended_by = self._ended_by, ""
        if closer not in closers:
            self.source.fail(self.offset, f"#{closer} inside #{opener} ({self.source.position(begin)}): use #end")
        self._closer = closer
        return nodes

    def _if(self, begin: int, _at: Position) -> Node:
        branches: list[tuple[Expression, tuple[Node, ...]]] = []
        otherwise: tuple[Node, ...] = ()
        while True:
            condition = self.expression()
            self._close("#if")
            branches.append((condition, self._block("if", begin, closers=("end", "else", "elseif"))))
            if self._closer != "elseif":
                break
            if not self._opens():
                self.source.fail(self.offset, f"#elseif needs '(' here, not {self.source.excerpt(self.offset)}")
        if self._closer == "else":
            otherwise = self._block("else", begin)
        return If(tuple(branches), otherwise)

    def _foreach(self, begin: int, at: Position) -> Node:
        self.skip()
        if REFERENCE.match(self.text, self.offset) is None:
            self.source.fail(self.offset, f"#foreach needs '$item in list' here, not {self._here()}")
        item = self._plain_name("#foreach")
        self.skip()
        word = WORD.match(self.text, self.offset)
        if word is None or word[0] != "in":
            self.source.fail(self.offset, f"#foreach needs 'in' here, not {self._here()}")
        self.offset = word.end()
        iterable = self.expression()
        self._close("#foreach")
        return Foreach(item, iterable, self._block("foreach", begin), at)

    def _here(self) -> str:
        return self.source.excerpt(self.offset)

    def _plain_name(self, directive: str) -> str:
        self.skip()
        begin = self.offset
        if REFERENCE.match(self.text, begin) is None:
            self.source.fail(begin, f"{directive} needs a $name here, not {self._here()}")
        reference = self.reference(0)
        if reference.steps:
            self.source.fail(begin, f"{directive} needs a plain $name, not {reference.literal}")
        return reference.root

    def _define(self, begin: int, at: Position) -> Node:
        name = self._plain_name("#define")
        self._close("#define")
        return Define(name, self._block("define", begin), at)

    def _evaluate(self, _begin: int, at: Position) -> Node:
        value = self.expression()
        self._close("#evaluate")
        self._shared.has_evaluate = True
        return Evaluate(value, at)

    def _literal(self, begin: int, _at: Position) -> Node:
        self._close("#literal")
        inside = self.offset
        self._block("literal", begin)
        return Text(self.text[inside : self.text.rindex("#", inside, self.offset)])

    def _refused(self, begin: int, _at: Position) -> Node:
        name = self.text[begin + 1 : self.offset - 1].strip("{} ")
        self.source.fail(begin, f"#{name} reads files, which templates may not: put the text into the template")

    def _break(self, at: Position) -> Node:
        if not self._opens():
            return Break(None, at)
        scope = None if self.takes(")") else self.expression()
        if scope is not None:
            self._close("#break")
        return Break(scope, at)

    def _return(self) -> Node:
        if not self._opens():
            return Return(None)
        value = None if self.takes(")") else self.expression()
        if value is not None:
            self.expect(")", "#return")
        self.offset = skip_rest_of_line(self.text, self.offset)
        return Return(value)

    # Macros

    def _macro(self, begin: int, at: Position) -> Node | None:
        self.skip()
        found = MACRO_NAME.match(self.text, self.offset)
        if found is None:
            self.source.fail(self.offset, f"#macro needs a name here, not {self._here()}")
        self.offset = found.end()
        parameters: list[str] = []
        while not self.takes(")"):
            self.takes(",")
            parameters.append(self._plain_name("#macro"))
        if len(set(parameters)) < len(parameters):
            self.source.fail(begin, f"#macro({found[0]}) names a parameter twice")
        self.offset = skip_rest_of_line(self.text, self.offset)
        body = self._block("macro", begin)
        if len(self._shared.macros) >= MACROS_MAX:
            self.source.fail(begin, f"more than {MACROS_MAX} macros")
        self._shared.macros.setdefault(found[0], Macro(found[0], tuple(parameters), body, at))
        return None

    def _call(self, name: str, begin: int, at: Position) -> Node:
        is_block = name.startswith("@")
        if not self._opens():
            if name not in self._shared.macros or is_block:
                return Text(self.text[begin : self.offset])
            return MacroCall(name, (), None, self.text[begin : self.offset], (), at)
        arguments: list[Expression] = []
        literals: list[str] = []
        while not self.takes(")"):
            self.takes(",")
            self.skip()
            start = self.offset
            word = WORD.match(self.text, start)
            if word is not None and word[0] not in {"true", "false"}:  # only text has words: a macro's call fails later
                self.offset = word.end()
                arguments.append(Reference(word[0], (), word[0], self.source.position(start)))
            else:
                arguments.append(self.primary())
            literals.append(self.text[start : self.offset])
        self.offset = skip_rest_of_line(self.text, self.offset)
        body = self._block(name, begin) if is_block else None
        literal = self.text[begin : self.offset]
        return MacroCall(name.removeprefix("@"), tuple(arguments), body, literal, tuple(literals), at)
