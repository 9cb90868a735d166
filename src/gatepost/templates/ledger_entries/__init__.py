"""The ledger's entries, one module per service."""

from __future__ import annotations

from gatepost.templates.ledger import TypeEntry
from gatepost.templates.ledger_entries import apigateway, cloudformation, dynamodb, iam, lambda_, logs


def all_entries() -> list[TypeEntry]:
    """Give the entries of all types."""
    return [
        *apigateway.entries(),
        *cloudformation.entries(),
        *dynamodb.entries(),
        *iam.entries(),
        *lambda_.entries(),
        *logs.entries(),
    ]
