"""Files that templates name, found among the uploaded assets.

A packaged template names an asset as `s3://gatepost-assets/<sha256>` or, where AWS wants a URL, as
`https://gatepost-assets.s3.amazonaws.com/<sha256>`; a file name may follow, so that refusals can show it.
"""

from __future__ import annotations

import re
from typing import Final

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.limits import CLOUDFORMATION_TEMPLATE_BYTES_MAX
from gatepost.kernel.ports import Assets

BUCKET: Final = "gatepost-assets"
_LOCATION: Final = re.compile(
    r"(?:s3://gatepost-assets/|https?://gatepost-assets\.s3[a-z0-9.-]*/|https?://[a-z0-9.:-]+/gatepost-assets/)"
    r"([0-9a-f]{64})(?:/(.{1,200}))?"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def asset_url(sha256: str, name: str = "") -> str:
    """Give the address by which a template names an uploaded file."""
    return f"https://{BUCKET}.s3.amazonaws.com/{sha256}" + (f"/{name}" if name else "")


def asset_of(location: str) -> tuple[str, str] | None:
    """Give (sha256, file name) of a location among the assets, or None."""
    found = _LOCATION.fullmatch(location)
    return (found.group(1), found.group(2) or "") if found else None


class AssetFiles:
    """Reads uploaded files."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def read(self, location: str) -> str | None:
        """Give the text of an uploaded file. Raises: SettingsError for another location."""
        found = asset_of(location)
        if found is None:
            raise SettingsError(
                f"{location} is no uploaded file: deploy with `gatepost deploy`, which uploads local files"
            )
        return self.text(BUCKET, found[0])

    def text(self, bucket: str, key: str) -> str | None:
        """Give the text of an asset by bucket and key, or None."""
        sha256 = key.split("/", 1)[0]
        if bucket != BUCKET or not _SHA256.fullmatch(sha256):
            return None
        path = self._assets.path(sha256)
        if path is None or path.stat().st_size > 10 * CLOUDFORMATION_TEMPLATE_BYTES_MAX:
            return None
        return path.read_text(encoding="utf-8")
