"""AWS's page "Patch operations" and our tables say the same, row by row; what we take beyond it is named, with why."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.services.apigateway import (
    account,
    api_keys,
    authorizers,
    client_certificates,
    deployments,
    documentation_parts,
    documentation_versions,
    domain_mappings,
    domain_patches,
    gateway_responses,
    integrations,
    methods,
    models,
    request_validators,
    resources,
    rest_apis,
    stages,
    usage,
    usage_plan_patches,
)

TABLES = {
    "UpdateAccount": account._PATCHES,
    "UpdateApiKey": api_keys._PATCHES,
    "UpdateAuthorizer": authorizers.PATCHES,
    "UpdateBasePathMapping": domain_mappings._PATCHES,
    "UpdateClientCertificate": client_certificates.PATCHES,
    "UpdateDeployment": deployments._PATCHES,
    "UpdateDocumentationPart": documentation_parts.PATCHES,
    "UpdateDocumentationVersion": documentation_versions.PATCHES,
    "UpdateDomainName": domain_patches.DOMAIN_PATCHES,
    "UpdateGatewayResponse": gateway_responses._PATCHES,
    "UpdateIntegration": integrations._INTEGRATION_PATCHES,
    "UpdateIntegrationResponse": integrations._RESPONSE_PATCHES,
    "UpdateMethod": methods._METHOD_PATCHES,
    "UpdateMethodResponse": methods._RESPONSE_PATCHES,
    "UpdateModel": models._PATCHES,
    "UpdateRequestValidator": request_validators.PATCHES,
    "UpdateResource": resources._PATCHES,
    "UpdateRestApi": rest_apis._PATCHES,
    "UpdateStage": stages._PATCHES,
    "UpdateUsage": usage._PATCHES,
    "UpdateUsagePlan": usage_plan_patches._TABLE,
}
# What AWS takes though its page does not say so.
BEYOND = {
    ("UpdateBasePathMapping", "/basePath", "replace"): "AWS's own examples and Terraform spell it so",
    ("UpdateDomainName", "/endpointConfiguration/types/*", "replace"): "Terraform sends it",
    ("UpdateIntegration", "/credentials", "replace"): "Terraform sends it",
    ("UpdateStage", "/*/*", "remove"): "Terraform takes a method's settings away with it",
    ("UpdateStage", "/canarySettings/stageVariableOverrides", "remove"): "JSON Patch's counterpart of replace",
    ("UpdateStage", "/canarySettings/stageVariableOverrides/*", "add remove replace"): "the guide on canaries",
    ("UpdateStage", "/variables", "copy"): "the guide on canaries promotes so",
    ("UpdateStage", "/variables/*", "add remove"): "Terraform sends them",
}
NOT_OURS = {"UpdateVpcLink"}  # there are no VPC links


def the_page() -> dict[tuple[str, str], set[str]]:
    text = Path(__file__).with_name("patch_operations.txt").read_text()
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return {(operation, path): set(ops) for operation, path, *ops in lines if operation not in NOT_OURS}


def ours() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for operation, table in TABLES.items():
        for rule in table.rules:
            found.setdefault((operation, rule.pattern), set()).update(rule.ops)
    return found


def on_the_page(operation: str, pattern: str, page: dict[tuple[str, str], set[str]]) -> tuple[str, str]:
    """Give the page's row for one of our rules: its path may be that of the map that the rule's entries are in."""
    whole = (operation, pattern.removesuffix("/*"))
    return whole if (operation, pattern) not in page and whole in page else (operation, pattern)


def test_every_row_of_the_page_is_a_rule_with_the_same_ops_and_nothing_else_is():
    page = the_page()
    rules: dict[tuple[str, str], set[str]] = {}
    for (operation, pattern), ops in ours().items():
        beyond = set(" ".join(o for (n, p, o) in BEYOND if (n, p) == (operation, pattern)).split())
        assert beyond <= ops, (operation, pattern, "is not taken any more: take its line out of BEYOND")
        if ops - beyond:
            rules.setdefault(on_the_page(operation, pattern, page), set()).update(ops - beyond)
    assert rules == page


@pytest.mark.parametrize("operation", sorted(TABLES))
def test_no_two_rules_of_a_table_take_the_same_op_on_one_path(operation):
    seen = [(rule.pattern, op) for rule in TABLES[operation].rules for op in rule.ops]
    assert len(seen) == len(set(seen))
