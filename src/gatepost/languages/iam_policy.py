"""IAM policy documents: text to compiled statements, with AWS's words for what is wrong.

Five kinds share one grammar (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html):
identity, boundary and session policies have no principal; resource policies have one; trust policies have one, no
resource, and only actions of STS. Statements are compiled once, when a policy is stored; evaluation is in
`iam_policy_evaluation`. AWS documents the grammar and not its messages: those are as we know them (`unverified`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gatepost.languages.iam_policy_conditions import AnyCondition, ConditionError, compile_conditions
from gatepost.languages.iam_policy_patterns import (
    Glob,
    Keys,
    PatternError,
    ResourcePattern,
    Wildcard,
    compile_glob,
    compile_resource,
    parse_pattern,
    variables_of,
)
from gatepost.languages.iam_policy_principals import PrincipalError, Principals, parse_principals

PolicyKind = Literal["identity", "boundary", "session", "resource", "trust"]

DOCUMENT_CHARACTERS_MAX: Final = 131_072  # the models' policyDocumentType; services have lower quotas
STATEMENTS_MAX: Final = 2_000  # more cannot fit into any quota
REMEMBERED_ACTIONS_MAX: Final = 512  # of each policy
SYNTAX_ERRORS: Final = "Syntax errors in policy."
PARTITIONS: Final = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc", "*")
VERSIONS: Final = ("2012-10-17", "2008-10-17")

# What cannot change while an access key's decisions are remembered: who calls.
PRINCIPAL_KEYS: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:tokenissuetime",
        "aws:userid",
        "aws:username",
    }
)
PRINCIPAL_TAG_PREFIX: Final = "aws:principaltag/"

_FIELDS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_SID: Final = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_CHARACTERS: Final = re.compile("[\t\n\r\u0020-\u00ff]+")  # the models' pattern of policyDocumentType
_TRUST_ACTIONS: Final = re.compile(r"sts:[a-z*?]+", re.ASCII)


class PolicyError(ValueError):
    """A policy document is malformed. The text is the message of AWS's MalformedPolicyDocument."""


