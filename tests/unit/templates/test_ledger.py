"""Enforce or refuse: what the ledger says of a template."""

import platform
import sys
from datetime import date

import pytest

from gatepost.templates.acceptance import Acceptance, parse_accept_file
from gatepost.templates.ledger import Ledger
from gatepost.templates.problems import TemplateRefused
from gatepost.templates.registry import all_entries, resource_handlers
from gatepost.templates.specification import Specification, is_custom
from tests.support.templates import compiled, refusals

TODAY = date(2026, 11, 24)


def function(**properties):
    base = {
        "Handler": "a.b",
        "Runtime": "python3.11",
        "Role": "arn:aws:iam::000000000000:role/x",
        "Code": "{ZipFile: x}",
    }
    lines = "".join(f"      {key}: {value}\n" for key, value in {**base, **properties}.items() if value)
    return f"Resources:\n  Fn:\n    Type: AWS::Lambda::Function\n    Properties:\n{lines}"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {"Handlr": "x"},
            "template.yaml:9: Resources/Fn/Properties/Handlr: "
            "AWS::Lambda::Function has no property Handlr: did you mean Handler?",
        ),
        ({"Zzz": "x"}, "has no property Zzz: it has Architectures, "),
        ({"Code": "{ZipFil: x}"}, "AWS::Lambda::Function/Code has no property ZipFil: did you mean ZipFile?"),
        ({"Code": "{ImageUri: x}"}, "Code/ImageUri: container images do not run here: use a code folder or a zip file"),
        ({"CodeSigningConfigArn": "a"}, "CodeSigningConfigArn: code is not signed here"),
        ({"Runtime": "java21"}, "Runtime is 'java21': use python3."),
        ({"PackageType": "Image"}, "PackageType is 'Image'"),
    ],
)
def test_a_property_that_is_not_enforced_is_refused_with_its_line_and_what_would_work(properties, reason):
    assert reason in "\n".join(refusals(function(**properties)))


def test_a_value_that_works_is_taken():
    assert refusals(function(PackageType="Zip", TracingConfig="{Mode: PassThrough}")) == []


def test_the_python_that_runs_the_platform_is_exact_and_others_are_approximated():
    own = f"python3.{sys.version_info.minor}"
    other = "python3.10" if own != "python3.10" else "python3.11"
    assert compiled(function(Runtime=own)).warnings() == []
    assert "runs on the nearest one" in "".join(compiled(function(Runtime=other)).warnings())


def test_the_machines_own_processor_is_exact_and_another_is_approximated():
    own, other = ("arm64", "x86_64") if platform.machine() in ("arm64", "aarch64") else ("x86_64", "arm64")
    assert compiled(function(Architectures=f"[{own}]")).warnings() == []
    assert "this machine's processor" in "".join(compiled(function(Architectures=f"[{other}]")).warnings())


def test_a_value_that_is_not_known_yet_is_not_judged():
    template = function(Runtime="!Ref Group") + "  Group: {Type: AWS::IAM::Group}\n"
    assert refusals(template) == []


@pytest.mark.parametrize(
    ("type_name", "reason"),
    [
        ("AWS::S3::Bucket", "AWS::S3::Bucket is not here yet: name its endpoint with --service"),
        ("AWS::Lambda::Fuction", "AWS has no type AWS::Lambda::Fuction: did you mean AWS::Lambda::Function?"),
        ("AWS::CloudFormation::WaitCondition", "use a custom resource, which can wait"),
        ("Acme::Thing", "Acme::Thing is no type that AWS or Gatepost has"),
    ],
)
def test_a_type_that_is_not_here_is_refused(type_name, reason):
    assert reason in refusals(f"Resources:\n  R:\n    Type: {type_name}\n")[0]


def test_lenient_turns_refusals_into_warnings_and_leaves_the_properties_out():
    result = compiled(function(CodeSigningConfigArn="a", Handlr="x"), acceptance=Acceptance(is_lenient=True))
    assert next(line for line in result.warnings() if "CodeSigningConfigArn" in line).startswith(
        "lenient: template.yaml:9:"
    )
    assert set(result.resources["Fn"].properties) == {"Handler", "Runtime", "Role", "Code"}


