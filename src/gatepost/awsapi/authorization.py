"""Whether a principal may do what a call does: condition keys, the evaluator, and AWS's sentence for a refusal.

Every operation of every service passes here, so the usual case must cost next to nothing: a decision that depended on
principal, action and resource alone is remembered for that access key, until any IAM record changes. A decision for
which some statement looked at more of the request is made again each time.

Global condition keys: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from gatepost.awsapi.errors import UnrecognizedClientException
from gatepost.kernel.clock import iso_8601
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.languages.iam_policy import CompiledPolicies, Policy, PolicyError, deny_everything
from gatepost.languages.iam_policy_evaluation import Decision, Policies, Question, decide
from gatepost.languages.iam_policy_patterns import KeyValue
from gatepost.languages.iam_policy_principals import Subject
from gatepost.languages.iam_policy_trace import Evidence, JointEvidence

Denied = Callable[[Call, AccessDeniedException], None]
DECISIONS_MAX: Final = 10_000  # a few MB; a principal uses few actions on few resources
ASSUME_ROLE_ACTIONS: Final = frozenset({"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"})


class PrincipalPolicies(Protocol):
    """The policies that a principal brings along (`services.iam.directory.OwnPolicies`)."""

    @property
    def identity(self) -> tuple[Policy, ...]:
        """Give the identity-based policies."""
        ...

    @property
    def boundary(self) -> Policy | None:
        """Give the permissions boundary."""
        ...

    @property
    def session(self) -> tuple[Policy, ...] | None:
        """Give the session policies; None when none was passed."""
        ...


class PolicySource(Protocol):
    """Where principals' compiled policies come from (`services.iam.directory.Directory`)."""

    compiled: CompiledPolicies
    generation: int

    def policies_of(self, principal: Principal) -> PrincipalPolicies:
        """Give a principal's policies as they are now."""
        ...


class RequestKeys:
    """The condition keys of one call, worked out when a statement asks for one."""

    __slots__ = ("_access", "_call")

    def __init__(self, call: Call, access: Access) -> None:
        self._call = call
        self._access = access

    def get(self, name: str, /) -> KeyValue | None:
        """Give a key by its lower-case name; None when this request does not have it."""
        value = self._access.context.get(name)  # never walked through: a provider may work its keys out on demand
        if value is not None:
            return value
        read = _GLOBAL_KEYS.get(name)
        if read is not None:
            return read(self._call)
        if name.startswith("aws:principaltag/"):
            wanted = name.removeprefix("aws:principaltag/")
            return next((v for key, v in self._call.principal.tags if key.lower() == wanted), None)
        if name == "aws:resourceaccount":
            return account_of(self._access.resource) or self._call.account_id
        return next((value for key, value in self._call.principal.provider_keys if key == name), None)


def _principal_arn(call: Call) -> str | None:
    principal = call.principal
    if principal.kind in ("service", "anonymous"):
        return None
    return principal.role_arn or principal.arn


def _principal_type(call: Call) -> str | None:
    kinds = {
        "root": "Account",
        "user": "User",
        "assumed-role": "AssumedRole",
        "federated": "FederatedUser",
        "anonymous": "Anonymous",
    }
    return kinds.get(call.principal.kind)


def _user_id(call: Call) -> str:
    return "anonymous" if call.principal.kind == "anonymous" else call.principal.principal_id


def _token_issue_time(call: Call) -> str | None:
    issued = call.principal.token_issued_at_ms
    return f"{iso_8601(issued)[:19]}Z" if issued else None


def _has_mfa(call: Call) -> str | None:
    """Only temporary credentials have the key."""
    if not call.principal.token_issued_at_ms:
        return None
    return "true" if call.principal.mfa_at_ms else "false"


