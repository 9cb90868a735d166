"""The files by which others trust the local certificate authority. Apart from it, so that nobody need load X.509."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = "ca.pem"
TRUST: Final = "trust.pem"


def trust_variables(folder: Path, seen_as: str) -> dict[str, str]:
    """Give the environment variables by which programs trust the local authority beside everyone else.

    `seen_as` is the path under which they find `folder`.
    Where the machine's own certificates lie in no single file, only Node.js is told: its file adds to what it trusts,
    while the others would take the place of it.
    """
    variables = {"NODE_EXTRA_CA_CERTS": f"{seen_as}/{ROOT}"}
    if (folder / TRUST).exists():
        variables |= dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), f"{seen_as}/{TRUST}")
    return variables
