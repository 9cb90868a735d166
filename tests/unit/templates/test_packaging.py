"""What a client does before it deploys."""

import hashlib
import io
import json
import os
import zipfile

import pytest

from gatepost.cli.watched_files import folders_below
from gatepost.kernel.errors import SettingsError
from gatepost.storage.asset_patches import old_digest, patched
from gatepost.storage.data_directory import DataDirectory
from gatepost.templates.asset_files import AssetFiles, asset_of, asset_url
from gatepost.templates.code_packages import CodePackages, Uploads
from gatepost.templates.packaging import Packager
from gatepost.templates.problems import TemplateRefused
from gatepost.templates.requirements import Requirements
from gatepost.templates.source import parse_source


class Platform:
    """Assets in memory; counts what was sent."""

    def __init__(self):
        self.assets = {}
        self.sent = 0

    def put(self, content):
        self.sent += 1
        sha256 = hashlib.sha256(content).hexdigest()
        self.assets[sha256] = content
        return sha256

    def uploads(self):
        return Uploads(self.assets.__contains__, self.put)

    def names(self, sha256):
        return zipfile.ZipFile(io.BytesIO(self.assets[sha256])).namelist()


def a_packager(tmp_path, platform, lines=None):
    return Packager(cache_dir=tmp_path / "cache", uploads=platform.uploads(), progress=(lines or []).append)


def a_project(tmp_path, template, **files):
    folder = tmp_path / "project"
    for name, content in {"template.yaml": template, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "template.yaml"


TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    CodeUri: src/   # the code
    Runtime: python3.11
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.h}
  Own:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.h
      CodeUri: "own"
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Code: own, Handler: app.h, Role: x}
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties: {BodyS3Location: openapi.yaml}
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: nested/child.yaml
  Far:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: s3://bucket/key, Handler: app.h}
Outputs:
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: outputs.yaml}}
"""
FILES = {
    "src/app.py": "def h(e, c): pass\n",
    "own/app.py": "x = 1\n",
    "openapi.yaml": "openapi: 3.0.1\n",
    "outputs.yaml": "O: {Value: x}\n",
    "nested/child.yaml": "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties: {Code: ../own}\n",
}


def test_every_local_file_is_uploaded_and_named_by_its_hash_on_the_same_line(tmp_path):
    platform = Platform()
    template = a_project(tmp_path, TEMPLATE, **FILES)
    packaged = a_packager(tmp_path, platform).package(template)
    assert packaged.text.count("\n") == TEMPLATE.count("\n")
    value = parse_source(packaged.text, file="t").plain()
    code = value["Globals"]["Function"]["CodeUri"]
    assert platform.names(code.rsplit("/", 1)[1]) == ["app.py"]
    assert "   # the code" in packaged.text
    resources = value["Resources"]
    own = resources["Own"]["Properties"]["CodeUri"]
    assert own.startswith("s3://gatepost-assets/")
    assert resources["Plain"]["Properties"]["Code"] == {"S3Bucket": "gatepost-assets", "S3Key": own.rsplit("/", 1)[1]}
    location = resources["Api"]["Properties"]["BodyS3Location"]
    assert platform.assets[location["Key"]] == b"openapi: 3.0.1\n"
    sha256, name = asset_of(resources["Child"]["Properties"]["TemplateURL"])
    assert name == "child.yaml"
    child = parse_source(platform.assets[sha256], file="c").plain()
    assert child["Resources"]["F"]["Properties"]["Code"]["S3Key"] == own.rsplit("/", 1)[1]
    assert resources["Far"]["Properties"]["CodeUri"] == "s3://bucket/key"
    include = asset_of(value["Outputs"]["Fn::Transform"]["Parameters"]["Location"])
    assert packaged.uploaded[include[0]].name == "outputs.yaml"


NO_CODE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 3}
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      # where the code is, nobody says
      Handler: app.h

      Environment:
        Variables:
          TABLE: !Ref Table
      Runtime: python3.11

  # between
  Inline:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "x = 1"
      Handler: index.h
  Image:
    Type: AWS::Serverless::Function
    Properties: {PackageType: Image}
  Last:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.other"""


