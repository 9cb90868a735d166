"""The list that a template makes is a list, and told apart from an array of JSON."""

from gatepost.languages.vtl_lists import JavaList


def test_a_list_of_a_template_equals_an_array_and_is_told_apart_by_its_type():
    made = JavaList([1, "a"])
    assert made == [1, "a"]
    assert type(made) is not list
    assert not hasattr(made, "__dict__")
