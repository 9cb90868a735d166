"""Pages and tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.services.iam.errors import ValidationError
from gatepost.services.iam.listing import list_tags, paged, tagged, untagged


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=30), st.integers(1, 7))
def test_pages_together_are_the_whole_list(names: list[str], count_max: int) -> None:
    names.sort()
    seen: list[str] = []
    params: dict[str, object] = {"MaxItems": count_max}
    while True:
        page, rest = paged(names, params, name_of=str)
        assert len(page) <= count_max
        seen.extend(page)
        if not rest["IsTruncated"]:
            break
        params["Marker"] = rest["Marker"]
    assert seen == names


def test_what_is_deleted_between_pages_hides_nothing() -> None:
    _, rest = paged(["a", "b", "c", "d"], {"MaxItems": 2}, name_of=str)
    page, _ = paged(["a", "c", "d"], {"MaxItems": 2, "Marker": rest["Marker"]}, name_of=str)
    assert page == ["c", "d"]


@pytest.mark.parametrize("marker", ["%", "a", "////8="])
def test_a_marker_that_is_not_ours_is_refused(marker: str) -> None:
    with pytest.raises(ValidationError, match="Invalid Marker"):
        paged(["a"], {"Marker": marker}, name_of=str)


def test_tags_are_replaced_and_taken_away_without_regard_to_case() -> None:
    tags = tagged((("Team", "a"), ("cost", "1")), [{"Key": "TEAM", "Value": "b"}])
    assert tags == (("cost", "1"), ("TEAM", "b"))
    assert untagged(tags, ["team"]) == (("cost", "1"),)
    assert list_tags(tags, {}) == {
        "Tags": [{"Key": "TEAM", "Value": "b"}, {"Key": "cost", "Value": "1"}],
        "IsTruncated": False,
    }
