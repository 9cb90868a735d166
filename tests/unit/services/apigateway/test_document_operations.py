from __future__ import annotations

from gatepost.kernel.operations import operations_of
from gatepost.services.apigateway.document_operations import DOCUMENT_PATHS, DocumentOperations


def test_every_operation_says_what_it_touches() -> None:
    assert set(operations_of(DocumentOperations())) == set(DOCUMENT_PATHS)
