"""The process in which AWS's SAM translator runs: a job as JSON on stdin, the result as JSON on stdout.

Nothing else imports the translator: it brings boto3 and pydantic, a second of start-up and 46 MB. It never reaches
the network: the region is given, managed policies come from the translator's own list.
Source: https://github.com/aws/serverless-application-model
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from resource import RLIMIT_CPU, setrlimit
from typing import Any, Final

CPU_S_MAX: Final = 60
SERVERLESS: Final = "AWS::Serverless::"
UNDEFINED: Final = "not defined for resource of type"  # the translator's words for the first property it does not know


class StaticPolicies:
    """Stands where the translator would ask IAM for the managed policies' ARNs."""

    def load(self) -> dict[str, str]:
        """Give no more than the translator's own list has."""
        from samtranslator.internal.managed_policies import get_bundled_managed_policy_map

        return get_bundled_managed_policy_map("aws") or {}


def translate(job: Mapping[str, Any]) -> dict[str, Any]:
    """Translate one template; give `template` and `origins`, or `problems`."""
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.arn_generator import ArnGenerator

    template, region = job["template"], job["region"]
    ArnGenerator.BOTO_SESSION_REGION_NAME = region
    parameters = {**job["parameters"], "AWS::Region": region, "AWS::Partition": "aws"}
    made: dict[str, str] = {}
    watch(made)
    found = misspelt(template)  # now: the translator adds properties of its own
    try:
        translated = transform(template, parameters)
    except InvalidDocumentException as refusal:
        told = [described(cause) for cause in refusal.causes]
        return {"problems": [*found, *(each for each in told if not (found and UNDEFINED in each["message"]))]}
    origins = {logical_id: made.get(logical_id, "") for logical_id in translated["Resources"]}
    return {"template": translated, "origins": {key: value for key, value in origins.items() if value}}


def transform(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Run the translator over one template."""
    from samtranslator.translator.transform import transform as run

    policies: Any = StaticPolicies()
    translated: dict[str, Any] = run(template, parameters, policies, passthrough_metadata=True)
    return translated


def watch(made: dict[str, str]) -> None:
    """Note for every generated resource which SAM resource it came from.

    The translator asks `macro.to_cloudformation` of each SAM resource in turn; the ids of what that returns are the
    generated ones. Wrapping the resolver's result is the one place where both are known.
    """
    from samtranslator.model import ResourceTypeResolver

    resolve = ResourceTypeResolver.resolve_resource_type

    def resolved(self: Any, declared: Any) -> Any:
        kind = resolve(self, declared)
        if kind is None:
            return kind
        inner = kind.to_cloudformation
        if getattr(inner, "is_watched", False):
            return kind

        def to_cloudformation(macro: Any, **parts: Any) -> Any:
            origin = macro.logical_id
            generated = inner(macro, **parts)
            for resource in generated:
                made.setdefault(resource.logical_id, origin)
            return generated

        to_cloudformation.is_watched = True  # type: ignore[attr-defined]
        kind.to_cloudformation = to_cloudformation
        return kind

    ResourceTypeResolver.resolve_resource_type = resolved


def misspelt(template: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give every property that a SAM resource does not have: the translator stops at the first one of each."""
    declared = template.get("Resources")
    found = []
    for logical_id, resource in declared.items() if isinstance(declared, dict) else ():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        kind = str(resource["Type"]) if isinstance(properties, dict) and "Type" in resource else ""
        known = properties_of(kind)
        for name in properties if known and isinstance(properties, dict) else ():
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.6)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
                message = f"{kind} has no property {name}: {hint}"
                found.append({"message": message, "logical_id": logical_id, "property": name})
    return found


@cache
def properties_of(kind: str) -> tuple[str, ...]:
    """Give the names of a SAM type's properties, in order; none when it is no SAM type, or one that takes any name."""
    from samtranslator.model import sam_resources

    for each in vars(sam_resources).values():
        if kind.startswith(SERVERLESS) and getattr(each, "resource_type", None) == kind and each.validate_setattr:
            return tuple(sorted(name for name in each.property_types if not name.startswith("__")))
    return ()


def described(cause: Any) -> dict[str, str]:
    """Give one of the translator's complaints with the resource that it is about."""
    return {"message": str(cause.message), "logical_id": str(getattr(cause, "_logical_id", "") or "")}


def main() -> None:
    """Translate the job on stdin, in at most `CPU_S_MAX` seconds of processor time: a busy machine is not its fault."""
    setrlimit(RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    job = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(translate(job)))


if __name__ == "__main__":
    main()
