import pytest

from gatepost.services.dynamodb.capacity import read_units, wants_capacity, write_units


@pytest.mark.parametrize(
    ("size", "eventual", "consistent"),
    [(0, 0.5, 1), (1, 0.5, 1), (4096, 0.5, 1), (4097, 1, 2), (8192, 1, 2), (8193, 1.5, 3), (400 * 1024, 50, 100)],
)
def test_a_read_unit_is_4_kb_and_half_as_much_eventually(size, eventual, consistent) -> None:
    assert read_units(size, consistent=False) == eventual
    assert read_units(size, consistent=True) == consistent


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (400 * 1024, 400)])
def test_a_write_unit_is_1_kb(size, units) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(
    ("params", "detail"),
    [({}, ""), ({"ReturnConsumedCapacity": "NONE"}, ""), ({"ReturnConsumedCapacity": "INDEXES"}, "INDEXES")],
)
def test_capacity_is_told_when_asked_for(params, detail) -> None:
    assert wants_capacity(params) == detail