def _mfa_age(call: Call) -> str | None:
    """Give the seconds since the second factor was shown, for credentials that were made with one."""
    mfa_at_ms = call.principal.mfa_at_ms
    return str(max(0, call.now_ms - mfa_at_ms) // 1000) if mfa_at_ms else None


def _if_known(text: str) -> str | None:
    return text or None


_GLOBAL_KEYS: Final[Mapping[str, Callable[[Call], KeyValue | None]]] = {
    "aws:calledvia": lambda call: call.called_via or None,
    "aws:calledviafirst": lambda call: call.called_via[0] if call.called_via else None,
    "aws:calledvialast": lambda call: call.called_via[-1] if call.called_via else None,
    "aws:currenttime": lambda call: f"{iso_8601(call.now_ms)[:19]}Z",
    "aws:epochtime": lambda call: str(call.now_ms // 1000),
    "aws:multifactorauthage": _mfa_age,
    "aws:multifactorauthpresent": _has_mfa,
    "aws:principalaccount": lambda call: None if call.principal.kind == "anonymous" else call.principal.account_id,
    "aws:principalarn": _principal_arn,
    "aws:principalisawsservice": lambda call: "true" if call.principal.kind == "service" else "false",
    "aws:principalservicename": lambda call: call.principal.name if call.principal.kind == "service" else None,
    "aws:principaltype": _principal_type,
    "aws:requestedregion": lambda call: call.region or "us-east-1",
    "aws:securetransport": lambda call: "true" if call.is_tls else "false",
    "aws:sourceidentity": lambda call: _if_known(call.principal.source_identity),
    # "This key is included in the request context, except when the requester uses a VPC endpoint"
    "aws:sourceip": lambda call: None if call.called_via or call.source_vpc_endpoint else _if_known(call.source_ip),
    "aws:sourcevpc": lambda call: _if_known(call.source_vpc),
    "aws:sourcevpce": lambda call: _if_known(call.source_vpc_endpoint),
    "aws:tokenissuetime": _token_issue_time,
    "aws:useragent": lambda call: _if_known(call.user_agent),
    "aws:userid": _user_id,
    "aws:username": lambda call: call.principal.name if call.principal.kind == "user" else None,
    "aws:vpcsourceip": lambda call: _if_known(call.source_ip) if call.source_vpc_endpoint else None,
    "aws:viaawsservice": lambda call: "true" if call.called_via else "false",
}


def account_of(resource: str) -> str:
    """Give the account number in an ARN, empty when it has none (AWS's own policies belong to `aws`)."""
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else ""


def subject_of(principal: Principal) -> Subject:
    """Give a principal as policies see it."""
    return Subject(
        kind=principal.kind,
        account_id=principal.account_id,
        arn=principal.arn,
        role_arn=principal.role_arn,
        principal_id=principal.principal_id,
        service=principal.name if principal.kind == "service" else "",
    )


class Authorizer:
    """Implements `kernel.ports.Authorization` on a directory of principals."""

    def __init__(
        self, source: PolicySource, denied: Denied | None = None, *, decisions_max: int = DECISIONS_MAX
    ) -> None:
        """Take where policies come from; `denied` hears of every refusal; `decisions_max` are remembered."""
        self._decisions_max = decisions_max
        self._source = source
        self._denied = denied
        self._generation = source.generation
        self._decisions: dict[tuple[str | tuple[str, ...], str, str, str | None], Decision] = {}

    def check(self, call: Call, access: Access) -> None:
        """Return when the call's principal may do `access`.

        Raises: AccessDeniedException; UnrecognizedClientException for credentials that the service does not take.
        """
        decision = self.decide(call, access)
        if not decision.is_allowed:
            refusal = _refusal(call.principal, access, decision)
            refusal.evidence = self._evidence(call, access)
            if self._denied is not None:
                self._denied(call, refusal)
            raise refusal
        principal = call.principal
        if principal.token_issued_at_ms and _needs_long_term_key(call):
            raise UnrecognizedClientException("The security token included in the request is invalid.")

    def decide(self, call: Call, access: Access) -> Decision:
        """Give the decision with the policy and statement that made it."""
        if self._generation != self._source.generation:
            self._decisions.clear()
            self._generation = self._source.generation
        principal = call.principal
        key = (
            principal.access_key_id or _without_key(principal),
            access.action,
            access.resource,
            access.resource_policy,
        )
        remembered = self._decisions.get(key)
        if remembered is not None:
            return remembered
        decision = self._evaluate(call, access)
        if key[0] and decision.is_constant:
            if len(self._decisions) >= self._decisions_max:
                self._decisions.clear()
            self._decisions[key] = decision
        return decision

    def judge(self, call: Call, access: Access, identity: tuple[Policy, ...]) -> Decision:
        """Decide for someone who is no principal of ours and brings `identity` along (a Lambda authorizer's policy).

        A deny in it or in the resource's policy is final, an allow in either is enough. Of principals, the resource's
        policy can only mean everyone.
        """
        keys = RequestKeys(call, access)
        account_id = account_of(access.resource) or call.account_id
        bearer = Subject("user", account_id, "")
        own = decide(Question(bearer, access.action, access.resource, account_id, keys), Policies(identity))
        if access.resource_policy is None or (own.is_explicit and not own.is_allowed):
            return own
        question = Question(subject_of(call.principal), access.action, access.resource, account_id, keys)
        given = decide(question, Policies(resource=self._compiled(access.resource_policy, is_trust=False)))
        is_constant = own.is_constant and given.is_constant
        is_denied = given.is_explicit and not given.is_allowed
        decides = is_denied or (given.is_allowed and not own.is_allowed)
        return replace(given if decides else own, is_constant=is_constant)

    def evidence_of(self, call: Call, access: Access, identity: tuple[Policy, ...]) -> JointEvidence:
        """Give why `judge` decides as it does."""
        keys = RequestKeys(call, access)
        account_id = account_of(access.resource) or call.account_id
        bearer = Question(Subject("user", account_id, ""), access.action, access.resource, account_id, keys)
        parts = [Evidence(bearer, Policies(identity))]
        if access.resource_policy is not None:
            everyone = Question(subject_of(call.principal), access.action, access.resource, account_id, keys)
            resource = self._compiled(access.resource_policy, is_trust=False)
            parts.append(Evidence(everyone, Policies(resource=resource)))
        return JointEvidence(tuple(parts))

    def _evaluate(self, call: Call, access: Access) -> Decision:
        evidence = self._evidence(call, access)
        return decide(evidence.question, evidence.policies)

    def _evidence(self, call: Call, access: Access) -> Evidence:
        own = self._source.policies_of(call.principal)
        # The tags of a federated user are nobody's to trust: there is no role.
        is_federated = access.action == "sts:TagSession" and access.resource_policy is None
        is_trust = access.action in ASSUME_ROLE_ACTIONS and not is_federated
        resource_policy = None
        if access.resource_policy is not None:
            resource_policy = self._compiled(access.resource_policy, is_trust=is_trust)
        question = Question(
            subject=subject_of(call.principal),
            action=access.action,
            resource=access.resource,
            account_id=account_of(access.resource) or call.account_id,
            keys=RequestKeys(call, access),
        )
        return Evidence(question, Policies(own.identity, own.boundary, own.session, resource_policy, is_trust))

    def _compiled(self, document: str, *, is_trust: bool) -> Policy:
        try:
            return self._source.compiled.get(document, "trust" if is_trust else "resource")
        except PolicyError:
            return deny_everything()  # a guard fails closed; its owner checks the document when it is set


def _without_key(principal: Principal) -> tuple[str, ...]:
    """Give what decides for a principal without an access key, or () when that can be more than its names.

    An access key stands for one principal with its tags and session policies; these kinds have none.
    """
    if principal.kind in ("root", "service", "anonymous"):
        return (principal.kind, principal.account_id, principal.arn, principal.name)
    return ()


def _needs_long_term_key(call: Call) -> bool:
    """Say whether a call is refused with temporary credentials that are not a role's.

    Those of GetSessionToken reach IAM only when a second factor was shown, and of STS AssumeRole; those of
    GetFederationToken neither. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html,
    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
    """
    kind = call.principal.kind
    if kind in ("user", "root"):
        return (call.service == "iam" and not call.principal.mfa_at_ms) or (
            call.service == "sts" and call.operation != "AssumeRole"
        )
    return kind == "federated" and call.service in ("iam", "sts")


def _refusal(principal: Principal, access: Access, decision: Decision) -> AccessDeniedException:
    message = decision.sentence(principal.arn or "anonymous", access.action, access.resource)
    detail = f"{decision.layer} {decision.policy} statement {decision.statement}" if decision.is_explicit else ""
    return AccessDeniedException(message, detail=detail)
