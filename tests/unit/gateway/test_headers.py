from __future__ import annotations

import pytest

from gatepost.gateway.headers import (
    DROPPED_TO_HTTP,
    DROPPED_TO_LAMBDA,
    clean_field_value,
    forwarded,
    is_field_value,
    is_token,
    matches_any,
    media_type,
    response_name,
)
from tests.support.gateways import a_request

# Columns: header, to http_proxy, to lambda, back: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
# "own" means that client or server write it themselves.
PASS, DROP, REMAP, OWN = "passthrough", "dropped", "remapped", "own"
TABLE = [
    ("Age", PASS, PASS, PASS),
    ("Accept", PASS, PASS, PASS),
    ("Accept-Charset", PASS, PASS, PASS),
    ("Accept-Encoding", PASS, PASS, PASS),
    ("Authorization", PASS, PASS, REMAP),
    ("Connection", OWN, DROP, REMAP),
    ("Content-Encoding", DROP, PASS, PASS),
    ("Content-Length", OWN, OWN, OWN),
    ("Content-MD5", DROP, DROP, REMAP),
    ("Content-Type", PASS, PASS, PASS),
    ("Date", PASS, PASS, REMAP),
    ("Expect", DROP, DROP, DROP),
    ("Host", OWN, PASS, DROP),
    ("Max-Forwards", DROP, DROP, REMAP),
    ("Pragma", PASS, PASS, PASS),
    ("Proxy-Authenticate", DROP, DROP, DROP),
    ("Range", PASS, PASS, PASS),
    ("Referer", PASS, PASS, PASS),
    ("Server", DROP, DROP, REMAP),
    ("TE", DROP, DROP, DROP),
    ("Transfer-Encoding", DROP, DROP, DROP),
    ("Trailer", DROP, DROP, DROP),
    ("Upgrade", DROP, DROP, DROP),
    ("User-Agent", PASS, PASS, REMAP),
    ("Via", DROP, PASS, DROP),
    ("Warn", PASS, PASS, PASS),
    ("WWW-Authenticate", DROP, DROP, REMAP),
    ("X-Anything", PASS, PASS, PASS),
]


@pytest.mark.parametrize(("name", "to_http", "to_lambda", "back"), TABLE)
def test_headers_pass_as_the_developer_guide_says(name, to_http, to_lambda, back):
    lower = name.lower().encode()
    assert (lower in DROPPED_TO_HTTP) is (to_http != PASS)
    assert (lower in DROPPED_TO_LAMBDA) is (to_lambda != PASS)
    expected = {PASS: name.encode(), REMAP: b"x-amzn-Remapped-" + name.encode(), DROP: None, OWN: None}[back]
    assert response_name(name.encode()) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "application/json"),
        (b"", "application/json"),
        (b"Text/HTML; charset=utf-8", "text/html"),
        (b"image/webp,image/*,*/*;q=0.8", "image/webp"),
        (b" application/xml ", "application/xml"),
    ],
)
def test_only_the_first_media_type_counts_and_json_is_the_default(given, expected):
    assert media_type(given) == expected


@pytest.mark.parametrize(
    ("media", "patterns", "expected"),
    [
        ("image/png", ("image/png",), True),
        ("image/png", ("image/*",), True),
        ("image/png", ("*/*",), True),
        ("image/png", ("image/jpeg", "text/*"), False),
        ("imagex/png", ("image/*",), False),
        ("application/json", (), False),
    ],
)
def test_binary_media_types_may_be_wildcards(media, patterns, expected):
    assert matches_any(media, patterns) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (a_request(host="a.localhost:8080"), ("198.51.100.7", "8080", "http")),
        (a_request(host="a.localhost"), ("198.51.100.7", "80", "http")),
        (a_request(host="a.localhost", is_tls=True), ("198.51.100.7", "443", "https")),
        (a_request(host="[::1]"), ("198.51.100.7", "80", "http")),
        (
            a_request(headers=(("X-Forwarded-For", "10.9.9.9"), ("x-forwarded-for", "10.1.1.1"))),
            ("10.9.9.9, 10.1.1.1, 198.51.100.7", "8080", "http"),
        ),
        (
            a_request(headers=(("X-Forwarded-For", "10.1.1.1, 10.2.2.2"),)),
            ("10.1.1.1, 10.2.2.2, 198.51.100.7", "8080", "http"),
        ),
    ],
)
def test_the_clients_address_is_appended_to_what_it_says_of_itself(request_, expected):
    assert forwarded(request_) == expected


def test_names_and_values_that_would_split_a_head_are_known():
    assert is_token(b"X-Name")
    assert not is_token(b"")
    assert not is_token(b"X Name")
    assert not is_token(b"X:Name")
    assert is_field_value(b"a\tb \xc3\xa9")
    assert not is_field_value(b"a\r\nb")
    assert not is_field_value(b"a\x00b")
    assert clean_field_value(" a\r\nb\x00 ") == b"ab"
