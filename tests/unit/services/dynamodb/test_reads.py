import pytest

from tests.support.dynamodb import a_table, an_index, on_dynamodb


def key(pk, sk):
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def with_items(scenario, *, count=10, **more):
    async def run(db):
        await db("CreateTable", **a_table(**more))
        for i in range(count):
            item = {**key("a", f"{i:03}"), "n": {"N": str(-i)}, "color": {"S": "red"}, "more": {"S": f"m{i}"}}
            await db("PutItem", TableName="things", Item=item)
        return await scenario(db)

    return on_dynamodb(run)


QUERY = {
    "TableName": "things",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "a"}},
}
INDEXES = {
    "GlobalSecondaryIndexes": [
        ("by_color", "color:S", "n:N", "ALL", None),
        ("slim", "color:S", None, "INCLUDE", ["n"]),
    ],
    "LocalSecondaryIndexes": [("local", "pk:S", "n:N", "KEYS_ONLY", None)],
}


def indexes():
    return {
        kind: [
            an_index(name, partition, sort, projection=how, attributes=names)
            for name, partition, sort, how, names in given
        ]
        for kind, given in INDEXES.items()
    }


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [
        (0, False, 0.5),
        (4096 - 7, False, 0.5),
        (4097 - 7, False, 1),
        (4096 - 7, True, 1),
        (4097 - 7, True, 2),
        (12288 - 7, True, 3),
    ],
)
def test_a_read_unit_holds_4_kilobytes(size, consistent, units) -> None:
    async def scenario(db):
        await db("PutItem", TableName="things", Item={**key("a", "1"), "x": {"S": "y" * size}})
        answer = await db(
            "GetItem", TableName="things", Key=key("a", "1"), ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL"
        )
        return answer["ConsumedCapacity"]["CapacityUnits"]

    assert with_items(scenario, count=0) == units


def test_what_is_not_there_is_an_answer_without_an_item() -> None:
    async def scenario(db):
        plain = await db("GetItem", TableName="things", Key=key("z", "z"))
        told = await db("GetItem", TableName="things", Key=key("z", "z"), ReturnConsumedCapacity="INDEXES")
        return plain, told

    assert with_items(scenario) == (
        {},
        {"ConsumedCapacity": {"TableName": "things", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}},
    )


def test_a_table_may_be_named_by_its_arn() -> None:
    async def scenario(db):
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/things"
        other = "arn:aws:dynamodb:eu-west-1:000000000000:table/things"
        assert (await db("GetItem", TableName=arn, Key=key("a", "001")))["Item"]["more"] == {"S": "m1"}
        assert (await db.refused("GetItem", TableName=other, Key=key("a", "001"))).code == "ResourceNotFoundException"
        assert (await db("DescribeTable", TableName=arn))["Table"]["TableArn"] == arn

    with_items(scenario)


def test_a_projection_picks_attributes() -> None:
    async def scenario(db):
        return await db(
            "GetItem",
            TableName="things",
            Key=key("a", "001"),
            ProjectionExpression="#m, absent",
            ExpressionAttributeNames={"#m": "more"},
        )

    assert with_items(scenario) == {"Item": {"more": {"S": "m1"}}}


def test_a_limit_that_is_reached_gives_a_key_to_go_on_from_even_at_the_end() -> None:
    async def scenario(db):
        full = await db("Query", **QUERY, Limit=10)
        rest = await db("Query", **QUERY, Limit=10, ExclusiveStartKey=full["LastEvaluatedKey"])
        return full["Count"], full["LastEvaluatedKey"], rest, "LastEvaluatedKey" in await db("Query", **QUERY, Limit=11)

    assert with_items(scenario) == (10, key("a", "009"), {"Count": 0, "ScannedCount": 0, "Items": []}, False)


def test_a_page_holds_a_megabyte_at_most() -> None:
    async def scenario(db):
        for i in range(5):
            await db("PutItem", TableName="things", Item={**key("big", str(i)), "x": {"S": "y" * 300_000}})
        page = await db(
            "Query", **{**QUERY, "ExpressionAttributeValues": {":p": {"S": "big"}}}, ReturnConsumedCapacity="TOTAL"
        )
        return page["Count"], page["LastEvaluatedKey"], page["ConsumedCapacity"]["CapacityUnits"]

    assert with_items(scenario, count=0) == (3, key("big", "2"), 110.0)


