"""Write `src/gatepost/templates/data/` from AWS's public resource schemas, as cfn-lint ships them.

Run it with the development environment after an update of cfn-lint: `python -m tools.resource_types`.
It writes, for each resource type that Gatepost creates, the full tree of AWS's properties with their types, which of
them cause a replacement, and the attributes that Fn::GetAtt may ask for; and the names of all other types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TYPES = [
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::BasePathMappingV2",
    "AWS::ApiGateway::ClientCertificate",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::DocumentationPart",
    "AWS::ApiGateway::DocumentationVersion",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::DomainNameAccessAssociation",
    "AWS::ApiGateway::DomainNameV2",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::RoutingRule",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::IdentityPoolPrincipalTag",
    "AWS::Cognito::IdentityPoolRoleAttachment",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::Cognito::UserPoolDomain",
    "AWS::Cognito::UserPoolGroup",
    "AWS::Cognito::UserPoolIdentityProvider",
    "AWS::Cognito::UserPoolResourceServer",
    "AWS::Cognito::UserPoolUser",
    "AWS::Cognito::UserPoolUserToGroupAttachment",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::EventBusPolicy",
    "AWS::Events::Rule",
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::ServerCertificate",
    "AWS::IAM::ServiceLinkedRole",
    "AWS::IAM::User",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::UserToGroupAddition",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::Logs::LogStream",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::Logs::ResourcePolicy",
    "AWS::Logs::SubscriptionFilter",
    "AWS::Route53::HostedZone",
    "AWS::Route53::RecordSet",
    "AWS::Route53::RecordSetGroup",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::SecretsManager::Secret",
]
OUT = Path(__file__).parent.parent / "src/gatepost/templates/data"


def main() -> None:
    """Write `types.json` and `type_names.txt`."""
    import cfnlint

    schemas = Path(cfnlint.__file__).parent / "data/schemas"
    index: dict[str, str] = json.loads((schemas / "providers/us-east-1.json").read_text())
    OUT.mkdir(exist_ok=True)
    types = {}
    for name in TYPES:
        schema = json.loads((schemas / f"resources/{index[name]}.json").read_text())
        types[name] = described(schema)
    # The schema leaves the values of a function's variables open; they are texts.
    types["AWS::Lambda::Function"]["definitions"]["Environment"]["object"]["Variables"] = {"map": "string"}
    # The schema lets a key schema be any object as well; it is a list.
    types["AWS::DynamoDB::Table"]["properties"]["KeySchema"] = {"ref": "KeySchema"}
    # The schema leaves out what Fn::GetAtt gives by AWS's reference.
    types["AWS::SSM::Parameter"]["attributes"] = ["Arn", "Type", "Value"]
    lines = [f"  {json.dumps(name)}: {json.dumps(value, sort_keys=True)}" for name, value in types.items()]
    (OUT / "types.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (OUT / "type_names.txt").write_text("\n".join(sorted(index)) + "\n")


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Keep of a schema what the ledger and the engine ask for."""
    read_only = {pointer(path) for path in schema.get("readOnlyProperties", [])}
    writable = {name: shape(value) for name, value in schema["properties"].items() if (name,) not in read_only}
    definitions = {name: shape(value) for name, value in schema.get("definitions", {}).items()}
    create_only = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return {
        "attributes": sorted(".".join(path) for path in read_only),
        "create_only": sorted("/".join(pointer(path)) for path in create_only),
        "definitions": {name: value for name, value in definitions.items() if name in used(writable, definitions)},
        "properties": writable,
        "required": sorted(schema.get("required", [])),
    }


def pointer(path: str) -> tuple[str, ...]:
    """Give the steps of `/properties/Code/S3Key`."""
    return tuple(step for step in path.removeprefix("/properties/").split("/") if step not in ("*", "properties"))


def shape(value: dict[str, Any]) -> Any:
    """Give a property's shape: a type's name, `{"ref"}`, `{"list"}`, `{"map"}` or `{"object", "required"}`."""
    if "$ref" in value:
        return {"ref": value["$ref"].rsplit("/", 1)[1]}
    kinds = value.get("type", "object" if "properties" in value else "json")
    if isinstance(kinds, list):
        return "json" if "object" in kinds or "array" in kinds else kinds[0]
    if kinds == "array":
        return {"list": shape(value.get("items", {}))}
    if kinds == "object":
        if "properties" in value:
            return {
                "object": {name: shape(child) for name, child in value["properties"].items()},
                "required": sorted(value.get("required", [])),
            }
        patterns = list(value.get("patternProperties", {}).values())
        return {"map": shape(patterns[0])} if patterns else "json"
    return kinds


def used(properties: Any, definitions: dict[str, Any]) -> set[str]:
    """Collect the definitions that `properties` reach."""
    found: set[str] = set()
    todo = [properties]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            name = node.get("ref")
            if isinstance(name, str) and name in definitions and name not in found:
                found.add(name)
                todo.append(definitions[name])
            todo.extend(node.values())
    return found


if __name__ == "__main__":
    main()