def test_a_function_that_names_no_code_gets_the_folder_of_its_template(tmp_path):
    platform = Platform()
    template = a_project(tmp_path, NO_CODE, **{"app.py": "def h(e, c): pass\n", ".gatepost/private": "x"})
    packaged = a_packager(tmp_path, platform).package(template)
    source = parse_source(packaged.text, file="t")
    resources = source.plain()["Resources"]
    code = resources["Fn"]["Properties"].pop("CodeUri")
    assert platform.names(code.rsplit("/", 1)[1]) == ["app.py", "template.yaml"]
    assert resources["Last"]["Properties"].pop("CodeUri") == code
    assert resources == parse_source(NO_CODE, file="t").plain()["Resources"]
    before = parse_source(NO_CODE, file="t")
    for path in (("Fn", "Properties", "Runtime"), ("Inline",), ("Last", "Properties", "Handler")):
        assert source.locate(("Resources", *path)).line == before.locate(("Resources", *path)).line
    assert {each.logical_id for each in packaged.functions} == {"Fn", "Last"}


def test_json_templates_are_packaged_too(tmp_path):
    platform = Platform()
    template = a_project(tmp_path, "x: 1", **FILES)
    value = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Code": "own"}}}}
    template = template.with_suffix(".json")
    template.write_text(json.dumps(value, indent=2))
    packaged = a_packager(tmp_path, platform).package(template)
    assert json.loads(packaged.text)["Resources"]["F"]["Properties"]["Code"]["S3Bucket"] == "gatepost-assets"


def test_nothing_is_sent_or_packed_again_when_nothing_has_changed(tmp_path):
    platform = Platform()
    template = a_project(tmp_path, TEMPLATE, **FILES)
    first = a_packager(tmp_path, platform).package(template)
    sent = platform.sent
    second = a_packager(tmp_path, platform).package(template)
    assert (second.text, platform.sent) == (first.text, sent)
    (template.parent / "own" / "app.py").write_text("x = 22\n")
    third = a_packager(tmp_path, platform).package(template)
    assert third.text != first.text
    assert platform.sent == sent + 2  # the folder, and the child that names it


def test_the_same_files_make_the_same_package_on_every_machine(tmp_path):
    packages = []
    for name in ("one", "two"):
        platform = Platform()
        folder = tmp_path / name
        folder.mkdir()
        for file in ("b.py", "a.py") if name == "one" else ("a.py", "b.py"):
            (folder / file).write_text(file)
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__" / "a.cpython-311.pyc").write_text(name)
        (folder / ".git").mkdir()
        (folder / ".git" / "HEAD").write_text(name)
        os.utime(folder / "a.py", (1, 1))
        code = CodePackages(tmp_path / f"cache-{name}", platform.uploads(), Requirements(tmp_path, progress=print))
        packages.append(code.upload_code(folder, runtime="python3.11", installs_requirements=True))
        assert platform.names(packages[-1]) == ["a.py", "b.py"]
    assert packages[0] == packages[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"CodeUri: src/": "CodeUri: nowhere/"}, "template.yaml:4: Globals/Function/CodeUri: there is no folder"),
        ({'CodeUri: "own"': "CodeUri: openapi.yaml"}, "is no zip file: name a folder or a zip file"),
        ({"BodyS3Location: openapi.yaml": "BodyS3Location: nope.yaml"}, "there is no file"),
        ({"TemplateURL: nested/child.yaml": "TemplateURL: nested/nope.yaml"}, "there is no template"),
        ({"Location: outputs.yaml": "Location: nope.yaml"}, "there is no file"),
        ({'CodeUri: "own"': "CodeUri: empty"}, "holds no files to deploy"),
    ],
)
def test_a_file_that_is_missing_is_told_with_the_line_that_names_it(tmp_path, change, reason):
    text = TEMPLATE
    for old, new in change.items():
        text = text.replace(old, new)
    template = a_project(tmp_path, text, **FILES)
    (template.parent / "empty").mkdir()
    with pytest.raises(TemplateRefused) as caught:
        a_packager(tmp_path, Platform()).package(template)
    assert reason in str(caught.value)


