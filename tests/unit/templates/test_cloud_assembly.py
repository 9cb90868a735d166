"""A `cdk.out` directory."""

import json

import pytest

from gatepost.kernel.errors import SettingsError
from gatepost.templates.asset_files import asset_of
from gatepost.templates.cloud_assembly import is_cloud_assembly, read_assembly
from tests.support.templates import refusals
from tests.unit.templates.test_packaging import Platform

HASH, NESTED_HASH = "a1" * 32, "b2" * 32
BUCKET = {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}
BOOTSTRAP = {
    "Parameters": {
        "BootstrapVersion": {
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Default": "/cdk-bootstrap/hnb659fds/version",
        }
    },
    "Rules": {"CheckBootstrapVersion": {"Assertions": []}},
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}


def function(bucket):
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"S3Bucket": bucket, "S3Key": f"{HASH}.zip"},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Handler": "index.handler",
            "Runtime": "python3.11",
        },
        "Metadata": {"aws:asset:path": f"asset.{HASH}"},
    }


def an_assembly(tmp_path, **changes):
    folder = tmp_path / "cdk.out"
    (folder / f"asset.{HASH}").mkdir(parents=True)
    (folder / f"asset.{HASH}" / "index.py").write_text("def handler(e, c): pass\n")
    url = {
        "Fn::Join": [
            "",
            ["https://s3.", {"Ref": "AWS::Region"}, f".amazonaws.com/cdk-hnb659fds-assets-x-y/{NESTED_HASH}.json"],
        ]
    }
    files = {
        "Shop.template.json": {
            "Resources": {
                "Role": ROLE,
                "Fn": function(BUCKET),
                "Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}},
                "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:x"}},
            },
            **BOOTSTRAP,
        },
        "Base.template.json": {"Resources": {"Role": ROLE}, **BOOTSTRAP},
        "Nested.nested.template.json": {"Resources": {"Role": ROLE, "Fn": function("cdk-x")}},
        "Shop.assets.json": {
            "files": {
                HASH: {
                    "source": {"path": f"asset.{HASH}", "packaging": "zip"},
                    "destinations": {"current": {"bucketName": "cdk-x", "objectKey": f"{HASH}.zip"}},
                },
                NESTED_HASH: {
                    "source": {"path": "Nested.nested.template.json", "packaging": "file"},
                    "destinations": {"current": {"bucketName": "cdk-x", "objectKey": f"{NESTED_HASH}.json"}},
                },
            },
            "dockerImages": {},
        },
        "manifest.json": {
            "version": "38.0.0",
            "artifacts": {
                "Shop.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Shop.assets.json"}},
                "Shop": {
                    "type": "aws:cloudformation:stack",
                    "properties": {"templateFile": "Shop.template.json", "stackName": "shop-prod", "tags": {"a": "b"}},
                    "dependencies": ["Base", "Shop.assets"],
                },
                "Base": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Base.template.json"}},
            },
        },
    }
    for name, content in {**files, **changes}.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def read(folder, tmp_path, platform=None):
    platform = platform or Platform()
    return read_assembly(folder, cache_dir=tmp_path / "cache", uploads=platform.uploads(), progress=print)


def test_stacks_come_after_those_they_depend_on_and_name_uploads(tmp_path):
    platform = Platform()
    folder = an_assembly(tmp_path)
    assert is_cloud_assembly(folder)
    base, shop = read(folder, tmp_path, platform)
    assert (base.name, shop.name, shop.tags) == ("Base", "shop-prod", {"a": "b"})
    template = json.loads(shop.text)
    code = template["Resources"]["Fn"]["Properties"]["Code"]
    assert code["S3Bucket"] == "gatepost-assets"
    assert platform.names(code["S3Key"]) == ["index.py"]
    nested, _ = asset_of(template["Resources"]["Child"]["Properties"]["TemplateURL"])
    child = json.loads(platform.assets[nested])
    assert child["Resources"]["Fn"]["Properties"]["Code"] == code
    assert "Parameters" not in template
    assert refusals(shop.text) == []


def test_a_stack_without_resources_is_skipped(tmp_path):
    folder = an_assembly(tmp_path, **{"Base.template.json": BOOTSTRAP})
    assert [stack.name for stack in read(folder, tmp_path)] == ["shop-prod"]


def test_reading_twice_sends_nothing_twice(tmp_path):
    platform = Platform()
    folder = an_assembly(tmp_path)
    first = read(folder, tmp_path, platform)
    sent = len(platform.assets)
    assert read(folder, tmp_path, platform) == first
    assert len(platform.assets) == sent


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"manifest.json": {}}, "has no artifacts"),
        ({"manifest.json": []}, "holds no JSON object"),
        ({"Shop.assets.json": {"files": {}, "dockerImages": {"x": {}}}}, "container images do not run here"),
        ({"Shop.assets.json": {"files": {"x": {"source": {"executable": ["x"]}}}}}, "an asset is made by a command"),
        ({"Shop.assets.json": {"files": {}}}, "names a template that is not among the assets"),
    ],
)
def test_a_broken_assembly_says_what_is_wrong(tmp_path, changes, reason):
    with pytest.raises(SettingsError, match=reason):
        read(an_assembly(tmp_path, **changes), tmp_path)


def test_a_folder_without_a_manifest_is_no_assembly(tmp_path):
    assert not is_cloud_assembly(tmp_path)
    with pytest.raises(SettingsError, match="No such file"):
        read(tmp_path, tmp_path)


def test_a_stack_says_where_it_belongs_and_what_is_accepted_of_it(tmp_path):
    folder = an_assembly(tmp_path)
    (tmp_path / "gatepost.accept").write_text("Fn Layers 2099-01-01 not tested here\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["artifacts"]["Base"]["environment"] = "aws://123456789012/eu-west-1"
    manifest["artifacts"]["Shop"]["environment"] = "aws://unknown-account/unknown-region"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    platform = Platform()
    stacks = {stack.file.rsplit("/", 1)[1]: stack for stack in read(folder, tmp_path, platform)}
    base, shop = stacks["Base.template.json"], stacks["Shop.template.json"]
    assert [(stack.account_id, stack.region) for stack in (base, shop)] == [("123456789012", "eu-west-1"), ("", "")]
    assert base.accept_sha256 == shop.accept_sha256 != ""
