"""The ledger: what happens to each property of each resource type, and the check of a template against it.

A property is `enforced`, `approximated` (a sentence says how it differs), `inert` (a reason says why it has no
meaning here) or `refused` (a sentence says what would work). An entry speaks for everything below its path unless
a longer path has its own. What has no entry is refused. The entries stand in `ledger_entries/`, by service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final, Literal

from gatepost.templates.acceptance import Acceptance, AcceptedGap
from gatepost.templates.document import ActiveResource, Template, Whereabouts
from gatepost.templates.extensions import extension_faults
from gatepost.templates.intrinsics import Unknown, scalar_text
from gatepost.templates.problems import Path, Problem
from gatepost.templates.specification import Specification, is_custom

Status = Literal["enforced", "approximated", "inert", "refused", "forwarded"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What happens to a property (or a whole type). `values` restricts an enforced one to what works."""

    status: Status
    sentence: str = ""
    values: tuple[str, ...] = ()
    pattern: str = ""
    otherwise: str = ""  # what would work, for other values
    refused_values: Mapping[str, str] = field(default_factory=dict)  # each with what would work
    own_services: tuple[str, ...] = ()  # of an ARN: any other service needs its endpoint named with --service
    exact_values: tuple[str, ...] = ()  # those of an approximated property that work as on AWS
    under: Mapping[str, Entry] = field(default_factory=dict)  # what is true instead under a setting of the platform

    def with_settings(self, settings: frozenset[str]) -> Entry:
        """Give the entry that is true under the platform's settings."""
        return next((entry for setting, entry in self.under.items() if setting in settings), self)

    def objection(self, value: Any) -> str:
        """Say what would work instead of this value; empty: it works."""
        text = scalar_text(value)
        if text in self.refused_values:
            return self.refused_values[text]
        if self.values:
            return "" if text in self.values else self.otherwise
        return self.otherwise if self.pattern and re.fullmatch(self.pattern, text) is None else ""

    def is_exact(self, value: Any) -> bool:
        """Say whether what the sentence says is not true of this value."""
        leaves = list(_leaves(value))
        return bool(leaves) and all(scalar_text(leaf) in self.exact_values for leaf in leaves)

    @property
    def has_rule(self) -> bool:
        """Say whether only some values work."""
        return bool(self.values or self.pattern or self.refused_values)


ENFORCED: Final = Entry("enforced")


def arn_of(*services: str) -> Entry:
    """Make the entry of an ARN of one of `services`, or of one whose endpoint the operator names."""
    return Entry("enforced", "what is elsewhere needs --service", own_services=services)


def approximated(sentence: str, *, exact: tuple[str, ...] = ()) -> Entry:
    """Make the entry of what works otherwise than on AWS, but for the values in `exact`."""
    return Entry("approximated", sentence, exact_values=exact)


def inert(reason: str) -> Entry:
    """Make the entry of what has no meaning off AWS."""
    return Entry("inert", reason)


def refused(sentence: str) -> Entry:
    """Make the entry of what fails; the sentence says what would work."""
    return Entry("refused", sentence)


def one_of(*values: str, otherwise: str, sentence: str = "") -> Entry:
    """Make the entry of a property of which only `values` work."""
    return Entry("approximated" if sentence else "enforced", sentence, values=values, otherwise=otherwise)


def matching(pattern: str, *, otherwise: str, sentence: str = "", exact: tuple[str, ...] = ()) -> Entry:
    """Make the entry of a property of which only values that match `pattern` as a whole work.

    What `sentence` says of them is not true of those in `exact`.
    """
    status: Status = "approximated" if sentence else "enforced"
    return Entry(status, sentence, pattern=pattern, otherwise=otherwise, exact_values=exact)


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """The ledger of one resource type: the type's own entry and those of its properties, by path.

    `inside` looks into properties that are documents of their own: it gives the place and the sentence of each gap.
    """

    type: str
    entry: Entry
    properties: Mapping[str, Entry] = field(default_factory=dict)
    inside: Mapping[str, Callable[[Any], Iterable[tuple[tuple[str, ...], str]]]] = field(default_factory=dict)

    def find(self, path: tuple[str, ...]) -> Entry | None:
        """Give the entry that speaks for a property path: its own or the nearest above."""
        for length in range(len(path), 0, -1):
            found = self.properties.get("/".join(path[:length]))
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Finding:
    """What the ledger says of one place in a template."""

    status: Status
    problem: Problem
    steps: Path = ()  # below Properties; empty: the whole resource
    is_whole: bool = False  # it speaks of the resource as a whole
    accepted_by: str = ""  # "lenient" or the entry of gatepost.accept
    warns: bool = False  # it is enforced as on AWS, and a person may not expect it

    @property
    def is_refusal(self) -> bool:
        """Say whether the deployment fails for it."""
        return self.status == "refused" and not self.accepted_by

    @property
    def is_warning(self) -> bool:
        """Say whether a person should read it at every start."""
        return bool(self.accepted_by) or self.warns or self.status in ("approximated", "forwarded")

    def __str__(self) -> str:
        if self.warns:
            return f"as on AWS: {self.problem}"
        how = "accepted" if self.accepted_by and self.accepted_by != "lenient" else self.accepted_by or self.status
        return f"{how}: {self.problem}"


