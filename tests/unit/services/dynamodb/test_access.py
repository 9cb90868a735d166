import pytest

from gatepost.kernel.operations import Call
from tests.support.dynamodb import ACCOUNT, REGION, ROOT, a_table, an_index, on_dynamodb

ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def touched(operation, params):
    async def scenario(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("by_n", "n:N")]))
        call = Call("dynamodb", operation, ACCOUNT, REGION, ROOT, "request", 0)
        return [(access.action, access.resource, dict(access.context)) for access in db.provider.access(call, params)]

    return on_dynamodb(scenario)


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("ListTables", {}, [("dynamodb:ListTables", "*")]),
        ("DescribeEndpoints", {}, [("dynamodb:DescribeEndpoints", "*")]),
        ("GetItem", {"TableName": "things", "Key": KEY}, [("dynamodb:GetItem", ARN + "things")]),
        ("GetItem", {"TableName": ARN + "things", "Key": KEY}, [("dynamodb:GetItem", ARN + "things")]),
        ("Scan", {"TableName": "nothing", "IndexName": "by_n"}, [("dynamodb:Scan", ARN + "nothing/index/by_n")]),
        ("TagResource", {"ResourceArn": ARN + "x", "Tags": []}, [("dynamodb:TagResource", ARN + "x")]),
        (
            "CreateTable",
            {"TableName": "new", "Tags": [{"Key": "a", "Value": "b"}]},
            [("dynamodb:CreateTable", ARN + "new"), ("dynamodb:TagResource", ARN + "new")],
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"things": {"Keys": [KEY]}, "others": {"Keys": [KEY]}}},
            [("dynamodb:BatchGetItem", ARN + "things"), ("dynamodb:BatchGetItem", ARN + "others")],
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "things", "Item": KEY}},
                    {"Put": {"TableName": "things", "Item": KEY}},
                    {"Update": {"TableName": "things", "Key": KEY}},
                    {"ConditionCheck": {"TableName": "others", "Key": KEY}},
                    {"Delete": {"TableName": "others", "Key": KEY}},
                ]
            },
            [
                ("dynamodb:PutItem", ARN + "things"),
                ("dynamodb:UpdateItem", ARN + "things"),
                ("dynamodb:ConditionCheckItem", ARN + "others"),
                ("dynamodb:DeleteItem", ARN + "others"),
            ],
        ),
        (
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "things", "Key": KEY}}]},
            [("dynamodb:GetItem", ARN + "things")],
        ),
    ],
)
def test_a_call_says_what_it_touches(operation, params, expected) -> None:
    assert [(action, resource) for action, resource, _ in touched(operation, params)] == expected


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        (
            "GetItem",
            {"TableName": "things", "Key": KEY},
            {"dynamodb:leadingkeys": ("a",), "dynamodb:attributes": ("pk", "sk"), "dynamodb:select": "ALL_ATTRIBUTES"},
        ),
        (
            "GetItem",
            {
                "TableName": "things",
                "Key": KEY,
                "ProjectionExpression": "x.y, #z",
                "ExpressionAttributeNames": {"#z": "size"},
                "ReturnConsumedCapacity": "TOTAL",
            },
            {
                "dynamodb:leadingkeys": ("a",),
                "dynamodb:attributes": ("pk", "size", "sk", "x"),
                "dynamodb:select": "SPECIFIC_ATTRIBUTES",
                "dynamodb:returnconsumedcapacity": "TOTAL",
            },
        ),
        (
            "Query",
            {
                "TableName": "things",
                "IndexName": "by_n",
                "KeyConditionExpression": "n = :n",
                "ExpressionAttributeValues": {":n": {"N": "1.0"}},
            },
            {
                "dynamodb:leadingkeys": ("1",),
                "dynamodb:attributes": ("n",),
                "dynamodb:select": "ALL_PROJECTED_ATTRIBUTES",
            },
        ),
        ("Scan", {"TableName": "things"}, {"dynamodb:select": "ALL_ATTRIBUTES"}),
        (
            "UpdateItem",
            {
                "TableName": "things",
                "Key": KEY,
                "UpdateExpression": "SET x = :x",
                "ConditionExpression": "y > :x",
                "ExpressionAttributeValues": {":x": {"N": "1"}},
                "ReturnValues": "ALL_NEW",
            },
            {
                "dynamodb:leadingkeys": ("a",),
                "dynamodb:attributes": ("pk", "sk", "x", "y"),
                "dynamodb:returnvalues": "ALL_NEW",
            },
        ),
        (
            "BatchWriteItem",
            {
                "RequestItems": {
                    "things": [
                        {"PutRequest": {"Item": {**KEY, "x": {"S": "y"}}}},
                        {"DeleteRequest": {"Key": {**KEY, "pk": {"S": "b"}}}},
                    ]
                }
            },
            {"dynamodb:leadingkeys": ("a", "b"), "dynamodb:attributes": ("pk", "sk", "x")},
        ),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "things", "Item": KEY}}]},
            {
                "dynamodb:leadingkeys": ("a",),
                "dynamodb:attributes": ("pk", "sk"),
                "dynamodb:enclosingoperation": "TransactWriteItems",
            },
        ),
    ],
)
def test_condition_keys_are_worked_out_when_asked_for(operation, params, expected) -> None:
    ((_, _, context),) = touched(operation, params)
    assert context == expected


