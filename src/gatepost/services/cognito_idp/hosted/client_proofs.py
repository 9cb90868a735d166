"""Which app client asks, and whether it knows its secret, by `client_secret_basic` or `client_secret_post`.

Source: RFC 6749, section 2.3.1.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import unquote_plus

from gatepost.services.cognito_idp.hosted.answers import OAuthRefusal
from gatepost.services.cognito_idp.hosted.paces import AddressPace
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.pool import AppClient
from gatepost.services.cognito_idp.pools import Pools

BASIC: Final = "basic "


def proven_client(pools: Pools, visit: Visit, pace: AddressPace) -> AppClient:
    """Give the client of a request to an endpoint for apps. A client without a secret proves nothing but its id.

    `pace` counts wrong proofs of an address. Raises: OAuthRefusal.
    """
    client_id, secret = _given(visit)
    if pace.is_over(visit.ip):
        raise OAuthRefusal("invalid_client", "too many wrong attempts: try again in a minute", status=429)
    client = pools.client(client_id)
    if client is None or client.pool_id != visit.pool.id or not _is_proven(pools, client, secret):
        pace.count(visit.ip)
        raise OAuthRefusal("invalid_client")
    return client


def _is_proven(pools: Pools, client: AppClient, secret: str) -> bool:
    return pools.secret_matches(client, secret) if client.has_secret else not secret


def _given(visit: Visit) -> tuple[str, str]:
    """Give id and secret, by the header or by the form but not by both."""
    in_form = visit.form.get("client_id", ""), visit.form.get("client_secret", "")
    if not visit.authorization:
        if not in_form[0]:
            raise OAuthRefusal("invalid_request", "client_id is missing")
        return in_form
    if not visit.authorization.lower().startswith(BASIC):
        raise OAuthRefusal("invalid_client")
    try:
        text = base64.b64decode(visit.authorization[len(BASIC) :].strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise OAuthRefusal("invalid_client") from None
    client_id, _, secret = text.partition(":")
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if in_form[1] or (in_form[0] and in_form[0] != client_id):
        raise OAuthRefusal("invalid_request", "a client proves itself in one way")
    return client_id, secret
