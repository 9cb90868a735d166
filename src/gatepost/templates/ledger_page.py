"""Write `docs/ledger.md` from the ledger: `python -m gatepost.templates.ledger_page`. A test compares the two."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gatepost.templates.ledger import Entry, TypeEntry
from gatepost.templates.registry import all_entries
from gatepost.templates.specification import Specification

PAGE: Final = Path("docs/ledger.md")
HEAD: Final = """\
# The ledger

What Gatepost does with each property of each resource type that it knows. This page is written by
`python -m gatepost.templates.ledger_page` from `src/gatepost/templates/ledger_entries/`.

- **enforced**: it does what it does on AWS.
- **approximated**: it works, and differs as the sentence says.
- **inert**: it is accepted and has no meaning off AWS, for the reason given.
- **refused**: a deployment that uses it fails with file, line and path; the sentence says what would work.

A property that is not listed is refused, and so is a type; a misspelt one is told apart from an unsupported one. Three
ways on: `--service NAME=URL` for a whole service, a `gatepost.accept` file for named gaps, `--lenient` for everything.
`gatepost ledger TEMPLATE` shows this for one template.
"""


def render() -> str:
    """Give the page's text."""
    specification = Specification.load()
    entries = sorted(all_entries(), key=lambda entry: entry.type)
    return HEAD + "".join(_section(entry, specification) for entry in entries)


def _section(entry: TypeEntry, specification: Specification) -> str:
    lines = [f"\n## {entry.type}\n", f"\n**{entry.entry.status}**{_said(entry.entry)}\n"]
    described = specification.find(entry.type)
    if entry.properties:
        lines.append("\n| property | | |\n|---|---|---|\n")
        lines.extend(
            f"| `{path}` | {found.status} | {_cell(found)} |\n" for path, found in sorted(entry.properties.items())
        )
    if described and described.attributes and entry.entry.status != "refused":
        names = ", ".join(f"`{name}`" for name in described.attributes)
        lines.append(f"\nAttributes for `Fn::GetAtt`: {names}.\n")
    return "".join(lines)


def _said(entry: Entry) -> str:
    return f": {entry.sentence}" if entry.sentence else ""


def _cell(entry: Entry) -> str:
    parts = [entry.sentence] if entry.sentence else []
    if entry.values:
        parts.append(f"only {', '.join(f'`{value}`' for value in entry.values)}: {entry.otherwise}")
    if entry.pattern:
        parts.append(entry.otherwise)
    parts.extend(f"not `{value}`: {instead}" for value, instead in sorted(entry.refused_values.items()))
    return "; ".join(parts).replace("|", "\\|")


def main() -> None:
    """Write the page, from the repository's root."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
