"""Templates to compile: builders that need nothing but text."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from gatepost.templates.acceptance import Acceptance
from gatepost.templates.compile import Compiled, Place, TemplateCompiler
from gatepost.templates.document import Whereabouts, read_template
from gatepost.templates.intrinsics import Evaluator, Scope
from gatepost.templates.problems import TemplateRefused
from gatepost.templates.registry import template_compiler
from gatepost.templates.source import parse_source

ACCOUNT = "000000000000"
REGION = "us-east-1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop/0f1e2d3c-0000-0000-0000-000000000000"
PLACE = Place(ACCOUNT, REGION, "shop", STACK_ID)
CACHE = Path(tempfile.gettempdir()) / "gatepost-test-cache"


class Texts:
    """Files by location."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def read(self, location: str) -> str | None:
        return self.texts.get(location)


def a_template(text: str, *, file: str = "template.yaml") -> Any:
    """Parse a template without transforms."""
    source = parse_source(text, file=file)
    return read_template(source.plain(), Whereabouts(source))


def an_evaluator(resources: Any = None, **scope: Any) -> Evaluator:
    """Build an evaluator; pseudo parameters are those of PLACE."""
    scope.setdefault("parameters", {})
    return Evaluator(Scope(pseudo=PLACE.pseudo(), **scope), resources)


def compiled(
    text: str,
    *,
    given: dict[str, str] | None = None,
    files: Any = None,
    exports: dict[str, str] | None = None,
    acceptance: Acceptance | None = None,
    file: str = "template.yaml",
    compiler: TemplateCompiler | None = None,
) -> Compiled:
    """Compile a template for the stack `shop`."""
    compiler = compiler or template_compiler(CACHE)
    return asyncio.run(
        compiler.compile(
            text,
            file=file,
            given=given or {},
            place=PLACE,
            files=files or Texts(),
            exports=exports or {},
            acceptance=acceptance or Acceptance(),
        )
    )


def refusals(text: str, **options: Any) -> list[str]:
    """Give what is refused of a template, one line each; empty when it compiles."""
    try:
        compiled(text, **options)
    except TemplateRefused as refusal:
        return [str(problem) for problem in refusal.problems]
    return []
