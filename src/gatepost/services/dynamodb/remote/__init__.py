"""Tables that live in a cluster of the operator's (`--tables URL`): DynamoDB itself, or what speaks its API."""
