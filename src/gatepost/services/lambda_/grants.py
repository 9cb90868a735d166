"""The resource policies of all functions, compiled. The gateway asks whether an API may invoke a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.ports import Replica
from gatepost.languages.iam_policy import Policy
from gatepost.services.lambda_.model import ALIAS, FUNCTION
from gatepost.services.lambda_.policy import allows, compile_policy

ANSWERS_MAX: Final = 10_000


class FunctionGrants:
    """Follows the functions' policies; an answer is remembered until one of them changes. Unknown functions: no."""

    def __init__(self) -> None:
        self._policies: dict[str, Policy | None] = {}
        self._answers: dict[tuple[str, str, str], bool] = {}

    def watch(self, replica: Replica) -> None:
        """Follow what is published: functions, versions and aliases each have a policy of their own."""
        replica.watch(FUNCTION, self.changed)
        replica.watch(ALIAS, self.changed)

    def changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take the policy of a function, a version or an alias as it is from now on."""
        self._answers.clear()
        if value is None:
            self._policies.pop(arn, None)
        else:
            self._policies[arn] = compile_policy(value["policy"])

    def allow(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether `service` (apigateway.amazonaws.com), acting for `source_arn`, may invoke the function."""
        key = (function_arn, service, source_arn)
        answer = self._answers.get(key)
        if answer is None:
            policy = self._policies.get(function_arn)
            answer = allows(policy, service=service, function_arn=function_arn, source_arn=source_arn)
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            self._answers[key] = answer
        return answer
