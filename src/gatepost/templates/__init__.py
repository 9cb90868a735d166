"""Templates become stacks: parse, translate, check, plan and carry out."""