@dataclass(frozen=True, slots=True)
class Actions:
    """Action names by vendor, case-insensitive. `anywhere` are patterns whose vendor has wildcards."""

    exact: frozenset[str]
    by_vendor: Mapping[str, tuple[Glob, ...]]
    anywhere: tuple[Glob, ...]

    def match(self, action: str) -> bool:
        """Say whether `action` (lower case, `dynamodb:putitem`) is named."""
        if action in self.exact:
            return True
        globs = self.by_vendor.get(action.partition(":")[0], ())
        return any(glob.matches(action) for glob in globs) or any(glob.matches(action) for glob in self.anywhere)


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement. `is_not_…` turns the element round (NotAction, NotResource)."""

    label: str  # its Sid, or its place in the document, from 0
    is_allow: bool
    actions: Actions
    is_not_action: bool
    resources: tuple[ResourcePattern, ...]
    is_not_resource: bool
    principals: Principals | None
    conditions: tuple[AnyCondition, ...]
    resource_reads_request: bool  # a variable in Resource is not about the principal alone
    condition_reads_request: bool

    def names_action(self, action: str) -> bool:
        """Say whether the statement is about `action`, in lower case."""
        return self.actions.match(action) != self.is_not_action

    def names_resource(self, resource: str, keys: Keys) -> bool:
        """Say whether the statement is about `resource`.

        NotResource with a variable that has no value: an Allow does not apply, a Deny does.
        """
        if self.is_not_resource and self.is_allow and not all(p.is_known(keys) for p in self.resources):
            return False
        for pattern in self.resources:
            if resource.startswith(pattern.start) and pattern.matches(resource, keys):
                return not self.is_not_resource
        return self.is_not_resource

    def conditions_hold(self, keys: Keys) -> bool:
        """Say whether all conditions are true."""
        for condition in self.conditions:  # a loop: it is twice as fast as all() over a generator  # noqa: SIM110
            if not condition.holds(keys):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled document. `name` says where it comes from: an ARN, or an inline policy's name.

    Which statements name an action is remembered: a function asks for the same few actions all day.
    """

    name: str
    statements: tuple[Statement, ...]
    _about: dict[str, tuple[tuple[Statement, ...], tuple[Statement, ...]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def about(self, action: str, *, is_allow: bool) -> tuple[Statement, ...]:
        """Give the statements of one effect that name `action` (lower case), in their order."""
        found = self._about.get(action)
        if found is None:
            named = [statement for statement in self.statements if statement.names_action(action)]
            found = (
                tuple(statement for statement in named if not statement.is_allow),
                tuple(statement for statement in named if statement.is_allow),
            )
            if len(self._about) < REMEMBERED_ACTIONS_MAX:
                self._about[action] = found
        return found[is_allow]

    def keys_read(self) -> set[str]:
        """Give every condition key that the policy can look at, in lower case."""
        found: set[str] = set()
        for statement in self.statements:
            for pattern in statement.resources:
                found.update(variables_of(pattern.tokens))
            for condition in statement.conditions:
                found |= condition.keys_read()
        return found


def parse_policy(text: str, kind: PolicyKind, *, name: str = "") -> Policy:
    """Parse, check and compile a policy document. Raises: PolicyError."""
    document = _read(text)
    version = document.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise PolicyError(SYNTAX_ERRORS)
    if set(document) - {"Version", "Id", "Statement"}:
        raise PolicyError(SYNTAX_ERRORS)
    if not isinstance(document.get("Id", ""), str):
        raise PolicyError(SYNTAX_ERRORS)
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not 1 <= len(statements) <= STATEMENTS_MAX:
        raise PolicyError(SYNTAX_ERRORS)
    has_variables = version == "2012-10-17"
    compiled = tuple(
        _statement(statement, index, kind, has_variables=has_variables) for index, statement in enumerate(statements)
    )
    _check_sids(statements)
    return Policy(name, compiled)


def deny_everything(name: str = "") -> Policy:
    """Give a policy without statements: nothing in it allows."""
    return Policy(name, ())


def _read(text: str) -> dict[str, Any]:
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise PolicyError(f"Policy document is longer than {DOCUMENT_CHARACTERS_MAX} characters.")
    if not _CHARACTERS.fullmatch(text):
        raise PolicyError("The policy contains characters that are not allowed." if text else SYNTAX_ERRORS)
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise PolicyError(SYNTAX_ERRORS) from error
    if not isinstance(document, dict):
        raise PolicyError(SYNTAX_ERRORS)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _check_sids(statements: Sequence[dict[str, Any]]) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.")


def _statement(statement: object, index: int, kind: PolicyKind, *, has_variables: bool) -> Statement:
    if not isinstance(statement, dict):
        raise PolicyError(SYNTAX_ERRORS)
    _check_fields(statement, kind)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise PolicyError(SYNTAX_ERRORS)
    if kind != "resource" and not _SID.fullmatch(sid):
        raise PolicyError(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*"
        )
    actions = _actions(statement, kind)
    resources = _resources(statement, kind, has_variables=has_variables)
    try:
        principals = parse_principals(statement, is_trust=kind == "trust")
        conditions = compile_conditions(statement.get("Condition", {}), has_variables=has_variables)
    except (PrincipalError, ConditionError) as error:
        raise PolicyError(str(error)) from error
    return Statement(
        label=sid or str(index),
        is_allow=statement["Effect"] == "Allow",
        actions=actions,
        is_not_action="NotAction" in statement,
        resources=resources,
        is_not_resource="NotResource" in statement,
        principals=principals,
        conditions=conditions,
        resource_reads_request=_reads_request(key for pattern in resources for key in variables_of(pattern.tokens)),
        condition_reads_request=_reads_request(key for condition in conditions for key in condition.keys_read()),
    )


def _reads_request(keys: Iterable[str]) -> bool:
    return any(key not in PRINCIPAL_KEYS and not key.startswith(PRINCIPAL_TAG_PREFIX) for key in keys)


def _check_fields(statement: Mapping[str, Any], kind: PolicyKind) -> None:
    """Check which elements are there, in the order that AWS reports them."""
    is_trust = kind == "trust"
    for name in statement:
        if name not in _FIELDS:
            raise PolicyError(f"Unknown field {name}" if is_trust else SYNTAX_ERRORS)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError("Missing required field Effect" if is_trust and "Effect" not in statement else SYNTAX_ERRORS)
    for one, other in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if one in statement and other in statement:
            raise PolicyError(SYNTAX_ERRORS)
    has_principal = "Principal" in statement or "NotPrincipal" in statement
    if kind in ("identity", "boundary", "session"):
        if has_principal:
            raise PolicyError("Policy document should not specify a principal.")
    elif not has_principal:
        raise PolicyError("Missing required field Principal")
    if is_trust:
        for prohibited in ("Resource", "NotResource", "NotPrincipal"):
            if prohibited in statement:
                raise PolicyError(f"Has prohibited field {prohibited}")


def _texts(value: object) -> list[str]:
    values: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one for one in values):
        raise PolicyError(SYNTAX_ERRORS)
    return values


def _actions(statement: Mapping[str, Any], kind: PolicyKind) -> Actions:
    if "Action" not in statement and "NotAction" not in statement:
        raise PolicyError(
            "Missing required field Action" if kind == "trust" else "Policy statement must contain actions."
        )
    names = _texts(statement["Action"] if "Action" in statement else statement["NotAction"])
    if not names:
        raise PolicyError("Policy statement must contain actions.")
    exact: set[str] = set()
    by_vendor: dict[str, list[Glob]] = {}
    anywhere: list[Glob] = []
    for name in names:
        _check_action(name, kind)
        lower = name.lower()
        vendor = lower.partition(":")[0]
        if "*" not in lower and "?" not in lower:
            exact.add(lower)
            continue
        glob = compile_glob([t for t in parse_pattern(lower, has_variables=False) if isinstance(t, str | Wildcard)])
        if "*" in vendor or "?" in vendor:
            anywhere.append(glob)
        else:
            by_vendor.setdefault(vendor, []).append(glob)
    return Actions(frozenset(exact), {vendor: tuple(globs) for vendor, globs in by_vendor.items()}, tuple(anywhere))


def _check_action(name: str, kind: PolicyKind) -> None:
    if kind == "trust":
        if not _TRUST_ACTIONS.fullmatch(name.lower()):
            raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
        return
    if name == "*":
        return
    colons = name.count(":")
    if colons == 0:
        raise PolicyError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if colons > 1:
        raise PolicyError("Actions/Condition can contain only one colon.")
    vendor, _, action = name.partition(":")
    if not action or not re.fullmatch(r"[A-Za-z0-9*?-]+", vendor, re.ASCII):
        raise PolicyError(f"Vendor {vendor} is not valid")


def _resources(statement: Mapping[str, Any], kind: PolicyKind, *, has_variables: bool) -> tuple[ResourcePattern, ...]:
    if kind == "trust":
        return (compile_resource("*", has_variables=False),)
    if "Resource" not in statement and "NotResource" not in statement:
        raise PolicyError("Policy statement must contain resources.")
    names = _texts(statement["Resource"] if "Resource" in statement else statement["NotResource"])
    if not names:
        raise PolicyError("Policy statement must contain resources.")
    if kind != "resource":  # services have forms of their own there, such as execute-api:/stage/GET/path
        for name in names:
            _check_resource(name)
    try:
        return tuple(compile_resource(name, has_variables=has_variables) for name in names)
    except PatternError as error:
        raise PolicyError(str(error)) from error


def _check_resource(name: str) -> None:
    if set(name) <= {"*"} or name.startswith("${"):
        return
    parts = name.split(":", 5)
    if parts[0] != "arn":
        raise PolicyError(f'Resource {name} must be in ARN format or "*".')
    if len(parts) > 1 and parts[1] not in PARTITIONS and "$" not in parts[1]:
        raise PolicyError(f'Partition "{parts[1]}" is not valid for resource "{name}".')
    if len(parts) < 6 and not name.endswith("*") and "$" not in name:
        raise PolicyError("The policy failed legacy parsing")


class CompiledPolicies:
    """Compiled documents by (name, text), at most `count_max`; the one that was compiled first goes first."""

    def __init__(self, count_max: int = 4_096) -> None:
        self._count_max = count_max
        self._compiled: dict[tuple[PolicyKind, str, str], Policy] = {}

    def get(self, text: str, kind: PolicyKind, *, name: str = "") -> Policy:
        """Give the compiled document. Raises: PolicyError."""
        key = (kind, name, text)
        found = self._compiled.get(key)
        if found is None:
            found = parse_policy(text, kind, name=name)
            if len(self._compiled) >= self._count_max:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = found
        return found
