"""Names and paths, and AWS's words for those that cannot be."""

from __future__ import annotations

import pytest

from gatepost.kernel.errors import AccessDeniedException, ValidationException
from gatepost.services.ssm.names import NOT_A_NAME, check_name, check_path


@pytest.mark.parametrize("name", ["a", "/a", "/a/b.c_d-e/F", "a.b", "not-ssm", "/shop/aws"])
def test_names_that_can_be(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["awsome", "/aws/x", "AWS", "/Aws-x"])
def test_awss_own_names_are_nobody_elses(name: str) -> None:
    with pytest.raises(AccessDeniedException, match=f"No access to reserved parameter name: {name}."):
        check_name(name)


@pytest.mark.parametrize("name", ["ssm", "/SSM/x", "a b", "a/b", "/a/", "//a", "x" * 1012])
def test_other_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ValidationException) as caught:
        check_name(name)
    assert caught.value.message == NOT_A_NAME


def test_paths_begin_with_a_slash_and_have_no_empty_levels() -> None:
    for path in ("/", "/a", "/a/", "/aws/service/x"):
        check_path(path)
    for path in ("a", "//", "/a//b", "/a b"):
        with pytest.raises(ValidationException) as caught:
            check_path(path)
        assert 'prefixed with \\"aws\\" or \\"ssm\\" (case-insensitive)' in caught.value.message
