from gatepost.languages.item_expressions_parser import parse_update
from gatepost.languages.item_expressions_paths import Scope
from gatepost.languages.item_expressions_updates import compile_update


def plan_of(text, **types):
    return compile_update(parse_update(text), Scope({}, {f":{name}": tag for name, tag in types.items()}))


def test_every_operand_sees_the_item_as_it_was() -> None:
    item = {"a": {"N": "1"}, "b": {"N": "2"}}
    after = plan_of("SET a = b, b = a").apply(item, {})
    assert after == {"a": {"N": "2"}, "b": {"N": "1"}}


def test_what_is_not_touched_is_shared_and_what_is_touched_is_copied() -> None:
    item = {"a": {"M": {"b": {"N": "1"}, "c": {"L": [{"S": "x"}]}}}, "d": {"L": []}}
    after = plan_of("SET a.b = :v", v="N").apply(item, {":v": {"N": "2"}})
    assert item["a"]["M"]["b"] == {"N": "1"}
    assert after["a"]["M"]["b"] == {"N": "2"}
    assert after["d"] is item["d"]
    assert after["a"]["M"]["c"] is item["a"]["M"]["c"]


def test_a_plan_knows_what_it_touches() -> None:
    plan = plan_of("SET a.b = :v REMOVE c ADD d :v", v="N")
    assert plan.names == {"a", "c", "d"}
    item = {"a": {"M": {"b": {"S": "x"}, "z": {"S": "y"}}}, "c": {"S": "c"}, "e": {"S": "e"}}
    assert plan.touched.pick(item) == {"a": {"M": {"b": {"S": "x"}}}, "c": {"S": "c"}}


def test_indexes_mean_the_list_as_it_was() -> None:
    item = {"l": {"L": [{"S": str(i)} for i in range(12)]}}
    after = plan_of("SET l[3] = :v REMOVE l[10], l[2], l[9], l[0]", v="S").apply(item, {":v": {"S": "new"}})
    assert [one["S"] for one in after["l"]["L"]] == ["1", "new", "4", "5", "6", "7", "8", "11"]


def test_adding_to_a_set_keeps_it_sorted_and_without_duplicates() -> None:
    item = {"n": {"NS": ["-1", "2", "10"]}}
    after = plan_of("ADD n :v", v="NS").apply(item, {":v": {"NS": ["2", "9"]}})
    assert after == {"n": {"NS": ["-1", "2", "9", "10"]}}
