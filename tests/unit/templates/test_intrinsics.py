"""CloudFormation's functions."""

import pytest

from gatepost.templates.intrinsics import NO_VALUE, EvaluationFault, Unknown, displayed, waits_for
from tests.support.templates import an_evaluator


class Standing:
    """A table that stands and a function that will come."""

    def ref(self, logical_id):
        if logical_id == "Table":
            return "shop-Table-1"
        return Unknown({"Ref": logical_id}, frozenset({(logical_id, "")})) if logical_id == "Fn" else None

    def attribute(self, logical_id, name):
        if logical_id == "Table":
            if name != "Arn":
                raise LookupError("it has Arn")
            return "arn:table"
        if logical_id == "Fn":
            return Unknown({"Fn::GetAtt": ["Fn", name]}, frozenset({("Fn", name)}))
        return None


PARAMETERS = {"Stage": "prod", "Zones": ["a", "b"], "Count": "3"}
MAPPINGS = {"Sizes": {"prod": {"Memory": 512, "List": ["x", "y"]}}}
CONDITIONS = {
    "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
    "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
    "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "IsDev"}]},
    "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "IsDev"}]},
    "Circle": {"Fn::Not": [{"Condition": "Round"}]},
    "Round": {"Fn::Not": [{"Condition": "Circle"}]},
    "Late": {"Fn::Equals": [{"Ref": "Fn"}, "x"]},
}


