"""`gatepost up --watch`: what is saved answers the next request; what is broken changes nothing and says why."""

from __future__ import annotations

import base64
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.support.platform import RunningPlatform, ask, start_platform

TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {OWN_RUNTIME}
      Handler: app.handler
      CodeUri: hello/
      Events:
        Get: {{Type: Api, Properties: {{Path: /hello, Method: get}}}}
  Other:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {OWN_RUNTIME}
      Handler: app.handler
      CodeUri: other/
      AutoPublishAlias: live
      Events:
        Get: {{Type: Api, Properties: {{Path: /other, Method: get}}}}
"""


def code(says: str) -> str:
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{says}'}}\n"


class Project:
    """A folder with a template and two functions, and the platform that watches it."""

    def __init__(self, folder: Path, platform: RunningPlatform, api_id: str) -> None:
        self.folder = folder
        self.platform = platform
        self._base = platform.stage_url(api_id, "Prod")

    def save(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(f"{path.name}.tmp")  # as editors do
        fresh.write_text(content)
        fresh.replace(path)

    def says(self, path: str) -> str:
        return ask("GET", f"{self._base}{path}").body.decode()

    def told(self) -> str:
        return self.platform.output.read_text()


def until(condition: Callable[[], bool], project: Project) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, project.told()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "template.yaml").write_text(TEMPLATE)
    for name in ("hello", "other"):
        (folder / name).mkdir()
        (folder / name / "app.py").write_text(code("first"))
    platform = start_platform(
        folder / "data", str(folder / "template.yaml"), "--watch", "--stack-name", "watched", command="up"
    )
    api_id = platform.client("apigateway").get_rest_apis()["items"][0]["id"]
    project = Project(folder, platform, api_id)
    until(lambda: "Ctrl-C stops" in project.told(), project)
    yield project
    platform.stop()


def test_saved_code_answers_and_the_stack_follows(project: Project) -> None:
    assert project.says("/hello") == "first"
    project.save("hello/app.py", code("second"))
    until(lambda: project.says("/hello") == "second", project)
    aws = project.platform.client("cloudformation")
    runs = project.platform.client("lambda").list_functions()["Functions"]
    hello = next(one for one in runs if "Hello" in one["FunctionName"])

    def recorded() -> bool:
        template = json.dumps(aws.get_template(StackName="watched", TemplateStage="Original")["TemplateBody"])
        return base64.b64decode(hello["CodeSha256"]).hex() in template

    until(recorded, project)
    assert project.says("/hello") == "second"


def test_a_broken_save_keeps_the_old_code_and_says_where(project: Project) -> None:
    project.save("hello/app.py", code("before"))
    until(lambda: project.says("/hello") == "before", project)
    project.save("hello/app.py", "def handler(event, context):\n    return {\n")
    until(lambda: "hello/app.py:2: SyntaxError" in project.told(), project)
    project.save("hello/more.py", "x = 1\n")  # another save does not take the broken file along
    project.save("template.yaml", TEMPLATE.replace("Path: /hello", "Path: /renamed"))
    for _ in range(50):
        assert project.says("/hello") == "before"
        time.sleep(0.01)
    project.save("hello/app.py", code("mended"))
    until(lambda: project.says("/renamed") == "mended", project)  # the template that waited is deployed, too
    project.save("template.yaml", TEMPLATE)
    until(lambda: project.says("/hello") == "mended", project)


def test_a_template_that_is_refused_changes_nothing_and_says_where(project: Project) -> None:
    project.save("template.yaml", TEMPLATE.replace("Handler: app.handler", "Handler: app.handler\n      Bogus: 1", 1))
    until(lambda: "template.yaml:9" in project.told() and "stays as it was" in project.told(), project)
    assert project.says("/hello") != ""
    project.save("template.yaml", TEMPLATE)


def test_a_new_folder_is_watched_and_installed_ones_are_not(project: Project) -> None:
    project.save("hello/lib/__init__.py", "")
    project.save("hello/lib/word.py", "WORD = 'one'\n")
    project.save("hello/app.py", "from lib.word import WORD\n" + code("x").replace("'x'", "WORD"))
    until(lambda: project.says("/hello") == "one", project)
    project.save("hello/lib/word.py", "WORD = 'two'\n")
    until(lambda: project.says("/hello") == "two", project)
    count = project.told().count("hello")
    project.save("hello/node_modules/x.js", "x")
    project.save("hello/lib/word.py", "WORD = 'three'\n")
    until(lambda: project.says("/hello") == "three", project)
    assert project.told().count("node_modules") == 0
    assert project.told().count("hello") > count


def test_a_function_with_published_versions_takes_a_whole_deployment(project: Project) -> None:
    project.save("other/app.py", code("published"))
    until(lambda: project.says("/other") == "published", project)


def test_requirements_are_installed_anew(project: Project) -> None:
    before = project.says("/hello")
    project.save("hello/requirements.txt", "no-such-thing @ file:///nowhere/at/all\n")
    until(lambda: "pip cannot install it" in project.told(), project)
    assert project.says("/hello") == before
    wheel = a_wheel(project.folder, "words", "WORD = 'installed'\n")
    project.save("hello/requirements.txt", f"words @ file://{wheel}\n")
    project.save("hello/app.py", "from words import WORD\n" + code("x").replace("'x'", "WORD"))
    until(lambda: project.says("/hello") == "installed", project)


def a_wheel(folder: Path, name: str, content: str) -> Path:
    """Make a wheel of one module by hand: building one would ask a package registry for the tools."""
    wheel = folder / f"{name}-1-py3-none-any.whl"
    info = f"{name}-1.dist-info"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr(f"{name}.py", content)
        files.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        files.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files.writestr(f"{info}/RECORD", "")
    return wheel