def test_a_filter_leaves_out_after_reading_and_counts_both() -> None:
    async def scenario(db):
        page = await db(
            "Query",
            TableName="things",
            KeyConditionExpression="pk = :p",
            FilterExpression="n < :n",
            Limit=8,
            ExpressionAttributeValues={":p": {"S": "a"}, ":n": {"N": "-5"}},
        )
        return (
            page["Count"],
            page["ScannedCount"],
            page["LastEvaluatedKey"]["sk"],
            [item["sk"]["S"] for item in page["Items"]],
        )

    assert with_items(scenario) == (2, 8, {"S": "007"}, ["006", "007"])


def test_count_gives_no_items() -> None:
    async def scenario(db):
        return await db("Query", **QUERY, Select="COUNT"), await db("Scan", TableName="things", Select="COUNT")

    assert with_items(scenario) == ({"Count": 10, "ScannedCount": 10}, {"Count": 10, "ScannedCount": 10})


def test_the_last_key_of_an_index_holds_both_keys() -> None:
    async def scenario(db):
        page = await db(
            "Query",
            TableName="things",
            IndexName="by_color",
            KeyConditionExpression="color = :c",
            Limit=1,
            ExpressionAttributeValues={":c": {"S": "red"}},
        )
        return page["LastEvaluatedKey"]

    assert with_items(scenario, **indexes()) == {"color": {"S": "red"}, "n": {"N": "-9"}, **key("a", "009")}


def test_a_local_index_fetches_what_it_does_not_hold_and_counts_it() -> None:
    async def scenario(db):
        params = {
            "TableName": "things",
            "IndexName": "local",
            "KeyConditionExpression": "pk = :p AND n > :n",
            "ExpressionAttributeValues": {":p": {"S": "a"}, ":n": {"N": "-2"}},
            "ReturnConsumedCapacity": "INDEXES",
        }
        slim = await db("Query", **params)
        whole = await db("Query", **params, Select="ALL_ATTRIBUTES")
        picked = await db("Query", **params, ProjectionExpression="more")
        return slim, whole, picked

    slim, whole, picked = with_items(scenario, **indexes())
    assert slim["Items"][0] == {**key("a", "001"), "n": {"N": "-1"}}
    assert whole["Items"][0] == {**key("a", "001"), "n": {"N": "-1"}, "color": {"S": "red"}, "more": {"S": "m1"}}
    assert picked["Items"] == [{"more": {"S": "m1"}}, {"more": {"S": "m0"}}]
    assert slim["ConsumedCapacity"]["CapacityUnits"] == 0.5
    assert whole["ConsumedCapacity"] == picked["ConsumedCapacity"]
    assert whole["ConsumedCapacity"]["Table"] == {"CapacityUnits": 1.0}
    assert whole["ConsumedCapacity"]["LocalSecondaryIndexes"] == {"local": {"CapacityUnits": 0.5}}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"KeyConditionExpression": None},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified",
        ),
        ({"KeyConditionExpression": "sk = :p"}, "Query condition missed key schema element: pk"),
        ({"KeyConditionExpression": "pk > :p"}, "Query key condition not supported"),
        ({"KeyConditionExpression": "pk = :p AND more = :p"}, "Query condition missed key schema element: sk"),
        (
            {"ExpressionAttributeValues": {":p": {"N": "1"}}},
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        ({"ExpressionAttributeValues": {":p": {"S": ""}}}, "cannot contain an empty string value. Key: pk"),
        (
            {"FilterExpression": "sk = :p"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
        ),
        ({"IndexName": "nothing"}, "The table does not have the specified index: nothing"),
        (
            {"IndexName": "by_color", "ConsistentRead": True},
            "Consistent reads are not supported on global secondary indexes",
        ),
        ({"Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or ProjectionExpression"),
        (
            {"Select": "COUNT", "ProjectionExpression": "more"},
            "Cannot specify the ProjectionExpression when choosing to get",
        ),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, "can be used only when Querying using an IndexName"),
        (
            {"IndexName": "slim", "Select": "ALL_ATTRIBUTES", "KeyConditionExpression": "color = :p"},
            "Select type ALL_ATTRIBUTES is not supported for global secondary index slim because its projection type "
            "is not ALL",
        ),
        (
            {"IndexName": "slim", "ProjectionExpression": "more", "KeyConditionExpression": "color = :p"},
            "Global secondary index slim does not project [more]",
        ),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}}}, "The provided starting key is invalid"),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}, "sk": {"N": "1"}}}, "The provided starting key is invalid"),
        ({"ExclusiveStartKey": key("b", "1")}, "The provided starting key is outside query boundaries"),
        ({"KeyConditions": {}}, "Can not use both expression and non-expression parameters in the same request"),
        ({"Limit": 0}, "Value '0' at 'limit' failed to satisfy constraint"),
    ],
)
def test_queries_are_refused_in_awss_words(params, message) -> None:
    async def scenario(db):
        given = {**QUERY, **params}
        return (
            await db.refused("Query", **{name: value for name, value in given.items() if value is not None})
        ).message

    assert message in with_items(scenario, **indexes())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Segment": 0}, "The TotalSegments parameter is required but was not present"),
        ({"TotalSegments": 2}, "The Segment parameter is required but was not present"),
        ({"Segment": 2, "TotalSegments": 2}, "Segment: 2 is not less than TotalSegments: 2"),
        (
            {"ConditionalOperator": "OR"},
            "One or more parameter values were invalid: ConditionalOperator cannot be used without",
        ),
        ({"TotalSegments": 1_000_001, "Segment": 0}, "failed to satisfy constraint"),
    ],
)
def test_scans_are_refused_in_awss_words(params, message) -> None:
    async def scenario(db):
        return (await db.refused("Scan", TableName="things", **params)).message

    assert message in with_items(scenario)


