from __future__ import annotations

import pytest

from gatepost.kernel.limits import API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX
from gatepost.services.apigateway.documentation_model import (
    FIELDS_OF,
    Documentation,
    DocumentationPart,
    DocumentationVersion,
    Location,
    location_from_aws,
)
from gatepost.services.apigateway.model import LimitExceededException


@pytest.mark.parametrize("kind", sorted(FIELDS_OF))
def test_documentation_comes_back_from_json_as_it_was(kind: str) -> None:
    name = {"name": "n"} if "name" in FIELDS_OF[kind] else {}
    part = DocumentationPart("p1", location_from_aws({"type": kind, **name}), "{}")
    documentation = Documentation({"p1": part})
    assert Documentation.from_json(documentation.to_json()) == documentation
    version = DocumentationVersion("1", 5, "d", (part,))
    assert DocumentationVersion.from_json(version.to_json()) == version


def test_an_api_has_at_most_2000_parts() -> None:
    parts = {str(i): DocumentationPart(str(i), Location("MODEL", name=str(i)), "{}") for i in range(2_000)}
    assert len(parts) == API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX
    documentation = Documentation(parts)
    documentation.with_part(DocumentationPart("5", Location("API"), "{}"))
    with pytest.raises(LimitExceededException):
        documentation.with_part(DocumentationPart("new", Location("API"), "{}"))