def test_an_accepted_type_is_only_a_name():
    result = compiled(
        "Resources: {B: {Type: AWS::S3::Bucket, Properties: {A: b}}}\n", acceptance=Acceptance(is_lenient=True)
    )
    assert result.resources["B"].is_accepted


def test_the_type_of_a_named_service_is_forwarded():
    result = compiled("Resources: {B: {Type: AWS::S3::Bucket}}\n", acceptance=Acceptance(forwarded=frozenset({"s3"})))
    assert result.resources["B"].is_forwarded
    assert [finding.status for finding in result.findings] == ["forwarded"]


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ("Fn CodeSigningConfigArn 2027-01-01 tested on AWS", True),
        ("AWS::Lambda::Function CodeSigningConfigArn 2027-01-01 tested on AWS", True),
        ("AWS::Lambda::Function * 2027-01-01 tested on AWS", True),
        ("Fn CodeSigningConfigArn 2026-11-24 the last day", True),
        ("Fn VpcConfig 2027-01-01 another property", False),
        ("Other CodeSigningConfigArn 2027-01-01 another resource", False),
    ],
)
def test_an_accepted_gap_passes_what_it_names(line, passes):
    gaps = parse_accept_file(f"# reason\n\n{line}\n", file="gatepost.accept", today=TODAY)
    found = refusals(function(CodeSigningConfigArn="a"), acceptance=Acceptance(gaps=gaps))
    assert (found == []) is passes


def test_an_accepted_gap_is_told_with_its_reason():
    gaps = parse_accept_file("Fn CodeSigningConfigArn 2027-01-01 tested on AWS\n", file="gatepost.accept", today=TODAY)
    warnings = compiled(function(CodeSigningConfigArn="a"), acceptance=Acceptance(gaps=gaps)).warnings()
    assert any("CodeSigningConfigArn" in warning and warning.startswith("accepted") for warning in warnings)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "Fn CodeSigningConfigArn 2026-11-23 too late",
            "gatepost.accept:1: the entry for Fn CodeSigningConfigArn expired on 2026-11-23",
        ),
        ("Fn CodeSigningConfigArn", "an entry is: logical id or type"),
        ("Fn CodeSigningConfigArn 2026-13-01 x", "2026-13-01 is no date"),
        ("Fn CodeSigningConfigArn 2027-01-01", "an entry is"),  # no reason
    ],
)
def test_a_broken_or_expired_entry_fails(line, reason):
    with pytest.raises(TemplateRefused) as caught:
        parse_accept_file(line, file="gatepost.accept", today=TODAY)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("{Fn: {Nope: 1}}", "'Nope' is no extension of Gatepost: use one of Try"),
        ("{Nowhere: {Try: []}}", "there is no resource Nowhere to extend"),
        ("[a]", "Gatepost takes a mapping of logical ids"),
        ("{Fn: {Try: []}}", "Try belongs to an API"),
        ("{Api: {Try: [{Title: x}]}}", "a request needs a Title, and a Path"),
        ("{Api: {Try: [{Title: x, Path: /a, Mehtod: GET}]}}", "'Mehtod' is no part of a request"),
        ("{Api: {Try: [{Title: x, Path: /a, Method: FETCH}]}}", "Method is 'FETCH'"),
        ("{Api: {Try: [{Title: x, Path: /a}]}}", ""),
    ],
)
def test_what_a_template_says_to_gatepost_alone_is_checked(metadata, reason):
    template = (
        function()
        + f"  Api: {{Type: AWS::ApiGateway::RestApi, Properties: {{Name: x}}}}\nMetadata: {{Gatepost: {metadata}}}\n"
    )
    found = refusals(template)
    assert (found == []) if not reason else (reason in found[0])


def test_every_property_that_aws_has_of_a_type_we_create_has_an_entry():
    specification = Specification.load()
    ledger = Ledger(specification, all_entries())
    missing = [
        f"{type_name} {name}"
        for type_name in resource_handlers()
        if (described := specification.find(type_name)) is not None
        for name in described.properties
        if (entry := ledger.find(type_name)) is None or (entry.entry.status != "inert" and entry.find((name,)) is None)
    ]
    assert missing == []


