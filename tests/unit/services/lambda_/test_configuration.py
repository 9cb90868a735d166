"""No parameter is ignored: each has an effect or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.awsapi.shapes import ServiceModels
from gatepost.kernel.errors import ValidationException
from gatepost.services.lambda_.configuration import REFUSED, configured, to_aws
from gatepost.services.lambda_.model import InvalidParameterValueException
from tests.support.functions import a_function

CONFIGURED = {
    "Architectures", "Description", "Environment", "EphemeralStorage", "Handler", "LoggingConfig", "MemorySize", "Role",
    "Runtime", "Timeout", "KMSKeyArn",
}  # fmt: skip
# Refused by value in `refuse_unsupported`, or seen to by the operation itself.
BY_VALUE = {"DeadLetterConfig", "Layers", "PackageType", "Publish", "SnapStart", "TracingConfig"}
NOT_HERE = ["ruby3.4", "java21", "dotnet8", "go1.x", "nodejs", "nodejs16.x", "nodejs20", "provided"]
BY_OPERATION = {
    "CreateFunction": {"FunctionName", "Code", "Tags"},
    "UpdateFunctionConfiguration": {"FunctionName", "RevisionId"},
    "UpdateFunctionCode": {
        "FunctionName", "RevisionId", "DryRun", "ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion",
        "S3ObjectStorageMode", "ImageUri", "SourceKMSKeyArn",
    },
}  # fmt: skip


@pytest.mark.parametrize("operation", BY_OPERATION)
def test_every_parameter_of_the_model_is_accounted_for(operation: str) -> None:
    model = ServiceModels().get("lambda").operation(operation)
    known = CONFIGURED | BY_VALUE | set(REFUSED) | BY_OPERATION[operation]
    assert set(model.input.members) <= known


def test_what_is_not_given_stays() -> None:
    function = a_function(timeout_s=9, memory_mb=512, environment={"AA": "1"}, description="x")
    assert configured(function, {"Timeout": 10}) == a_function(
        timeout_s=10, memory_mb=512, environment={"AA": "1"}, description="x"
    )
    assert configured(function, {"Environment": {}}).environment == {}


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("Timeout", [1, 900], [0, 901]),
        ("MemorySize", [128, 10_240], [127, 10_241]),
        ("EphemeralStorage", [{"Size": 512}, {"Size": 10_240}], [{"Size": 511}, {"Size": 10_241}]),
        (
            "Runtime",
            ["python3.9", "python3.15", "provided.al2", "provided.al2023"],
            ["python3.8", "python3.16", *NOT_HERE],
        ),
        ("Architectures", [["arm64"]], [["arm64", "x86_64"]]),
    ],
)
def test_values_have_lambdas_bounds(parameter: str, good, bad) -> None:
    for value in good:
        configured(a_function(), {parameter: value})
    for value in bad:
        with pytest.raises((InvalidParameterValueException, ValidationException)):
            configured(a_function(), {parameter: value})


def test_node_functions_are_refused_with_a_sentence_where_there_is_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidParameterValueException, match="cannot run: no Node"):
        configured(a_function(), {"Runtime": "nodejs20.x"})
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\n")
    node.chmod(0o755)
    assert configured(a_function(), {"Runtime": "nodejs20.x"}).runtime == "nodejs20.x"


def test_json_logging_has_levels_and_text_has_none() -> None:
    json_logging = configured(a_function(), {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": "mine"}})
    assert to_aws(json_logging)["LoggingConfig"] == {
        "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "mine",
    }  # fmt: skip
    text = configured(json_logging, {"LoggingConfig": {"LogFormat": "Text"}})
    assert to_aws(text)["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "mine"}
    assert to_aws(a_function("a"))["LoggingConfig"]["LogGroup"] == "/aws/lambda/a"
