"""Addresses of packages: for ten minutes, and only those that we made."""

from __future__ import annotations

import asyncio
from typing import Any

from gatepost.app.code_downloads import LIFE_MS, ROUTE, CodeDownloads
from gatepost.kernel.clock import FixedClock
from gatepost.security.sealing import Seal
from gatepost.storage.assets import FileAssets
from gatepost.wire.messages import Request
from tests.support.rest_apis import a_call


def test_an_address_leads_to_its_package_until_it_ends(tmp_path) -> None:
    clock, assets = FixedClock(), FileAssets(tmp_path)
    sha256 = assets.put_now(b"a zip")
    downloads = CodeDownloads(Seal(bytes(32)), clock, assets, endpoint_url="http://127.0.0.1:4566")
    others = CodeDownloads(Seal(b"x" * 32), clock, assets, endpoint_url="")

    def answer(target: str) -> Any:
        response = asyncio.run(downloads.handle(Request("GET", target, []), a_call("GET")))
        return response.status, response.body

    url = downloads.location(sha256)
    assert url.startswith(f"http://127.0.0.1:4566{ROUTE}")
    target = url.removeprefix("http://127.0.0.1:4566")
    assert answer(target) == (200, b"a zip")
    for wrong in (target[:-2], f"{ROUTE}", f"{ROUTE}äö", f"{ROUTE}{'A' * 600}", others.location(sha256)):
        assert answer(wrong)[0] == 403
    assert answer(downloads.location("0" * 64).partition("4566")[2])[0] == 403
    clock.advance(ms=LIFE_MS - 1)
    assert answer(target)[0] == 200
    clock.advance(ms=1)
    assert answer(target)[0] == 403
