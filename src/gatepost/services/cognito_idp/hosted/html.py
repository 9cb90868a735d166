"""Pages as HTML: a heading, what went wrong, a form, links. Everything that comes from outside is escaped here.

Accessible without a script: every field has a label, says what it is for (`autocomplete`) and points to its hint and
its error; errors are listed at the top, which gets the focus, with links to their fields; the title says that there are
some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from gatepost.services.cognito_idp.hosted.style import STYLE


@dataclass(frozen=True, slots=True)
class Field:
    """One input."""

    name: str
    label: str
    kind: str = "text"  # text, password, email, tel, code, date
    autocomplete: str = "off"
    value: str = ""
    hint: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several radio buttons; the first is chosen."""

    name: str
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page with one form. `errors` are told by field; those of the whole form by an empty name."""

    title: str
    brand: str
    lead: str = ""
    action: str = ""
    fields: Sequence[Field] = ()
    choices: Sequence[Choice] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    submit: str = ""
    other_submits: Sequence[tuple[str, str, str]] = ()  # name, value, label: they need no field
    errors: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""
    above: str = ""  # HTML of ours, such as a QR code
    links: Sequence[tuple[str, str]] = ()  # address, text
    providers: Sequence[tuple[str, str]] = ()

    def render(self) -> str:
        """Give the whole document."""
        prefix = "Error: " if self.errors else ""
        name = escape(self.brand)
        parts = [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="robots" content="noindex">',
            f"<title>{prefix}{escape(self.title)} - {name}</title><style>{STYLE}</style></head><body><main>",
            f'<p class="brand"><span class="mark" aria-hidden="true">{escape(self.brand[:1].upper())}</span>{name}</p>',
            self._summary(),
            f"<h1>{escape(self.title)}</h1>",
            f'<p class="lead">{escape(self.lead)}</p>' if self.lead else "",
            f'<p class="notice" role="status">{escape(self.notice)}</p>' if self.notice else "",
            self.above,
            self._form(),
            self._providers(),
            self._links(),
            "</main></body></html>",
        ]
        return "".join(parts)

    def _summary(self) -> str:
        if not self.errors:
            return ""
        listed = []
        for name, text in self.errors.items():
            told = f'<a href="#{escape(name)}">{escape(text)}</a>' if name else escape(text)
            listed.append(f"<li>{told}</li>")
        return (
            '<div class="summary" role="alert" tabindex="-1" autofocus aria-labelledby="problem">'
            f'<h2 id="problem">There is a problem</h2><ul>{"".join(listed)}</ul></div>'
        )

    def _form(self) -> str:
        if not self.action:
            return ""
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in self.hidden.items()
        )
        fields = "".join(self._field(one, is_first=one is self.fields[0]) for one in self.fields)
        others = "".join(
            f'<button class="other" name="{escape(name)}" value="{escape(value)}" formnovalidate>'
            f"{escape(label)}</button>"
            for name, value, label in self.other_submits
        )
        submit = f"<button>{escape(self.submit)}</button>" if self.submit else ""
        return (
            f'<form method="post" action="{escape(self.action)}">{hidden}{fields}{self._choices()}{submit}{others}'
            "</form>"
        )

    def _field(self, one: Field, *, is_first: bool) -> str:
        name = escape(one.name)
        error = self.errors.get(one.name, "")
        described = [f"{name}-hint"] if one.hint else []
        described += [f"{name}-error"] if error else []
        attributes = {
            "id": one.name,
            "name": one.name,
            "type": "text" if one.kind == "code" else one.kind,
            "autocomplete": one.autocomplete,
            "value": one.value if one.kind != "password" else "",
            "maxlength": "2048" if one.kind != "code" else "64",
        }
        if one.kind == "code":
            attributes |= {"inputmode": "numeric", "spellcheck": "false"}
        if one.kind in ("text", "email"):
            attributes |= {"autocapitalize": "none", "spellcheck": "false"}
        if described:
            attributes["aria-describedby"] = " ".join(described)
        if error:
            attributes["aria-invalid"] = "true"
        flags = (" required" if one.required else "") + (" autofocus" if is_first and not self.errors else "")
        told = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
        return (
            f'<div class="field{" code" if one.kind == "code" else ""}"><label for="{name}">{escape(one.label)}</label>'
            f"<input {told}{flags}>"
            + (f'<p class="hint" id="{name}-hint">{escape(one.hint)}</p>' if one.hint else "")
            + (f'<p class="error" id="{name}-error">{escape(error)}</p>' if error else "")
            + "</div>"
        )

    def _choices(self) -> str:
        if not self.choices:
            return ""
        rows = []
        for number, one in enumerate(self.choices):
            chosen = " checked" if number == 0 else ""
            told = f'type="radio" name="{escape(one.name)}" value="{escape(one.value)}"'
            rows.append(f'<label class="choice"><input {told}{chosen}>{escape(one.label)}</label>')
        return f"<fieldset><legend>Method</legend>{''.join(rows)}</fieldset>"

    def _providers(self) -> str:
        if not self.providers:
            return ""
        shown = "".join(
            f'<a class="button other" href="{escape(address)}">{escape(text)}</a>' for address, text in self.providers
        )
        return (f'<p class="or">or</p>{shown}') if self.action else shown

    def _links(self) -> str:
        if not self.links:
            return ""
        shown = "".join(f'<li><a href="{escape(address)}">{escape(text)}</a></li>' for address, text in self.links)
        return f'<ul class="links">{shown}</ul>'


SIGN_IN: Final = "Sign in"
