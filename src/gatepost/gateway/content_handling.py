"""Payloads between base64 text and bytes: what `contentHandling` and `binaryMediaTypes` make of them.

Source: the two tables of "Content type conversions in API Gateway"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html).
Unverified: blanks and the quotes of a JSON string around base64 are passed over; text that a client would get as
binary by its Accept header alone, and that is no base64, goes out as it is.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from gatepost.gateway.responses import API_CONFIGURATION_ERROR, Refusal

TO_TEXT: Final = "CONVERT_TO_TEXT"
TO_BINARY: Final = "CONVERT_TO_BINARY"


def decoded(body: bytes) -> bytes:
    """Decode base64. Raises: Refusal."""
    try:
        return base64.b64decode(body.strip().strip(b'"'), validate=True)
    except binascii.Error as error:
        raise Refusal(
            API_CONFIGURATION_ERROR,
            detail=f"Execution failed due to configuration error: Unable to base64 decode the body: {error}",
        ) from error


def before_template(body: bytes, *, is_binary: bool, handling: str, wants_binary: bool = True) -> tuple[bytes, bool]:
    """Give the payload that a template gets, and whether it is still binary."""
    if is_binary and (handling == TO_TEXT or (not handling and not wants_binary)):
        return base64.b64encode(body), False
    return body, is_binary


def after_template(body: bytes, *, is_binary: bool, handling: str, wants_binary: bool = False) -> bytes:
    """Give the payload that goes on. Raises: Refusal when what has to become binary is no base64."""
    if is_binary or not body:
        return body
    if handling == TO_BINARY:
        return decoded(body)
    if not handling and wants_binary:
        try:
            return decoded(body)
        except Refusal:
            return body
    return body