class Ledger:
    """All types' entries, checked against templates."""

    def __init__(self, specification: Specification, entries: Iterable[TypeEntry]) -> None:
        self._specification = specification
        self._entries = {entry.type: entry for entry in entries}

    def entries(self) -> list[TypeEntry]:
        """Give all entries in the order of their types."""
        return [self._entries[name] for name in sorted(self._entries)]

    def find(self, type_name: str) -> TypeEntry | None:
        """Give a type's entry; every Custom:: type shares one."""
        return self._entries.get("AWS::CloudFormation::CustomResource" if is_custom(type_name) else type_name)

    def check(
        self, template: Template, resources: Mapping[str, ActiveResource], acceptance: Acceptance
    ) -> list[Finding]:
        """Give a finding for everything that is not plainly enforced."""
        findings = list(self._extension_findings(template))
        for name, resource in resources.items():
            found = self._resource(name, resource, template.where, acceptance)
            findings.extend(self._accepted(finding, resource, acceptance) for finding in found)
        return findings

    def _accepted(self, finding: Finding, resource: ActiveResource, acceptance: Acceptance) -> Finding:
        if finding.status != "refused":
            return finding
        gap: AcceptedGap | None = acceptance.gap(
            logical_id=resource.declaration.logical_id,
            type_name=resource.declaration.type,
            property_path=finding.problem.property_path or "*",
        )
        if gap is not None:
            return replace(finding, accepted_by=str(gap))
        return replace(finding, accepted_by="lenient") if acceptance.is_lenient else finding

    def _resource(
        self, name: str, resource: ActiveResource, where: Whereabouts, acceptance: Acceptance
    ) -> Iterator[Finding]:
        type_name = resource.declaration.type
        path: Path = ("Resources", name)

        def finding(status: Status, message: str, steps: Path = (), key: str = "Type", aws: str = "") -> Finding:
            property_path = "/".join(str(step) for step in steps if isinstance(step, str))
            inner = (*path, "Properties", *steps) if steps else (*path, key)
            problem = where.problem(
                inner, message, logical_id=name, resource_type=type_name, property_path=property_path, aws=aws
            )
            return Finding(status, problem, steps, is_whole=not steps and key == "Type")

        service = type_name.split("::")[1].lower() if type_name.count("::") == 2 else ""
        if service in acceptance.forwarded:
            yield finding(
                "forwarded",
                f"{service} operations go to the endpoint named by --service {service}; make the resource itself there",
            )
            return
        entry = self.find(type_name)
        if entry is None or entry.entry.status == "refused":
            is_known = entry is not None or type_name in self._specification.names
            words = "" if is_known else f"Template format error: Unrecognized resource types: [{type_name}]"
            yield finding("refused", entry.entry.sentence if entry else self._unknown_type(type_name), aws=words)
            return
        for key, value, what in (
            ("CreationPolicy", resource.declaration.creation_policy, "waits for signals that nothing here sends"),
            ("UpdatePolicy", resource.declaration.update_policy, "needs CodeDeploy or Auto Scaling"),
        ):
            if value is not None:
                yield finding("refused", f"{key} {what}: remove it", key=key)
        if entry.entry.status != "enforced":
            yield finding(entry.entry.status, entry.entry.sentence)
        if not is_custom(type_name) and entry.entry.status != "inert":
            walk = _Walk(entry, self._specification, finding, acceptance)
            yield from walk.members(resource.properties, (), ())
            for key, gaps in entry.inside.items():
                for steps, sentence in gaps(resource.properties.get(key)):
                    yield finding("refused", sentence, (key, *steps))

    def _unknown_type(self, type_name: str) -> str:
        ways = "name its endpoint with --service, list it in gatepost.accept, or use --lenient"
        if type_name in self._specification.names:
            return f"{type_name} is not here yet: {ways}"
        known = [*self._entries, *self._specification.names]
        near = get_close_matches(type_name, known, n=1, cutoff=0.8)
        if near:
            return f"AWS has no type {type_name}: did you mean {near[0]}?"
        return f"{type_name} is no type that AWS or Gatepost has: {ways}"

    def _extension_findings(self, template: Template) -> Iterator[Finding]:
        # The author's own resources count: SAM's generated ones have no place in the file.
        raw = template.where.source.plain()
        declared = raw.get("Resources") if isinstance(raw, dict) else None
        types = {
            name: str(resource.get("Type", ""))
            for name, resource in (declared.items() if isinstance(declared, dict) else ())
            if isinstance(resource, dict)
        }
        for path, sentence in extension_faults(template.metadata.get("Gatepost"), types):
            yield Finding("refused", template.where.problem(("Metadata", "Gatepost", *path), sentence))