def evaluated(node, *, language_extensions=True):
    return an_evaluator(
        Standing(),
        parameters=PARAMETERS,
        mappings=MAPPINGS,
        conditions=CONDITIONS,
        exports={"url": "https://x"},
        language_extensions=language_extensions,
    ).value(node, ("X",))


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "Table"}, "shop-Table-1"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "AWS::AccountId"}, "000000000000"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "shop"),
        ({"Ref": "AWS::NotificationARNs"}, []),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "arn:table"),
        ({"Fn::GetAtt": "Table.Arn"}, "arn:table"),
        ({"Fn::Sub": "${Stage}-${Table.Arn}-${!Literal}-${AWS::Region}"}, "prod-arn:table-${Literal}-us-east-1"),
        ({"Fn::Sub": ["${a}/${Stage}", {"a": {"Ref": "Table"}}]}, "shop-Table-1/prod"),
        ({"Fn::Sub": "costs $5 and ${ Stage }"}, "costs $5 and prod"),
        ({"Fn::Join": ["-", ["a", 1, True, {"Ref": "Stage"}]]}, "a-1-true-prod"),
        ({"Fn::Join": [",", {"Ref": "Zones"}]}, "a,b"),
        ({"Fn::Join": ["", ["a", {"Ref": "AWS::NoValue"}, "b"]]}, "ab"),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": ["0", {"Ref": "Zones"}]}, "a"),
        ({"Fn::Select": [2, {"Fn::Split": ["/", "a/b/c"]}]}, "c"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Memory"]}, 512),
        ({"Fn::FindInMap": ["Sizes", "dev", "Memory", {"DefaultValue": {"Ref": "Count"}}]}, "3"),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::ImportValue": "url"}, "https://x"),
        ({"Fn::If": ["IsProd", "yes", {"Ref": "Nowhere"}]}, "yes"),
        ({"Fn::If": ["IsDev", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::Length": {"Ref": "Zones"}}, 2),
        ({"Fn::ToJsonString": {"a": [1, {"Ref": "Stage"}]}}, '{"a":[1,"prod"]}'),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Fn::If": ["IsDev", 2, {"Ref": "AWS::NoValue"}]}]}, {"b": [1]}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),  # IAM's word
        ({"Ref": "Stage", "other": 1}, {"Ref": "Stage", "other": 1}),
    ],
)
def test_a_function_gives_its_value(node, value):
    assert evaluated(node) == value


def test_no_value_alone_takes_away_what_holds_it():
    assert evaluated({"Ref": "AWS::NoValue"}) is NO_VALUE


@pytest.mark.parametrize(
    ("node", "form"),
    [
        ({"Ref": "Fn"}, {"Ref": "Fn"}),
        ({"Fn::Sub": "${Stage}/${Fn.Arn}/x"}, {"Fn::Join": ["", ["prod/", {"Fn::GetAtt": ["Fn", "Arn"]}, "/x"]]}),
        ({"Fn::Join": ["-", ["a", {"Ref": "Fn"}]]}, {"Fn::Join": ["-", ["a", {"Ref": "Fn"}]]}),
        (
            {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Fn"}]}]},
            {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Fn"}]}]},
        ),
        ({"Fn::Base64": {"Ref": "Fn"}}, {"Fn::Base64": {"Ref": "Fn"}}),
        ({"Fn::ToJsonString": {"a": {"Ref": "Fn"}}}, {"Fn::ToJsonString": {"a": {"Ref": "Fn"}}}),
    ],
)
def test_what_waits_for_a_resource_keeps_its_form(node, form):
    value = evaluated(node)
    assert displayed(value) == form
    assert {logical_id for logical_id, _ in waits_for(value)} == {"Fn"}


def test_sub_and_join_of_the_same_value_have_the_same_form():
    assert evaluated({"Fn::Sub": "a${Fn}b"}) == evaluated({"Fn::Join": ["", ["a", {"Ref": "Fn"}, "b"]]})


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"Ref": "Nowhere"}, "there is no parameter or resource of that name"),
        ({"Ref": ["x"]}, "Ref takes the name"),
        ({"Fn::GetAtt": ["Table", "Nope"]}, "Fn::GetAtt Table.Nope: it has Arn"),
        ({"Fn::GetAtt": "Table"}, "takes a resource's logical id and the name"),
        ({"Fn::GetAtt": ["Nowhere", "Arn"]}, "there is no resource Nowhere"),
        ({"Fn::Sub": "${Table.Nope}"}, "Fn::Sub ${Table.Nope}"),
        ({"Fn::Sub": {"Ref": "x"}}, "takes a text, no function"),
        ({"Fn::Sub": ["x"]}, "takes a text, or a list"),
        ({"Fn::Sub": "${Zones}"}, "takes texts"),
        ({"Fn::Join": ["-", "x"]}, "takes a list as its second argument"),
        ({"Fn::Join": ["-", [["a"]]]}, "takes texts"),
        ({"Fn::Select": [5, ["a"]]}, "nonexistent value at index 5"),
        ({"Fn::Select": ["x", ["a"]]}, "'x' is no index"),
        ({"Fn::Split": ["", "a"]}, "takes a delimiter and a text"),
        ({"Fn::FindInMap": ["Sizes", "dev", "Memory"]}, "Unable to get mapping for Sizes::dev::Memory"),
        ({"Fn::FindInMap": ["Sizes", "dev"]}, "takes the names"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Fn"}, "x"]}, "three names that are known"),
        ({"Fn::Cidr": ["10.0.0.0/30", 9, 2]}, "has no room for 9 subnets"),
        ({"Fn::ImportValue": "nope"}, "No export named nope found"),
        ({"Fn::ImportValue": {"Ref": "Fn"}}, "depends on no resource"),
        ({"Fn::If": ["Nope", 1, 2]}, "Unresolved condition dependency Nope"),
        ({"Fn::If": ["IsProd", 1]}, "takes a condition's name"),
        ({"Fn::If": ["Circle", 1, 2]}, "Circular dependency between conditions: Circle -> Round -> Circle"),
        ({"Fn::If": ["Late", 1, 2]}, "never at resources"),
        ({"Fn::Equals": [1, 1]}, "stands under Conditions only"),
        ({"Fn::Nope": 1}, "Fn::Nope is no function of CloudFormation"),
        ({"Fn::Transform": {"Name": "Macro"}}, "the macro 'Macro' cannot run here"),
        ({"Fn::Length": "x"}, "Fn::Length takes a list"),
        (
            "{{resolve:s3:/db/password}}",
            "use secretsmanager, ssm or ssm-secure",
        ),
        ({"Fn::Sub": "{{resolve:ssm-secure:${Stage}}}"}, "LoginProfile.Password"),
    ],
)
def test_what_cannot_be_evaluated_says_why(node, reason):
    with pytest.raises(EvaluationFault) as caught:
        evaluated(node)
    assert reason in caught.value.message


@pytest.mark.parametrize(
    "node",
    [{"Fn::Length": ["a"]}, {"Fn::ToJsonString": {}}, {"Fn::FindInMap": ["Sizes", "x", "y", {"DefaultValue": 1}]}],
)
def test_language_extensions_must_be_declared(node):
    with pytest.raises(EvaluationFault, match="AWS::LanguageExtensions"):
        evaluated(node, language_extensions=False)


def test_a_fault_names_its_path():
    with pytest.raises(EvaluationFault) as caught:
        evaluated({"a": [1, {"Fn::Join": ["-", [{"Ref": "Nowhere"}]]}]})
    assert caught.value.path == ("X", "a", 1, "Fn::Join", 1, 0, "Ref")
