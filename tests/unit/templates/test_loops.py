"""Fn::ForEach of AWS::LanguageExtensions."""

import pytest

from tests.support.templates import compiled, refusals

LOOP = """
Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList, Default: "Orders,Carts"}
Resources:
  Fn::ForEach::Groups:
    - Name
    - !Ref Names
    - ${Name}Group:
        Type: AWS::IAM::Group
        Properties:
          Path: !Sub "/${Name}/"
          ManagedPolicyArns: [!Ref Name]
Outputs:
  Fn::ForEach::Outs:
    - Name
    - !Ref Names
    - ${Name}Out: {Value: !Ref "${Name}Group"}
"""


def test_a_loop_writes_out_its_members():
    result = compiled(LOOP)
    assert list(result.resources) == ["OrdersGroup", "CartsGroup"]
    assert result.resources["CartsGroup"].properties == {"Path": "/Carts/", "ManagedPolicyArns": ["Carts"]}
    assert set(result.template.outputs) == {"OrdersOut", "CartsOut"}


def test_parameters_decide_the_members():
    assert list(compiled(LOOP, given={"Names": "A"}).resources) == ["AGroup"]


def test_what_a_loop_makes_is_refused_on_the_line_that_made_it():
    lines = refusals(LOOP.replace("Path:", "Paht:"))
    assert lines[0].startswith("template.yaml:12: Resources/Fn::ForEach::Groups/2/${Name}Group/Properties/Paht")
    assert "did you mean Path?" in lines[0]


def test_loops_nest_and_strip_what_no_logical_id_can_have():
    template = """
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Outer:
    - A
    - [x-1, y]
    - Fn::ForEach::Inner:
        - B
        - [p, q]
        - Group&{A}${B}: {Type: AWS::IAM::Group, Properties: {GroupName: "${A}.${B}"}}
""".replace("&{A}", "${&A}")
    names = {name: resource.properties["GroupName"] for name, resource in compiled(template).resources.items()}
    assert names == {"Groupx1p": "x-1.p", "Groupx1q": "x-1.q", "Groupyp": "y.p", "Groupyq": "y.q"}


@pytest.mark.parametrize(
    ("loop", "reason"),
    [
        ("[Name, [a, b], {Same: {Type: AWS::IAM::Group}}]", "the loop makes 'Same' twice"),
        ("[Name, text, {'${Name}': {Type: AWS::IAM::Group}}]", "the collection of a loop is a list"),
        ("[Name, [a]]", "takes a list: variable, collection, fragment"),
        ("['na me', [a], {x: {Type: AWS::IAM::Group}}]", "the variable is letters and digits"),
        ("[Name, !Ref Nope, {'${Name}': {Type: AWS::IAM::Group}}]", "there is no parameter or resource"),
    ],
)
def test_a_loop_that_cannot_be_written_out_is_refused(loop, reason):
    template = f"Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::L: {loop}\n"
    assert reason in "\n".join(refusals(template))


def test_a_loop_is_bounded():
    many = ", ".join(f"n{index}" for index in range(101))
    loop = f"[N, [{many}], {{'${{N}}': {{Type: AWS::IAM::Group}}}}]"
    template = f"Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::L: {loop}\n"
    assert "goes over at most 100 members" in refusals(template)[0]
