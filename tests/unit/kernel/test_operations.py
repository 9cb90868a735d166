"""What a call says of itself to policies."""

import pytest

from gatepost.kernel.operations import pass_role, tag_context


@pytest.mark.parametrize(
    ("tags", "removed", "expected"),
    [
        ((), (), {}),
        ((("Team", "A"),), (), {"aws:requesttag/team": "A", "aws:tagkeys": ("Team",)}),
        ((), ("Team",), {"aws:tagkeys": ("Team",)}),
        ((("a", "1"),), ("B",), {"aws:requesttag/a": "1", "aws:tagkeys": ("a", "B")}),
    ],
)
def test_tags_are_told_by_name_and_their_keys_as_they_are(tags, removed, expected) -> None:
    assert tag_context(iter(tags), iter(removed)) == expected


def test_a_role_that_is_handed_over_is_told_with_its_service() -> None:
    access = pass_role("arn:aws:iam::1:role/r", "lambda.amazonaws.com")
    assert (access.action, access.resource) == ("iam:PassRole", "arn:aws:iam::1:role/r")
    assert access.context == {"iam:passedtoservice": "lambda.amazonaws.com"}
