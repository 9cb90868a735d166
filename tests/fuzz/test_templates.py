"""Can any template text crash, hang or slip past the compiler? It compiles, or it is refused with a sentence."""

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.templates.problems import TemplateRefused
from gatepost.templates.registry import template_compiler
from gatepost.templates.source import parse_source
from tests.support.templates import CACHE, PLACE, Acceptance, Texts

COMPILER = template_compiler(CACHE)
FUNCTIONS = [
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::Select",
    "Fn::Split",
    "Fn::FindInMap",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::GetAZs",
    "Fn::ImportValue",
    "Fn::If",
    "Fn::Length",
    "Fn::ToJsonString",
    "Fn::ForEach::X",
    "Fn::Transform",
    "Condition",
    "Fn::Equals",
    "Fn::And",
]
WORDS = ["A", "B", "P", "C", "A.Arn", "${A}", "${A.Arn}-${P}", "AWS::NoValue", "AWS::Region", "", "0", "x" * 50]
SCALARS = st.sampled_from([*WORDS, 0, 1, -1, True, None, 1.5])
NODES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*FUNCTIONS, "Type", "Properties", "Name"]), inner, max_size=3),
    ),
    max_leaves=12,
)
SECTIONS = [
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Outputs",
    "Metadata",
    "Transform",
    "Description",
    "Globals",
]
TEMPLATES = st.fixed_dictionaries(
    {
        "Resources": st.dictionaries(
            st.sampled_from(["A", "B", "Fn::ForEach::L"]),
            st.one_of(
                NODES,
                st.fixed_dictionaries(
                    {"Type": st.sampled_from(["AWS::IAM::Group", "AWS::DynamoDB::Table", "Custom::X", "AWS::Nope"])},
                    optional={
                        "Properties": NODES,
                        "DependsOn": NODES,
                        "Condition": NODES,
                        "DeletionPolicy": NODES,
                        "Metadata": NODES,
                    },
                ),
            ),
            max_size=2,
        )
    },
    optional=dict.fromkeys(SECTIONS, NODES),
)


def judged(text, name="t"):
    """Compile; a refusal is an answer, everything else is a crash."""

    async def scenario():
        await COMPILER.compile(
            text, file=name, given={}, place=PLACE, files=Texts(), exports={}, acceptance=Acceptance()
        )

    with suppress(TemplateRefused):
        asyncio.run(scenario())


def without_sam(template):
    """The translator has a process of its own and is not ours to fuzz."""
    return "AWS::Serverless" not in json.dumps(template)


@given(TEMPLATES.filter(without_sam))
@settings(max_examples=300, deadline=None)
def test_any_tree_compiles_or_is_refused(template):
    judged(json.dumps(template))


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_is_parsed_or_refused(text):
    with suppress(TemplateRefused):
        parse_source(text, file="t").plain()


@given(st.text(alphabet="{}[]:,&*!-|>'\"%@`#ab \n\t?<=~", max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_yaml_like_text_is_parsed_or_refused(text):
    with suppress(TemplateRefused):
        parse_source(text, file="t").plain()


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_parsed_or_refused(content):
    with suppress(TemplateRefused):
        parse_source(content, file="t").plain()


@pytest.mark.soak
@given(TEMPLATES.filter(without_sam))
@settings(max_examples=20_000, deadline=None)
def test_very_many_trees_compile_or_are_refused(template):
    judged(json.dumps(template))
