"""A template's parameters."""

import pytest

from gatepost.templates.parameters import parameter_values, shown_value, typed_values
from gatepost.templates.problems import TemplateRefused
from tests.support.templates import a_template


def values(declaration, **given):
    text = f"Parameters:\n  P: {declaration}\nResources: {{R: {{Type: T}}}}\n"
    template = a_template(text)
    return parameter_values(template.parameters, given, template.where)


@pytest.mark.parametrize(
    ("declaration", "given", "value"),
    [
        ("{Type: String, Default: x}", {}, "x"),
        ("{Type: String, Default: x}", {"P": "y"}, "y"),
        ("{Type: String, Default: ''}", {}, ""),
        ("{Type: Number, Default: 5}", {}, "5"),
        ("{Type: Number, Default: 1.5, MinValue: 1, MaxValue: 2}", {}, "1.5"),
        ("{Type: String, Default: true}", {}, "true"),
        ("{Type: CommaDelimitedList, Default: 'a, b'}", {}, "a, b"),
        ("{Type: List<Number>, Default: '1,2'}", {}, "1,2"),
        ("{Type: String, AllowedValues: [a, 1]}", {"P": "1"}, "1"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", {"P": "abc"}, "abc"),
        ("{Type: String, MinLength: 2, MaxLength: 3}", {"P": "abc"}, "abc"),
    ],
)
def test_a_value_is_what_was_given_or_the_default(declaration, given, value):
    assert values(declaration, **given) == {"P": value}


@pytest.mark.parametrize(
    ("declaration", "given", "reason"),
    [
        ("{Type: String}", {}, "Parameters: [P] must have values"),
        ("{Type: String, Default: x}", {"Q": "1"}, "Parameters: [Q] do not exist in the template"),
        ("{Type: String, AllowedValues: [a, b]}", {"P": "c"}, "Parameter 'P' must be one of AllowedValues"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", {"P": "abc1"}, "'P' must match pattern [a-z]+"),
        (
            "{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: lower case only}",
            {"P": "A"},
            "Parameter P failed to satisfy constraint: lower case only",
        ),
        ("{Type: Number}", {"P": "x"}, "Parameter 'P' must be a number."),
        ("{Type: Number, MinValue: 2}", {"P": "1"}, "must be a number not less than 2"),
        ("{Type: Number, MaxValue: 2}", {"P": "3"}, "must be a number not greater than 2"),
        ("{Type: String, MinLength: 2}", {"P": "a"}, "must contain at least 2 characters"),
        ("{Type: String, MaxLength: 2}", {"P": "abc"}, "must contain at most 2 characters"),
        ("{Type: List<Number>}", {"P": "1,x"}, "must be a number"),
        ("{Type: String}", {"P": "x" * 4097}, "has more than 4096 bytes"),
        ("{Type: AWS::SSM::Parameter::Value<Number>}", {"P": "x"}, "looks resources up that are not here"),
        ("{Type: AWS::EC2::VPC::Id}", {"P": "x"}, "looks resources up that are not here"),
        ("{Type: Strin}", {"P": "x"}, "the parameter type Strin is no type"),
        ("{Default: x}", {}, "parameter P has no Type"),
        ("{Type: String, Defalt: x}", {"P": "x"}, "'Defalt' is no attribute of a parameter"),
        ("{Type: String, AllowedPattern: '(?=a)'}", {"P": "a"}, "no pattern that is matched in linear time"),
        ("{Type: String, AllowedValues: a}", {"P": "a"}, "AllowedValues takes a list"),
        ("{Type: String, MinLength: x}", {"P": "a"}, "MinLength is 'x': use a number"),
    ],
)
def test_a_value_that_may_not_be_is_refused(declaration, given, reason):
    with pytest.raises(TemplateRefused) as caught:
        values(declaration, **given)
    assert reason in str(caught.value)


def test_a_pattern_that_backtracks_elsewhere_is_quick_here():
    with pytest.raises(TemplateRefused):
        values("{Type: String, AllowedPattern: '(a+)+b'}", P="a" * 4000)


def test_lists_are_lists_for_ref_and_everything_else_is_text():
    declared = {"L": {"Type": "CommaDelimitedList"}, "N": {"Type": "Number"}, "E": {"Type": "List<Number>"}}
    assert typed_values(declared, {"L": "a, b", "N": "5", "E": ""}) == {"L": ["a", "b"], "N": "5", "E": []}


def test_a_secret_is_never_shown():
    assert shown_value({"Type": "String", "NoEcho": True}, "secret") == "****"
    assert shown_value({"Type": "String", "NoEcho": "false"}, "plain") == "plain"


def test_a_secret_that_does_not_fit_is_not_told() -> None:
    with pytest.raises(TemplateRefused) as refused:
        values("{Type: String, NoEcho: true, AllowedPattern: '[0-9]+'}", P="my-secret")
    assert "my-secret" not in str(refused.value)


def test_a_pattern_that_is_none_is_not_written_to_our_output(capfd) -> None:
    with pytest.raises(TemplateRefused):
        values("{Type: String, AllowedPattern: '(?=a)'}", P="a")
    assert capfd.readouterr().err == ""
