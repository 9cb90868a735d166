"""What the translator's process answers, and that it asks nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gatepost.templates.sam_process import described

JOB = {
    "region": "eu-west-1",
    "parameters": {"Stage": "test"},
    "template": {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Fn": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"Runtime": "python3.11", "Handler": "a.b", "InlineCode": "x = 1"},
            }
        },
    },
}


def translated(job: dict) -> dict:
    """Run the process as the platform does, without credentials in its environment."""
    ended = subprocess.run(
        [sys.executable, "-m", "gatepost.templates.sam_process"],
        input=json.dumps(job).encode(),
        capture_output=True,
        env={"AWS_DEFAULT_REGION": job["region"]},
        check=True,
    )
    return json.loads(ended.stdout)


def test_a_generated_resource_is_told_with_the_resource_that_it_came_from():
    answer = translated(JOB)
    assert answer["origins"] == {"Fn": "Fn", "FnRole": "Fn"}
    assert answer["template"]["Resources"]["Fn"]["Type"] == "AWS::Lambda::Function"


def test_what_the_translator_refuses_is_an_answer_with_its_resource():
    fault = {"Type": "AWS::Serverless::Function", "Properties": {"Handlr": "a.b"}}
    (problem,) = translated({**JOB, "template": {**JOB["template"], "Resources": {"Fn": fault}}})["problems"]
    assert problem["logical_id"] == "Fn"
    assert "Handlr" in problem["message"]


def test_every_misspelt_property_is_told_at_once_with_what_was_meant():
    faults = {
        "Fn": {"Type": "AWS::Serverless::Function", "Properties": {"Handlr": "a.b", "Runtme": "python3.11"}},
        "Items": {"Type": "AWS::Serverless::SimpleTable", "Properties": {"PrimryKey": {}}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Handlr": 1}},
    }
    problems = translated({**JOB, "template": {**JOB["template"], "Resources": faults}})["problems"]
    assert [(problem["logical_id"], problem["message"]) for problem in problems] == [
        ("Fn", "AWS::Serverless::Function has no property Handlr: did you mean Handler?"),
        ("Fn", "AWS::Serverless::Function has no property Runtme: did you mean Runtime?"),
        ("Items", "AWS::Serverless::SimpleTable has no property PrimryKey: did you mean PrimaryKey?"),
    ]


@pytest.mark.parametrize(
    ("attributes", "logical_id"), [({"_logical_id": "Fn"}, "Fn"), ({"_logical_id": None}, ""), ({}, "")]
)
def test_a_complaint_about_no_resource_names_none(attributes, logical_id):
    assert described(SimpleNamespace(message="m", **attributes)) == {"message": "m", "logical_id": logical_id}
