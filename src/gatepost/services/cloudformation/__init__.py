"""AWS CloudFormation: stacks, events and change sets."""
