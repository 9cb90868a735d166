"""The Rules section: assertions about parameters, checked before anything is made.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.document import Template
from gatepost.templates.intrinsics import EvaluationFault, Evaluator, Scope, comparable, function_name, scalar_text
from gatepost.templates.problems import Path, Problem

RULE_KEYS: Final = ("RuleCondition", "Assertions")
_LOOK_UPS: Final = ("Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll")


def broken_rules(template: Template, scope: Scope) -> list[Problem]:
    """Give a problem for each assertion that does not hold, and for each rule that cannot be evaluated."""
    problems: list[Problem] = []
    decider = _Decider(scope)
    for name, rule in template.rules.items():
        path: Path = ("Rules", name)
        try:
            problems.extend(template.where.problem(inner, message) for inner, message in _broken(rule, path, decider))
        except EvaluationFault as fault:
            problems.append(template.where.problem(fault.path, fault.message))
    return problems


def _broken(rule: Mapping[str, Any], path: Path, decider: _Decider) -> list[tuple[Path, str]]:
    for key in rule:
        if key not in RULE_KEYS:
            raise EvaluationFault((*path, key), f"{key!r} is no attribute of a rule: use one of {', '.join(RULE_KEYS)}")
    if "RuleCondition" in rule and not decider.decide(rule["RuleCondition"], (*path, "RuleCondition")):
        return []
    assertions = rule.get("Assertions")
    if not isinstance(assertions, list):
        raise EvaluationFault(path, "a rule needs a list of Assertions")
    found: list[tuple[Path, str]] = []
    for index, assertion in enumerate(assertions):
        inner: Path = (*path, "Assertions", index)
        if not isinstance(assertion, dict) or "Assert" not in assertion:
            raise EvaluationFault(inner, "an assertion is a mapping with Assert and AssertDescription")
        if not decider.decide(assertion["Assert"], (*inner, "Assert")):
            reason = assertion.get("AssertDescription", "the assertion does not hold")
            found.append((inner, f"Template validation error: rule {path[-1]}: {reason}"))
    return found


class _Decider:
    """Evaluates rule functions to true or false."""

    def __init__(self, scope: Scope) -> None:
        self._evaluator = Evaluator(scope, None)

    def decide(self, node: Any, path: Path) -> bool:
        name = function_name(node, in_condition=True) if isinstance(node, dict) else None
        inner: Path = (*path, str(name))
        if name in _LOOK_UPS:
            raise EvaluationFault(inner, f"{name} looks resources up that are not here: assert on the value itself")
        if name in ("Fn::And", "Fn::Or"):
            decisions = [self.decide(member, (*inner, index)) for index, member in enumerate(node[name])]
            return all(decisions) if name == "Fn::And" else any(decisions)
        if name == "Fn::Not":
            return not self.decide(node[name][0], (*inner, 0))
        if name in ("Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"):
            return self._about_lists(name, node[name], inner)
        return self._evaluator.decide(node, path)

    def _about_lists(self, name: str, argument: Any, path: Path) -> bool:
        if not isinstance(argument, list) or len(argument) != 2:
            raise EvaluationFault(path, f"{name} takes a list of two arguments")
        first = self._list(argument[0], (*path, 0))
        if name == "Fn::Contains":
            return comparable(self._evaluator.value(argument[1], (*path, 1))) in first
        if name == "Fn::EachMemberEquals":
            wanted = comparable(self._evaluator.value(argument[1], (*path, 1)))
            return all(member == wanted for member in first)
        return set(first) <= set(self._list(argument[1], (*path, 1)))

    def _list(self, node: Any, path: Path) -> list[str]:
        value = self._evaluator.value(node, path)
        if not isinstance(value, list):
            raise EvaluationFault(path, "a list was expected")
        return [scalar_text(item) for item in value]
