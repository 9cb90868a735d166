from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.tag_limits import check_tags


@pytest.mark.parametrize("tags", [{"": "x"}, {"a" * 129: "x"}, {"AWS:x": "y"}, {"a": "x" * 257}])
def test_a_tag_that_cannot_be_is_refused(tags: dict) -> None:
    with pytest.raises(BadRequestException):
        check_tags(tags)
    check_tags({"a" * 128: "x" * 256})
