"""The local certificate authority's files in the data directory, made at the first start.

`ca.key` is the root's key, mode 0600. `tls/ca.pem` is its certificate, and `tls/trust.pem` that certificate behind the
ones that this machine trusts already: for programs that take one file for all. Functions see the folder `tls`.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gatepost.app.trusted_files import ROOT, TRUST
from gatepost.kernel.errors import SettingsError
from gatepost.security.certificates import ALWAYS_PERMITTED, BadCertificate, LocalAuthority, facts_of
from gatepost.storage.data_directory import write_durably

log = logging.getLogger(__name__)

RENEW_BEFORE_MS: Final = 400 * 24 * 3_600_000  # longer than any certificate that it issues lives
SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def load_authority(key_path: Path, folder: Path, names: Sequence[str], now_ms: int) -> LocalAuthority:
    """Read the authority, or make one when there is none, it ends soon, or `names` are others than it was made for.

    Raises: SettingsError when others may read the key, or the files are damaged; OSError.
    """
    root_path = folder / ROOT
    if key_path.exists() and root_path.exists():
        if key_path.stat().st_mode & 0o077:
            raise SettingsError(f"{key_path} can be read by others: chmod 600 {key_path}")
        try:
            authority = LocalAuthority.read(root_path.read_bytes(), key_path.read_bytes())
        except BadCertificate as error:
            raise SettingsError(
                f"{root_path} is damaged ({error}): remove it and {key_path}, and run `gatepost trust` again"
            ) from error
        lasts = facts_of(authority.certificate).not_after_ms > now_ms + RENEW_BEFORE_MS
        if lasts and set(authority.permitted) == {*ALWAYS_PERMITTED, *names}:
            return authority
        log.warning("a new local authority is made: whoever trusted the old one runs `gatepost trust` again")
    return _make(key_path, folder, names, now_ms)


def _make(key_path: Path, folder: Path, names: Sequence[str], now_ms: int) -> LocalAuthority:
    authority = LocalAuthority.make(names, now_ms)
    root, key = authority.to_pem()
    write_durably(key_path, key, mode=0o600)
    write_durably(folder / ROOT, root, mode=0o644)
    (folder / TRUST).unlink(missing_ok=True)
    if bundle := _system_bundle():
        write_durably(folder / TRUST, bundle + b"\n" + root, mode=0o644)
    return authority


def _system_bundle() -> bytes:
    """Give the certificates that this machine trusts, as PEM; nothing where they lie in no single file."""
    default = ssl.get_default_verify_paths().cafile
    for path in (default, *SYSTEM_BUNDLES):
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return b""
