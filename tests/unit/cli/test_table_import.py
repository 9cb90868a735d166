"""Items become batches without two of one key."""

from gatepost.cli.table_import import BATCH_ITEMS, _batches


def test_the_last_item_of_a_key_wins_within_a_batch() -> None:
    items = [("f, item 1", {"pk": {"S": "a"}, "v": {"N": "1"}}), ("f, item 2", {"pk": {"S": "a"}, "v": {"N": "2"}})]
    assert list(_batches(items, ["pk"])) == [("f, item 1", [{"pk": {"S": "a"}, "v": {"N": "2"}}])]


def test_a_batch_holds_what_aws_takes() -> None:
    items = [(f"{n}", {"pk": {"N": str(n)}}) for n in range(60)]
    assert [(place, len(batch)) for place, batch in _batches(items, ["pk"])] == [
        ("0", BATCH_ITEMS),
        ("25", BATCH_ITEMS),
        ("50", 10),
    ]