UPDATE = "UPDATE things SET x = 1 WHERE pk = 'a' AND sk = '1'"


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("ExecuteStatement", {"Statement": UPDATE}, "NONE"),
        ("ExecuteStatement", {"Statement": f"{UPDATE} RETURNING ALL OLD *"}, "ALL_OLD"),
        ("ExecuteStatement", {"Statement": f"{UPDATE} RETURNING MODIFIED NEW *"}, "UPDATED_NEW"),
        ("ExecuteStatement", {"Statement": UPDATE, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}, "ALL_OLD"),
        ("BatchExecuteStatement", {"Statements": [{"Statement": f"{UPDATE} RETURNING ALL NEW *"}]}, "ALL_NEW"),
        ("ExecuteStatement", {"Statement": "SELECT * FROM things WHERE pk = 'a'"}, None),
        (
            "PutItem",
            {"TableName": "things", "Item": KEY, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
            "ALL_OLD",
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Delete": {"TableName": "things", "Key": KEY, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}
                ]
            },
            "ALL_OLD",
        ),
    ],
)
def test_policies_see_every_way_in_which_a_write_returns_an_item(operation, params, expected) -> None:
    ((_, _, context),) = touched(operation, params)
    assert context.get("dynamodb:returnvalues") == expected


@pytest.mark.parametrize(
    "params",
    [
        {"TableName": "nothing", "Key": KEY},
        {"TableName": "a!", "Key": KEY},
        {"TableName": "things", "Key": {"pk": {"N": "x"}}},
        {"TableName": "things", "Key": {"pk": {}}},
        {"TableName": "things", "Key": {}},
        {"TableName": "things", "KeyConditionExpression": "pk = :p"},
        {"TableName": "things", "KeyConditionExpression": "((", "ExpressionAttributeValues": {":p": {}}},
    ],
)
def test_a_request_that_will_be_refused_has_no_leading_keys(params) -> None:
    for _, _, context in touched("Query", params):
        assert context.get("dynamodb:leadingkeys") is None


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutItem", {"TableName": "things", "Item": {**KEY, "pk": {"S": "theirs"}}, "Key": KEY}),
        (
            "GetItem",
            {
                "TableName": "things",
                "Key": {**KEY, "pk": {"S": "theirs"}},
                "Item": KEY,
                "KeyConditionExpression": "pk = :p",
                "ExpressionAttributeValues": {":p": {"S": "a"}},
                "Select": "SPECIFIC_ATTRIBUTES",
                "IndexName": "by_n",
            },
        ),
        (
            "BatchWriteItem",
            {
                "TableName": "others",
                "RequestItems": {"things": [{"PutRequest": {"Item": {**KEY, "pk": {"S": "theirs"}}, "Key": KEY}}]},
            },
        ),
        (
            "TransactGetItems",
            {
                "TableName": "others",
                "RequestItems": {"others": {"Keys": [KEY]}},
                "TransactItems": [{"Get": {"TableName": "things", "Key": {**KEY, "pk": {"S": "theirs"}}, "Item": KEY}}],
            },
        ),
    ],
)
def test_members_that_the_operation_ignores_do_not_count(operation, params) -> None:
    ((_, resource, context),) = touched(operation, params)
    assert resource == ARN + "things"
    assert context["dynamodb:leadingkeys"] == ("theirs",)
    assert context.get("dynamodb:select", "ALL_ATTRIBUTES") == "ALL_ATTRIBUTES"


@pytest.mark.parametrize("suffix", ["/index/by_n", "/stream/x", "/", "?"])
def test_an_arn_with_more_than_the_table_is_refused(suffix) -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        return (await db.refused("GetItem", TableName=ARN + "things" + suffix, Key=dict(KEY))).code

    assert on_dynamodb(scenario) == "ValidationException"


def test_another_partitions_arn_is_the_same_table_to_policies() -> None:
    ((_, resource, _),) = touched("GetItem", {"TableName": (ARN + "things").replace(":aws:", ":aws-cn:"), "Key": KEY})
    assert resource == ARN + "things"


def test_values_that_are_none_do_not_break_the_condition_keys() -> None:
    between = {
        "ConditionExpression": "n BETWEEN :a AND :b",
        "ExpressionAttributeValues": {":a": {"N": "x"}, ":b": {"N": "y"}},
    }
    ((_, _, context),) = touched("DeleteItem", {"TableName": "things", "Key": KEY, **between})
    assert context["dynamodb:attributes"] == ("pk", "sk")


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        (
            "CreateTable",
            {"TableName": "new", "Tags": [{"Key": "Team", "Value": "shop"}]},
            {"aws:requesttag/team": "shop", "aws:tagkeys": ("Team",)},
        ),
        (
            "TagResource",
            {"ResourceArn": ARN + "x", "Tags": [{"Key": "Team", "Value": "shop"}]},
            {"aws:requesttag/team": "shop", "aws:tagkeys": ("Team",)},
        ),
        ("UntagResource", {"ResourceArn": ARN + "x", "TagKeys": ["Team"]}, {"aws:tagkeys": ("Team",)}),
    ],
)
def test_policies_see_the_tags_that_a_request_sets_or_takes_away(operation, params, expected) -> None:
    for _, _, context in touched(operation, params):
        assert context == expected
