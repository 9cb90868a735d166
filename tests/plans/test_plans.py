"""Does this change of a template become this plan? Each case is a folder-less file: before, after, plan.

Review the difference when a case changes. `UPDATE_PLANS=1 pytest tests/plans` writes what comes out.
"""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.stacks import a_stack_world

CASES = sorted((Path(__file__).parent / "templates").glob("*.txt"))
RULE = "\n--- {} ---\n"


def rendered(changes):
    lines = []
    for change in changes:
        found = change["ResourceChange"]
        head = f"{found['Action']} {found['LogicalResourceId']} {found['ResourceType']}"
        if found.get("Replacement"):
            head += f" replacement={found['Replacement']}"
        if found.get("PolicyAction"):
            head += f" policy={found['PolicyAction']}"
        lines.append(head)
        for detail in found["Details"]:
            target = detail["Target"]
            why = f"    {target.get('Path', target['Attribute'])} {target['RequiresRecreation']} {detail['Evaluation']}"
            lines.append(why + (f" by {detail['CausingEntity']}" if "CausingEntity" in detail else ""))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_change_of_a_template_becomes_its_plan(path, tmp_path):
    before, rest = path.read_text().split(RULE.format("after"))
    after, expected = rest.split(RULE.format("plan"))

    async def scenario():
        async with a_stack_world(tmp_path) as world:
            if before.strip():
                stack = await world.deploy(before)
                assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
            made = await world.cfn(
                "CreateChangeSet",
                StackName="shop",
                ChangeSetName="plan",
                ChangeSetType="UPDATE" if before.strip() else "CREATE",
                TemplateBody=after,
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            return await world.cfn("DescribeChangeSet", ChangeSetName=made["Id"])

    plan = rendered(asyncio.run(scenario())["Changes"])
    if os.environ.get("UPDATE_PLANS"):
        path.write_text(f"{before}{RULE.format('after')}{after}{RULE.format('plan')}{plan}")
    assert plan == expected
