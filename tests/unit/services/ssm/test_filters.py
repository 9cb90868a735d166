"""Filters of parameters at their edges."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import ValidationException
from gatepost.services.ssm.errors import InvalidFilterKey, InvalidFilterOption, InvalidFilterValue
from gatepost.services.ssm.filters import BY_PATH, DESCRIBED, check_filters, is_below


@pytest.mark.parametrize(
    ("name", "path", "deep", "one_level"),
    [
        ("/a/b", "/a", True, True),
        ("/a/b", "/a/", True, True),
        ("/a/b/c", "/a", True, False),
        ("/ab", "/a", False, False),
        ("/a", "/a", False, False),
        ("a", "/", True, True),
        ("a", "/a", False, False),
        ("/a", "/", True, True),
    ],
)
def test_below_a_path_is_what_goes_on_after_a_slash(name, path, deep, one_level):
    assert is_below(name, path, is_recursive=True) is deep
    assert is_below(name, path, is_recursive=False) is one_level


def test_filters_that_there_are_not_are_refused():
    check_filters([{"Key": "Name", "Option": "Contains", "Values": ["a"]}, {"Key": "tag:team"}], DESCRIBED)
    with pytest.raises(InvalidFilterKey):
        check_filters([{"Key": "Owner"}], DESCRIBED)
    with pytest.raises(InvalidFilterKey):
        check_filters([{"Key": "tag:team"}], BY_PATH)
    with pytest.raises(InvalidFilterKey, match="duplicated in the request: Name"):
        check_filters([{"Key": "Name", "Values": ["a"]}, {"Key": "Name", "Values": ["b"]}], DESCRIBED)
    with pytest.raises(InvalidFilterOption, match=r"Contains. Valid options include: \[BeginsWith, Equals\]"):
        check_filters([{"Key": "Type", "Option": "Contains", "Values": ["String"]}], DESCRIBED)
    with pytest.raises(InvalidFilterValue, match="missing : null for filter key Name"):
        check_filters([{"Key": "Name"}], DESCRIBED)
    with pytest.raises(InvalidFilterValue, match="not valid: Text"):
        check_filters([{"Key": "Type", "Values": ["Text"]}], DESCRIBED)
    with pytest.raises(ValidationException, match="parameter name requirements"):
        check_filters([{"Key": "Path", "Values": ["//"]}], DESCRIBED)