def test_all_missing_files_are_told_at_once(tmp_path):
    template = a_project(tmp_path, TEMPLATE)
    with pytest.raises(TemplateRefused) as caught:
        a_packager(tmp_path, Platform()).package(template)
    assert len(caught.value.problems) == 6


def test_a_link_out_of_the_code_folder_is_refused(tmp_path):
    template = a_project(tmp_path, TEMPLATE, **FILES)
    (tmp_path / "secret").write_text("s")
    (template.parent / "own" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(TemplateRefused, match="is a link that leads out of"):
        a_packager(tmp_path, Platform()).package(template)


def test_a_link_within_the_code_folder_is_followed(tmp_path):
    template = a_project(tmp_path, TEMPLATE, **FILES)
    (template.parent / "own" / "alias.py").symlink_to("app.py")
    platform = Platform()
    packaged = a_packager(tmp_path, platform).package(template)
    own = parse_source(packaged.text, file="t").plain()["Resources"]["Own"]["Properties"]["CodeUri"]
    assert platform.names(own.rsplit("/", 1)[1]) == ["alias.py", "app.py"]


def test_a_template_that_nests_itself_is_refused(tmp_path):
    template = a_project(
        tmp_path, "Resources: {C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: template.yaml}}}\n"
    )
    with pytest.raises(SettingsError, match="nested deeper than 10"):
        a_packager(tmp_path, Platform()).package(template)


def test_the_accept_file_beside_the_template_goes_along(tmp_path):
    platform = Platform()
    template = a_project(tmp_path, "Resources: {}\n", **{"gatepost.accept": "Fn Layers 2099-01-01 x\n"})
    packaged = a_packager(tmp_path, platform).package(template)
    assert platform.assets[packaged.accept_sha256] == b"Fn Layers 2099-01-01 x\n"


def test_an_anchor_survives_its_file(tmp_path):
    platform = Platform()
    text = """\
Resources:
  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: &code own, Handler: a}}
  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: *code, Handler: a}}
"""
    packaged = a_packager(tmp_path, platform).package(a_project(tmp_path, text, **FILES))
    resources = parse_source(packaged.text, file="t").plain()["Resources"]
    assert resources["A"]["Properties"]["CodeUri"] == resources["B"]["Properties"]["CodeUri"]
    assert resources["A"]["Properties"]["CodeUri"].startswith("s3://")


def a_wheel(folder, name="tiny"):
    """Write a wheel that holds one module: pip installs it without a network."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "VALUE = 1\n")
        wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def test_requirements_are_installed_once_and_packed_beside_the_code(tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    a_wheel(wheels)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    platform, lines = Platform(), []
    template = a_project(tmp_path, TEMPLATE, **FILES, **{"src/requirements.txt": "tiny\n"})
    packaged = a_packager(tmp_path, platform, lines).package(template)
    code = parse_source(packaged.text, file="t").plain()["Globals"]["Function"]["CodeUri"].rsplit("/", 1)[1]
    assert {"app.py", "requirements.txt", "tiny.py"} <= set(platform.names(code))
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")  # the cache must do
    (template.parent / "src" / "app.py").write_text("y = 1\n")
    a_packager(tmp_path, platform, lines).package(template)


def test_requirements_that_cannot_be_installed_say_what_pip_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    template = a_project(tmp_path, TEMPLATE, **FILES, **{"src/requirements.txt": "no-such-package\n"})
    with pytest.raises(TemplateRefused, match="No matching distribution found for no-such-package"):
        a_packager(tmp_path, Platform()).package(template)


def test_what_sam_has_built_is_not_built_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / ".aws-sam" / "build"
    (folder / "Fn").mkdir(parents=True)
    (folder / "Fn" / "app.py").write_text("x")
    (folder / "Fn" / "requirements.txt").write_text("no-such-package\n")
    template = folder / "template.yaml"
    template.write_text("Resources: {Fn: {Type: AWS::Serverless::Function, Properties: {CodeUri: Fn}}}\n")
    platform = Platform()
    a_packager(tmp_path, platform).package(template)
    assert platform.sent == 1


@pytest.mark.parametrize(
    ("location", "found"),
    [
        (asset_url("a" * 64, "child.yaml"), ("a" * 64, "child.yaml")),
        (f"s3://gatepost-assets/{'a' * 64}", ("a" * 64, "")),
        (f"https://s3.us-east-1.amazonaws.com/gatepost-assets/{'a' * 64}", ("a" * 64, "")),
        (f"s3://other/{'a' * 64}", None),
        ("s3://gatepost-assets/../../etc/passwd", None),
        ("/etc/passwd", None),
    ],
)
def test_only_an_assets_address_names_an_asset(location, found):
    assert asset_of(location) == found


def test_the_platform_reads_nothing_but_assets(tmp_path):
    class Folder:
        def path(self, sha256):
            raise AssertionError(sha256)

    files = AssetFiles(Folder())
    with pytest.raises(SettingsError, match="is no uploaded file"):
        files.read("/etc/passwd")
    assert files.text("gatepost-assets", "../../etc/passwd") is None
    assert files.text("other", "a" * 64) is None


def test_a_folder_that_was_packed_before_is_uploaded_as_what_has_changed(tmp_path):
    platform = Platform()
    patches = []

    def patch(sha256, content):
        patches.append(content)
        old = platform.assets[old_digest(content)]
        platform.assets[sha256] = patched(lambda count, at: old[at : at + count], content, bytes_max=1_000_000)
        return True

    uploads = Uploads(platform.assets.__contains__, platform.put, patch)
    packages = CodePackages(tmp_path / "cache", uploads, Requirements(tmp_path / "cache", progress=print))
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "library.py").write_bytes(os.urandom(5000))
    (folder / "app.py").write_text("x = 1")
    packages.upload_code(folder, runtime="python3.12", installs_requirements=True)
    (folder / "app.py").write_text("x = 22")
    second = packages.upload_code(folder, runtime="python3.12", installs_requirements=True)
    assert (platform.sent, len(patches)) == (1, 1)
    assert len(patches[0]) < 1000
    assert hashlib.sha256(platform.assets[second]).hexdigest() == second
    assert zipfile.ZipFile(io.BytesIO(platform.assets[second])).read("app.py") == b"x = 22"


def test_a_folder_is_compressed_ahead_of_its_first_upload(tmp_path):
    platform = Platform()
    packages = CodePackages(tmp_path / "cache", platform.uploads(), Requirements(tmp_path / "cache", progress=print))
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text("x = 1")
    packages.prepare(folder, runtime="python3.12", installs_requirements=True)
    assert platform.sent == 0
    packages.prepare(tmp_path / "code.zip", runtime="python3.12", installs_requirements=True)  # nothing to compress
    sha256 = packages.upload_code(folder, runtime="python3.12", installs_requirements=True)
    assert platform.names(sha256) == ["app.py"]


@pytest.mark.parametrize("name", ["data", "state/of/mine"])
def test_a_platforms_data_directory_within_a_function_is_not_its_code(tmp_path, name):
    platform = Platform()
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "app.py").write_text("x = 1")
    (folder / "layout.json").write_text("{}")  # a file of that name alone makes no data directory
    data = DataDirectory(folder / name)
    data.prepare()
    (data.path / "administrator.json").write_text("secret")
    packages = CodePackages(tmp_path / "cache", platform.uploads(), Requirements(tmp_path / "cache", progress=print))
    sha256 = packages.upload_code(folder, runtime="python3.12", installs_requirements=True)
    assert platform.names(sha256) == ["app.py", "layout.json"]
    assert data.path not in list(folders_below(folder))