def test_every_entry_names_a_property_that_aws_has():
    specification = Specification.load()
    wrong = []
    for entry in all_entries():
        described = specification.find(entry.type)
        for path in entry.properties:
            *owner, name = path.split("/")
            members = described.members(tuple(owner)) if described else None
            if members is None or name not in members:
                wrong.append(f"{entry.type} {path}")
    assert wrong == []


def test_every_type_that_is_not_refused_can_be_made():
    handlers = resource_handlers()
    assert [
        e.type
        for e in all_entries()
        if e.entry.status != "refused" and e.type not in handlers and not is_custom(e.type)
    ] == []


def test_every_sentence_says_something():
    for entry in all_entries():
        for each in (entry.entry, *entry.properties.values()):
            assert each.status == "enforced" or len(each.sentence) > 10
            assert not (each.values or each.pattern) or each.otherwise


BODY = """\
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Body:
        openapi: 3.0.1
        info: {title: a, version: "1"}
        components: {securitySchemes: {oauth: {type: oauth2}}}
        paths:
          /x:
            get:
              security: [{oauth: []}]
              x-amazon-apigateway-integration: {type: mock}
"""


def test_a_guard_in_an_openapi_body_that_would_not_stand_is_refused_with_its_line():
    assert refusals(BODY) == [
        "template.yaml:12: Resources/Api/Properties/Body/paths//x/get/security: "
        "API Gateway does not enforce the security scheme oauth of type oauth2: leave it out, or use "
        "x-amazon-apigateway-authorizer or x-amazon-apigateway-authtype awsSigv4"
    ]


def test_lenient_leaves_such_a_guard_out_with_a_warning():
    result = compiled(BODY, acceptance=Acceptance(is_lenient=True))
    assert "security" not in result.resources["Api"].properties["Body"]["paths"]["/x"]["get"]
    assert any("scheme oauth of type oauth2" in warning for warning in result.warnings())


def test_a_misspelt_word_in_a_key_schema_is_refused_with_its_line():
    template = """\
Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema:
        - AttributeName: id
          KeyTyp: HASH
"""
    told = "\n".join(refusals(template))
    assert "template.yaml:9: Resources/T/Properties/KeySchema/0/KeyTyp: " in told
    assert "did you mean KeyType?" in told


TABLE = """Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
      SSESpecification: {SSEEnabled: %s}
"""


def test_the_ledger_says_that_provisioned_tables_are_not_throttled_when_that_is_turned_off():
    assert "throttled by one bucket" in "".join(compiled(TABLE % "false").warnings())
    unthrottled = Acceptance(settings=frozenset({"tables-unthrottled"}))
    result = compiled(TABLE % "false", acceptance=unthrottled)
    (finding,) = (one for one in result.findings if "--no-table-throttling" in str(one))
    assert finding.status == "inert"


def test_the_ledger_leaves_to_a_cluster_what_a_cluster_does():
    assert "there is no KMS to encrypt" in "".join(compiled(TABLE % "true").warnings())
    elsewhere = Acceptance(settings=frozenset({"tables-elsewhere"}))
    assert compiled(TABLE % "true", acceptance=elsewhere).findings == ()
    policy = TABLE % "true" + "      ResourcePolicy: {PolicyDocument: {}}\n"
    assert "at the cluster" in refusals(policy, acceptance=elsewhere)[0]


TRUST_STORE = """Resources:
  Domain:
    Type: AWS::ApiGateway::DomainName
    Properties:
      DomainName: api.shop.test
      RegionalCertificateArn: arn:aws:acm:us-east-1:000000000000:certificate/a
      EndpointConfiguration: {Types: [REGIONAL]}
      MutualTlsAuthentication: {TruststoreUri: s3://bucket/clients.pem, TruststoreVersion: "3"}
"""


def test_the_ledger_takes_trust_stores_in_s3_where_the_operator_names_one():
    told = "".join(refusals(TRUST_STORE))
    assert "MutualTlsAuthentication/TruststoreUri" in told
    assert "uploaded files have no versions" in told
    (finding,) = compiled(TRUST_STORE, acceptance=Acceptance(forwarded=frozenset({"s3"}))).findings
    assert finding.status == "approximated"