class _Walk:
    """Walks one resource's properties beside AWS's specification and the ledger's entries."""

    def __init__(self, entry: TypeEntry, specification: Specification, finding: Any, acceptance: Acceptance) -> None:
        self._entry = entry
        self._forwarded = acceptance.forwarded
        self._settings = acceptance.settings | {f"{name}-elsewhere" for name in acceptance.forwarded}
        self._described = specification.find(entry.type)
        self._finding = finding

    def members(self, properties: Mapping[str, Any], names: tuple[str, ...], steps: Path) -> Iterator[Finding]:
        """Check a mapping whose keys are properties."""
        known = self._described.members(names) if self._described else None
        for key, value in properties.items():
            if known is not None and key not in known:
                yield self._finding("refused", _no_property(self._entry.type, (*names, key), known), (*steps, key))
            else:
                yield from self._property(value, (*names, key), (*steps, key))

    def _property(self, value: Any, names: tuple[str, ...], steps: Path) -> Iterator[Finding]:
        entry = self._entry.find(names)
        what = "/".join(names)
        if entry is None:
            yield self._finding("refused", f"{what} of {self._entry.type} is not supported yet: remove it", steps)
            return
        entry = entry.with_settings(self._settings)
        is_own = "/".join(names) in self._entry.properties
        if entry.status in ("refused", "inert"):
            yield self._finding(entry.status, f"{what}: {entry.sentence}", steps)
            return
        if is_own and entry.has_rule:
            objections = [(leaf, entry.objection(leaf)) for leaf in _leaves(value)]
            bad = next(((leaf, instead) for leaf, instead in objections if instead), None)
            if bad is not None:
                yield self._finding("refused", f"{what} is {scalar_text(bad[0])!r}: {bad[1]}", steps)
                return
        if is_own and entry.own_services:
            services = [text.split(":")[2] for text in map(scalar_text, _leaves(value)) if text.count(":") >= 5]
            known = {*entry.own_services, *self._forwarded}
            if far := next((service for service in services if service not in known), ""):
                words = f"there is no {far} here: name its endpoint with --service {far}=http://KEY:SECRET@host:port"
                yield self._finding("refused", f"{what}: {words}", steps)
                return
        if is_own and entry.status == "approximated" and not entry.is_exact(value):
            yield self._finding("approximated", f"{what}: {entry.sentence}", steps)
        yield from self._below(value, names, steps)

    def _below(self, value: Any, names: tuple[str, ...], steps: Path) -> Iterator[Finding]:
        if self._described is None or self._described.members(names) is None:
            return
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._below(item, names, (*steps, index))
        elif isinstance(value, dict) and self._described.is_map(names):
            for key, item in value.items():  # the keys are the author's own
                if isinstance(item, dict):
                    yield from self.members(item, names, (*steps, key))
        elif isinstance(value, dict):
            yield from self.members(value, names, steps)


def _leaves(value: Any) -> Iterator[Any]:
    """Give the known scalars of a property value: a list's items one by one."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif not isinstance(value, Unknown | dict):
        yield value


def _no_property(type_name: str, names: tuple[str, ...], known: Mapping[str, Any]) -> str:
    owner = "/".join((type_name, *names[:-1]))
    near = get_close_matches(names[-1], list(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known)) or 'no properties'}"
    return f"{owner} has no property {names[-1]}: {hint}"


def without_gaps(resources: Mapping[str, ActiveResource], findings: Sequence[Finding]) -> dict[str, ActiveResource]:
    """Give the resources with what was accepted marked: the engine leaves those paths out."""
    marked: dict[str, ActiveResource] = dict(resources)
    for finding in findings:
        name = finding.problem.logical_id
        if name not in marked:
            continue
        resource = marked[name]
        if finding.status == "forwarded":
            marked[name] = replace(resource, is_forwarded=True)
        elif finding.accepted_by and finding.is_whole:
            marked[name] = replace(resource, is_accepted=True)
        elif finding.accepted_by and finding.steps:
            marked[name] = replace(resource, gaps=resource.gaps | {finding.steps})
    for name, resource in marked.items():
        if resource.gaps:
            marked[name] = replace(resource, properties=strip(resource.properties, resource.gaps))
    return marked


def strip(properties: Mapping[str, Any], gaps: Iterable[Path]) -> dict[str, Any]:
    """Give properties without the values at `gaps`."""
    stripped: dict[str, Any] = _copy(properties)
    # Later list items first, so that earlier positions stay right.
    for gap in sorted(gaps, key=lambda steps: [str(step).rjust(9) for step in steps], reverse=True):
        node: Any = stripped
        for step in gap[:-1]:
            node = node[step] if _has(node, step) else None
        if _has(node, gap[-1]):
            del node[gap[-1]]
    return stripped


def _has(node: Any, step: str | int) -> bool:
    if isinstance(node, dict):
        return step in node
    return isinstance(node, list) and isinstance(step, int) and 0 <= step < len(node)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_copy(child) for child in value]
    return value
