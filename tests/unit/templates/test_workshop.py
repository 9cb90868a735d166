"""What handlers work with: operations that are tried again where that helps."""

import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable
from gatepost.templates.workshop import (
    CONFLICT_PAUSE_S,
    CONFLICT_RETRIES_MAX,
    UNAVAILABLE_PAUSE_S,
    UNAVAILABLE_RETRIES_MAX,
    retry_after_s,
)


class ResourceConflictException(ServiceError):
    code = "ResourceConflictException"
    status = 409


@pytest.mark.parametrize(
    ("fault", "operation", "tries", "wait_s"),
    [
        (ServiceUnavailable(), "Invoke", 0, UNAVAILABLE_PAUSE_S),
        (ServiceUnavailable(), "CreateTable", UNAVAILABLE_RETRIES_MAX - 1, UNAVAILABLE_PAUSE_S),
        (ServiceUnavailable(), "Invoke", UNAVAILABLE_RETRIES_MAX, None),
        (ResourceConflictException(), "AddPermission", 0, CONFLICT_PAUSE_S),
        (ResourceConflictException(), "AddPermission", CONFLICT_RETRIES_MAX, None),
        (ResourceConflictException(), "CreateFunction", 0, None),  # the name is taken, and will be
        (ServiceError(), "AddPermission", 0, None),
    ],
)
def test_only_what_may_pass_is_tried_again_and_not_for_ever(fault, operation, tries, wait_s):
    assert retry_after_s(fault, operation, tries) == wait_s
