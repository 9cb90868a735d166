"""Every resource handler by type, and the compiler with its ledger: what `app.py` builds the engine from."""

from __future__ import annotations

from pathlib import Path

from gatepost.templates.compile import TemplateCompiler
from gatepost.templates.ledger import Ledger, TypeEntry
from gatepost.templates.ledger_entries import apigateway as apigateway_entries
from gatepost.templates.ledger_entries import apigateway_usage as apigateway_usage_entries
from gatepost.templates.ledger_entries import cloudformation as cloudformation_entries
from gatepost.templates.ledger_entries import cloudwatch as cloudwatch_entries
from gatepost.templates.ledger_entries import cognito_identity as cognito_identity_entries
from gatepost.templates.ledger_entries import cognito_idp as cognito_idp_entries
from gatepost.templates.ledger_entries import domain_names as domain_name_entries
from gatepost.templates.ledger_entries import dynamodb as dynamodb_entries
from gatepost.templates.ledger_entries import events as events_entries
from gatepost.templates.ledger_entries import iam as iam_entries
from gatepost.templates.ledger_entries import lambda_ as lambda_entries
from gatepost.templates.ledger_entries import logs as logs_entries
from gatepost.templates.ledger_entries import secretsmanager as secretsmanager_entries
from gatepost.templates.ledger_entries import ssm as ssm_entries
from gatepost.templates.resources import (
    apigateway,
    apigateway_documentation,
    apigateway_guards,
    apigateway_stages,
    apigateway_usage,
    certificates,
    cloudformation,
    cloudwatch,
    cognito_identity,
    cognito_idp,
    domain_names,
    dynamodb,
    events,
    iam,
    lambda_,
    logs,
    private_domain_names,
    secretsmanager,
    ssm,
)
from gatepost.templates.resources.base import ResourceHandler
from gatepost.templates.sam import SamTranslator
from gatepost.templates.specification import Specification
from gatepost.templates.transforms import Transforms


def resource_handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of all types that the engine creates."""
    return {
        **apigateway.handlers(),
        **apigateway_documentation.handlers(),
        **apigateway_guards.handlers(),
        **apigateway_stages.handlers(),
        **apigateway_usage.handlers(),
        **certificates.handlers(),
        **cloudformation.handlers(),
        **cloudwatch.handlers(),
        **cognito_identity.handlers(),
        **cognito_idp.handlers(),
        **domain_names.handlers(),
        **private_domain_names.handlers(),
        **dynamodb.handlers(),
        **events.handlers(),
        **iam.handlers(),
        **lambda_.handlers(),
        **logs.handlers(),
        **secretsmanager.handlers(),
        **ssm.handlers(),
    }


def all_entries() -> list[TypeEntry]:
    """Give the ledger's entries of all types."""
    return [
        *apigateway_entries.entries(),
        *apigateway_usage_entries.entries(),
        *cloudformation_entries.entries(),
        *cloudwatch_entries.entries(),
        *cognito_identity_entries.entries(),
        *cognito_idp_entries.entries(),
        *domain_name_entries.entries(),
        *dynamodb_entries.entries(),
        *events_entries.entries(),
        *iam_entries.entries(),
        *lambda_entries.entries(),
        *logs_entries.entries(),
        *secretsmanager_entries.entries(),
        *ssm_entries.entries(),
    ]


def template_compiler(cache_dir: Path) -> TemplateCompiler:
    """Build a compiler; SAM's output is cached below `cache_dir`, which need not exist yet."""
    specification = Specification.load()
    ledger = Ledger(specification, all_entries())
    return TemplateCompiler(specification, ledger, Transforms(SamTranslator(cache_dir)))
