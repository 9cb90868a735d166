"""Where GetFunction's Code.Location leads: a package's zip, for whoever has the address, for ten minutes.

The address holds the package's digest and its end, sealed: it can be neither made nor changed by others.

Source: "A presigned URL that you can use to download the deployment package", valid for 10 minutes
(https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html, API_GetFunction.html).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Assets
from gatepost.security.sealing import NotSealed, Seal
from gatepost.wire.messages import Request, Response

ROUTE: Final = "/_gatepost/code/"
LIFE_MS: Final = 10 * 60 * 1000
TOKEN_CHARACTERS_MAX: Final = 512
_PURPOSE: Final = "code-download"


class CodeDownloads:
    """Makes addresses of packages, and answers them."""

    def __init__(self, seal: Seal, clock: Clock, assets: Assets, *, endpoint_url: str) -> None:
        self._seal = seal
        self._clock = clock
        self._assets = assets
        self._endpoint_url = endpoint_url

    def location(self, sha256: str) -> str:
        """Give the address of the package with this digest, from now on for ten minutes."""
        plain = f"{sha256}:{self._clock.now_ms() + LIFE_MS}".encode()
        token = base64.urlsafe_b64encode(self._seal.seal(plain, purpose=_PURPOSE)).decode().rstrip("=")
        return f"{self._endpoint_url}{ROUTE}{token}"

    async def handle(self, request: Request, call: Call) -> Response:
        """Answer with the package, or with 403 when the address is none of ours or too old."""
        del call
        path = self._assets.path(self._digest(request.path.removeprefix(ROUTE)) or "")
        if path is None:
            return Response(403, [(b"content-type", b"text/plain")], b"This address is not valid, or not any more")
        content = await asyncio.get_running_loop().run_in_executor(None, path.read_bytes)
        return Response(200, [(b"content-type", b"application/zip")], content)

    def _digest(self, token: str) -> str | None:
        if len(token) > TOKEN_CHARACTERS_MAX:
            return None
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            sha256, _, ends_ms = self._seal.open(sealed, purpose=_PURPOSE).decode().partition(":")
        except (NotSealed, binascii.Error, ValueError):
            return None
        return sha256 if int(ends_ms) > self._clock.now_ms() else None
