"""What guards ask of policies. `awsapi.authorization.Authorizer` answers."""

from __future__ import annotations

from typing import Protocol

from gatepost.kernel.operations import Access, Call
from gatepost.languages.iam_policy import Policy
from gatepost.languages.iam_policy_evaluation import Decision
from gatepost.languages.iam_policy_trace import JointEvidence


class PolicyDecisions(Protocol):
    """Decides by a principal's own policies, or by others that are handed in, and the resource's policy."""

    def check(self, call: Call, access: Access) -> None:
        """Return when it is allowed. Raises: AccessDeniedException with AWS's sentence."""
        ...

    def decide(self, call: Call, access: Access) -> Decision:
        """Give the decision with what made it."""
        ...

    def judge(self, call: Call, access: Access, identity: tuple[Policy, ...]) -> Decision:
        """Decide for someone who is no principal and brings `identity` along: a deny is final, one allow is enough."""
        ...

    def evidence_of(self, call: Call, access: Access, identity: tuple[Policy, ...]) -> JointEvidence:
        """Give why `judge` decides as it does, to be rendered when someone asks."""
        ...