def test_a_segment_goes_on_only_from_its_own_keys() -> None:
    async def scenario(db):
        for i in range(50):
            await db("PutItem", TableName="things", Item=key(f"p{i}", "1"))
        first = await db("Scan", TableName="things", Segment=0, TotalSegments=2, Limit=5)
        error = await db.refused(
            "Scan", TableName="things", Segment=1, TotalSegments=2, ExclusiveStartKey=first["LastEvaluatedKey"]
        )
        return error.message

    assert "Please use ExclusiveStartKey with correct Segment. TotalSegments: 2 Segment: 1" in with_items(scenario)


def test_a_sparse_index_is_scanned_like_a_table() -> None:
    async def scenario(db):
        await db("PutItem", TableName="things", Item=key("b", "1"))
        first = await db("Scan", TableName="things", IndexName="slim", Limit=6)
        rest = await db("Scan", TableName="things", IndexName="slim", ExclusiveStartKey=first["LastEvaluatedKey"])
        return first["Count"], rest["Count"], rest["Items"][0]

    first, rest, item = with_items(scenario, **indexes())
    assert (first, rest) == (6, 4)
    assert set(item) == {"pk", "sk", "color", "n"}


def test_binary_and_number_keys_work() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("bin", partition="b:B", sort="n:N"))
        for n in ("10", "9", "-1", "1.50"):
            await db("PutItem", TableName="bin", Item={"b": {"B": "AP8="}, "n": {"N": n}})
        found = await db(
            "Query",
            TableName="bin",
            KeyConditionExpression="b = :b AND n BETWEEN :x AND :y",
            ExpressionAttributeValues={":b": {"B": "AP8="}, ":x": {"N": "-1"}, ":y": {"N": "9.0"}},
        )
        one = await db("GetItem", TableName="bin", Key={"b": {"B": "AP8="}, "n": {"N": "1.5000"}})
        return [item["n"]["N"] for item in found["Items"]], one["Item"]["n"]

    assert on_dynamodb(scenario) == (["-1", "1.5", "9"], {"N": "1.5"})
