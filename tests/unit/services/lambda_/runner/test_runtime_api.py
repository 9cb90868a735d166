from __future__ import annotations

import pytest

from gatepost.services.lambda_.runner.runtime_api import header_text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("8a1f", b"8a1f"),
        ('{"a": "ü"}', b'{"a":"\\u00fc"}'),
        ('{"a":\n1}', b'{"a":1}'),
        ("x\r\nInjected: 1", b"xInjected: 1"),
        ("ü", b""),
        ("Root=1-2;Sampled=1", b"Root=1-2;Sampled=1"),
    ],
)
def test_what_goes_into_headers_cannot_end_them(text: str, sent: bytes) -> None:
    assert header_text(text) == sent
