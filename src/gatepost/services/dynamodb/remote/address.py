"""Where the cluster is and whose key it knows: read once, when the platform starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ports import Credentials

# The environment's names of the key, the more specific ones first: `gatepost env` sets AWS_… to a key of ours.
KEY_NAMES: Final = (
    ("GATEPOST_TABLES_ACCESS_KEY_ID", "GATEPOST_TABLES_SECRET_ACCESS_KEY", "GATEPOST_TABLES_SESSION_TOKEN"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
_AWS_HOST: Final = re.compile(r"dynamodb(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?)")


@dataclass(frozen=True, slots=True)
class Place:
    """One server: `host` is a name or an address without brackets; `header` is what Host says."""

    host: str
    port: int
    is_tls: bool
    header: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that speaks DynamoDB's API. `region` is the one that its signatures name."""

    tables: Place
    streams: Place
    region: str
    credentials: Credentials


def parse_cluster(url: str, environment: Mapping[str, str], *, region: str) -> Cluster:
    """Read `--tables URL` and the key in the environment. `region` is the platform's.

    DynamoDB's own endpoints name their region, and streams have an endpoint of their own there; elsewhere both
    are at `url`. Raises: SettingsError.
    """
    tables = _place(url)
    found = _AWS_HOST.fullmatch(tables.host)
    streams = tables
    if found is not None:
        region = found[2]
        host = f"streams.dynamodb.{region}.{found[3]}"
        streams = Place(host, tables.port, tables.is_tls, host)
    return Cluster(tables, streams, region, _credentials(environment))


def _place(url: str) -> Place:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError("--tables: the URL has no valid host and port: use https://host:port") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("--tables: use https://host or https://host:port")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            f"--tables: leave the key out of the URL, where every process list shows it: set {KEY_NAMES[0][0]} and "
            f"{KEY_NAMES[0][1]}"
        )
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise SettingsError("--tables: use a URL without path and query: https://host:port")
    is_tls = parts.scheme == "https"
    standard = 443 if is_tls else 80
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Place(parts.hostname, port or standard, is_tls, name if port in {None, standard} else f"{name}:{port}")


def _credentials(environment: Mapping[str, str]) -> Credentials:
    for key_id, secret, token in KEY_NAMES:
        if environment.get(key_id) and environment.get(secret):
            return Credentials(environment[key_id], environment[secret], environment.get(token, ""))
    raise SettingsError(
        f"--tables needs the key that the cluster knows: set {KEY_NAMES[0][0]} and {KEY_NAMES[0][1]} in the "
        f"environment (or {KEY_NAMES[1][0]} and {KEY_NAMES[1][1]})"
    )
