"""May this principal do this to that? AWS's documented order, on compiled policies.

1. An explicit deny in any policy ends it.
2. Root may do everything in its own account, and needs the resource's policy elsewhere.
3. The resource's policy. In one account it can be enough alone: a grant to a user, a role session or everyone is
   final (for everyone AWS says so of `aws:PrincipalArn` conditions); a grant to a role leaves permissions boundary
   and session policies to pass; a grant to an account is none. Across accounts it must allow, and the principal's own
   policies must allow too. A role's trust policy must always allow.
4. Permissions boundary, session policies and identity policies must each have an Allow.

The order of the layers does not change whether a request is allowed, only which layer is named as the reason.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html

A decision is *constant* when no statement that could have made a difference looked at more than principal, action and
resource: it may be remembered for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from gatepost.languages.iam_policy import Policy, Statement
from gatepost.languages.iam_policy_patterns import Keys
from gatepost.languages.iam_policy_principals import Grant, Subject

Layer = Literal[
    "identity-based policy",
    "resource-based policy",
    "permissions boundary",
    "session policy",
    "role trust policy",
    "root",
    "",
]

IDENTITY: Final[Layer] = "identity-based policy"
RESOURCE: Final[Layer] = "resource-based policy"
BOUNDARY: Final[Layer] = "permissions boundary"
SESSION: Final[Layer] = "session policy"
TRUST: Final[Layer] = "role trust policy"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: whether `subject` may do `action` to `resource`, which belongs to `account_id`."""

    subject: Subject
    action: str
    resource: str
    account_id: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything that has a say. `session` None: no session policy was passed; () allows nothing."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    resource: Policy | None = None
    is_trust: bool = False  # `resource` is a role's trust policy, which must allow even in its own account


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and what made it. `statement` is a Sid or an index; both names are empty for an implicit deny."""

    is_allowed: bool
    is_explicit: bool
    layer: Layer
    policy: str = ""
    statement: str = ""
    is_constant: bool = True

    def reason(self, action: str) -> str:
        """Give the end of AWS's sentence for a refusal, from "because" or "with" on.

        Empty for a trust policy: who is not trusted does not learn whether there is such a role.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
        """
        if self.layer == TRUST:
            return ""
        if self.is_explicit:
            return f"with an explicit deny in {'an' if self.layer == IDENTITY else 'a'} {self.layer}"
        return f"because no {self.layer} allows the {action} action"

    def sentence(self, subject_arn: str, action: str, resource: str) -> str:
        """Give AWS's whole sentence for a refusal. `resource` "*" is not spoken of."""
        on = "" if resource == "*" else f" on resource: {resource}"
        return f"User: {subject_arn} is not authorized to perform: {action}{on} {self.reason(action)}".rstrip()


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that applies, and the policy that it is in."""

    policy: Policy
    statement: Statement


class _Search:
    """One question's walk through statements; notices when one of them looks at the request."""

    __slots__ = ("_action", "_keys", "_question", "is_constant")

    def __init__(self, question: Question) -> None:
        self._question = question
        self._action = question.action.lower()
        self._keys = question.keys
        self.is_constant = True

    def applies(self, statement: Statement) -> bool:
        """Say whether resource and conditions fit; the action does."""
        if statement.resource_reads_request:
            self.is_constant = False
        if not statement.names_resource(self._question.resource, self._keys):
            return False
        if statement.condition_reads_request:
            self.is_constant = False
        return statement.conditions_hold(self._keys)

    def first(self, policies: Iterable[Policy], *, is_allow: bool) -> Match | None:
        """Find the first statement with that effect that applies, whoever it names."""
        for policy in policies:
            for statement in policy.about(self._action, is_allow=is_allow):
                if self.applies(statement):
                    return Match(policy, statement)
        return None

    def denied_by_resource(self, policy: Policy) -> Match | None:
        """Find a Deny of a resource policy that is about the subject."""
        for statement in policy.about(self._action, is_allow=False):
            principals = statement.principals
            if principals is not None and principals.denies(self._question.subject) and self.applies(statement):
                return Match(policy, statement)
        return None

    def granted_by_resource(self, policy: Policy) -> tuple[Grant, Match | None]:
        """Find the strongest Allow of a resource policy that names the subject."""
        best, match = Grant.NONE, None
        for statement in policy.about(self._action, is_allow=True):
            if statement.principals is None:
                continue
            grant = statement.principals.grant(self._question.subject)
            if grant > best and self.applies(statement):
                best, match = grant, Match(policy, statement)
        return best, match


def decide(question: Question, policies: Policies) -> Decision:
    """Answer a question. Pure, and never raises for a policy that was compiled."""
    search = _Search(question)
    denied = _explicit_deny(search, policies)
    if denied is not None:
        return denied
    subject = question.subject
    is_own_account = subject.account_id == question.account_id
    resource_layer = TRUST if policies.is_trust else RESOURCE
    grant, match = Grant.NONE, None
    if policies.resource is not None:
        grant, match = search.granted_by_resource(policies.resource)
    allowed_by_resource = _allowed(search, resource_layer, match)

    if subject.kind in ("service", "anonymous", "web-identity"):
        return allowed_by_resource if match else _refused(search, resource_layer)
    if subject.kind == "root":
        if is_own_account and not policies.is_trust:
            return Decision(True, True, "root", is_constant=search.is_constant)
        return allowed_by_resource if match else _refused(search, resource_layer)
    if policies.is_trust and not match:
        return _refused(search, TRUST)
    if is_own_account and grant is Grant.DIRECT:
        return allowed_by_resource
    if is_own_account and grant is Grant.ROLE:
        return _limits(search, policies) or allowed_by_resource
    if not is_own_account and not match:
        return _refused(search, RESOURCE)
    return _own_policies(search, policies)


def _explicit_deny(search: _Search, policies: Policies) -> Decision | None:
    boundary = () if policies.boundary is None else (policies.boundary,)
    for layer, group in ((IDENTITY, policies.identity), (BOUNDARY, boundary), (SESSION, policies.session or ())):
        match = search.first(group, is_allow=False)
        if match is not None:
            return _denied(search, layer, match)
    if policies.resource is not None:
        match = search.denied_by_resource(policies.resource)
        if match is not None:
            return _denied(search, TRUST if policies.is_trust else RESOURCE, match)
    return None


def _own_policies(search: _Search, policies: Policies) -> Decision:
    """Ask identity policies, then what limits them. Identity is named first when several are silent: `unverified`."""
    match = search.first(policies.identity, is_allow=True)
    if match is None:
        return _refused(search, IDENTITY)
    return _limits(search, policies) or _allowed(search, IDENTITY, match)


def _limits(search: _Search, policies: Policies) -> Decision | None:
    """Refuse when permissions boundary or session policies have no Allow."""
    if policies.boundary is not None and search.first((policies.boundary,), is_allow=True) is None:
        return _refused(search, BOUNDARY)
    if policies.session is not None and search.first(policies.session, is_allow=True) is None:
        return _refused(search, SESSION)
    return None


def _allowed(search: _Search, layer: Layer, match: Match | None) -> Decision:
    policy, statement = (match.policy.name, match.statement.label) if match else ("", "")
    return Decision(True, True, layer, policy, statement, search.is_constant)


def _denied(search: _Search, layer: Layer, match: Match) -> Decision:
    return Decision(False, True, layer, match.policy.name, match.statement.label, search.is_constant)


def _refused(search: _Search, layer: Layer) -> Decision:
    return Decision(False, False, layer, is_constant=search.is_constant)
