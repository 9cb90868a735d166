import pytest

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Call
from gatepost.services.dynamodb.model import table_from_json
from gatepost.services.dynamodb.schema import definition_of, table_uuid
from gatepost.services.dynamodb.tables import table_name
from tests.support.dynamodb import ACCOUNT, REGION, ROOT, a_table, an_index

CALL = Call("dynamodb", "CreateTable", ACCOUNT, REGION, ROOT, "request", 1_000)


def defined(**more):
    return definition_of(CALL, "things", a_table(**more))


def test_a_definition_comes_back_from_the_store_as_it_was() -> None:
    definition = defined(
        GlobalSecondaryIndexes=[an_index("g", "n:N", "sk:S", projection="INCLUDE", attributes=["x"])],
        LocalSecondaryIndexes=[an_index("l", "pk:S", "n:N", projection="KEYS_ONLY")],
        Tags=[{"Key": "a", "Value": "b"}],
        DeletionProtectionEnabled=True,
        TableClass="STANDARD_INFREQUENT_ACCESS",
    )
    assert table_from_json(ACCOUNT, REGION, "things", definition.to_json()) == definition


@pytest.mark.parametrize(("kind", "most"), [("LocalSecondaryIndexes", 5), ("GlobalSecondaryIndexes", 20)])
def test_a_table_has_so_many_indexes_and_no_more(kind, most) -> None:
    def indexes(count):
        return {kind: [an_index(f"index{i}", "pk:S", "n:N") for i in range(count)]}

    assert len(defined(**indexes(most)).indexes) == most
    with pytest.raises(ValidationException, match=f"exceeds per-table limit of {most}"):
        defined(**indexes(most + 1))


def test_indexes_project_a_hundred_attributes_together() -> None:
    def indexes(count):
        names = [f"a{i}" for i in range(count)]
        return {"GlobalSecondaryIndexes": [an_index("g", "n:N", projection="INCLUDE", attributes=names)]}

    defined(**indexes(100))
    with pytest.raises(ValidationException, match="exceeds the limit of 100"):
        defined(**indexes(101))


def test_a_local_index_needs_a_table_with_a_sort_key() -> None:
    with pytest.raises(ValidationException, match="does not have a range key"):
        defined(sort=None, LocalSecondaryIndexes=[an_index("l", "pk:S", "n:N")])


def test_a_tables_id_depends_on_where_and_what_it_is() -> None:
    ids = {table_uuid("1", "r", "a"), table_uuid("1", "r", "b"), table_uuid("1", "s", "a"), table_uuid("2", "r", "a")}
    assert len(ids) == 4
    assert table_uuid("1", "r", "a") in ids


@pytest.mark.parametrize(
    ("name", "plain"),
    [("things", "things"), ("a.b-c_D9", "a.b-c_D9"), (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/things", "things")],
)
def test_a_table_is_called_by_name_or_arn(name, plain) -> None:
    assert table_name(CALL, name) == plain


@pytest.mark.parametrize(
    "name", ["ab", "a b c", "x" * 256, "arn:aws:s3:::table/things", "arn:aws:dynamodb:r:a:stream/x", "arn:"]
)
def test_what_is_neither_is_refused(name) -> None:
    with pytest.raises(ValidationException):
        table_name(CALL, name)
