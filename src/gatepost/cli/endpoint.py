"""The AWS endpoint as the command line uses it: one signed connection, operations as JSON."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from gatepost.kernel.clock import SystemClock
from gatepost.storage.data_directory import DataDirectory, read_json

TIMEOUT_S: Final = 60.0
RESETTING: Final = b'{"status":"resetting"}'  # what the endpoint says until an ephemeral platform is empty again
RESET_POLL_S: Final = 0.05
RESET_POLLS_MAX: Final = 200


class OperationFailed(click.ClickException):
    """The platform said no. `code` is AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.reason = message


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a running platform tells of itself in endpoints.json."""

    aws: str
    public: str
    private: str
    tls: str
    region: str
    account_id: str
    supervisor: int
    durability: str
    is_ephemeral: bool


def read_addresses(data: DataDirectory) -> Addresses | None:
    """Read where the platform of a data directory answers, or None when none runs."""
    told = read_json(data.endpoints)
    if told is None or data.owner() is None:
        return None
    return Addresses(**{name: told[name] for name in Addresses.__slots__})


class Endpoint:
    """A platform's AWS endpoint, called with the administrator's key."""

    def __init__(self, addresses: Addresses, *, access_key_id: str, secret_access_key: str) -> None:
        self.addresses = addresses
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._clock = SystemClock()
        split = urllib.parse.urlsplit(addresses.aws)
        self._host = split.netloc
        self._connection = http.client.HTTPConnection(split.hostname or "", split.port or 80, timeout=TIMEOUT_S)

    def another(self) -> Endpoint:
        """Give a connection of its own to the same platform, for another thread."""
        return Endpoint(self.addresses, access_key_id=self._access_key_id, secret_access_key=self._secret_access_key)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def health(self) -> tuple[int, dict[str, Any]]:
        """Ask how the platform is: status and JSON. Raises: OSError."""
        status, content = self.send("GET", "/_gatepost/health", is_signed=False)
        return status, json.loads(content)

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Run one AWS operation, later when somebody is just then resetting the platform. Raises: OperationFailed."""
        path, body = f"/_gatepost/operations/{service}/{operation}", json.dumps(params).encode()
        for _ in range(RESET_POLLS_MAX):
            status, content = self.send("POST", path, body)
            if status != 503 or content != RESETTING:
                break
            time.sleep(RESET_POLL_S)
        try:
            answer = json.loads(content or b"{}")
        except ValueError:
            raise OperationFailed(f"HTTP {status}", content[:200].decode(errors="replace")) from None
        if status >= 300:
            raise OperationFailed(answer.get("code", f"HTTP {status}"), answer.get("message", ""))
        assert isinstance(answer, dict)
        return answer

    def send(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", is_signed: bool = True
    ) -> tuple[int, bytes]:
        """Send one request, once more on a connection that went stale. Raises: OSError."""
        headers = [("Host", self._host), ("Content-Type", "application/json")]
        if is_signed:
            from gatepost.security.sigv4 import sign

            headers = sign(
                method,
                path,
                query,
                headers,
                body,
                access_key_id=self._access_key_id,
                secret_access_key=self._secret_access_key,
                region=self.addresses.region,
                service=path.split("/")[3] if path.startswith("/_gatepost/operations/") else "gatepost",
                now_ms=self._clock.now_ms(),
            )
        target = f"{path}?{query}" if query else path
        with suppress(http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            return self._exchange(method, target, headers, body)
        self._connection.close()
        return self._exchange(method, target, headers, body)

    def _exchange(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        self._connection.request(method, path, body=body, headers=dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def administrator_of(data: DataDirectory) -> dict[str, str]:
    """Read the administrator's key of a data directory. Raises: click.ClickException."""
    key = read_json(data.path / "administrator.json")
    if key is None:
        raise click.ClickException(f"{data.path} holds no administrator's key that this user can read")
    return {"access_key_id": key["access_key_id"], "secret_access_key": key["secret_access_key"]}


def endpoint_of(data_dir: Path) -> Endpoint:
    """Connect to the platform that owns `data_dir`. Raises: click.ClickException when none runs."""
    data = DataDirectory(data_dir.absolute())
    addresses = read_addresses(data)
    if addresses is None:
        raise click.ClickException(f"no platform runs on {data_dir}: start one with `gatepost up`, or give --data")
    return Endpoint(addresses, **administrator_of(data))


def stage_url(addresses: Addresses, api_id: str, stage: str, *, is_private: bool = False) -> str:
    """Give where a stage answers on this machine: those of private APIs at the private port alone."""
    return f"{addresses.private if is_private else addresses.public}/_aws/execute-api/{api_id}/{stage}"


def sign_in_url(addresses: Addresses, domain: str) -> str:
    """Give where a user pool's hosted pages answer on this machine."""
    return f"{addresses.public}/_aws/auth/{domain}"


def rest_apis(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Give every REST API."""
    found: list[dict[str, Any]] = endpoint.call("apigateway", "GetRestApis", limit=500).get("items", [])
    return found


def is_private(api: Mapping[str, Any]) -> bool:
    """Say whether a REST API answers at the private port alone."""
    return "PRIVATE" in api.get("endpointConfiguration", {}).get("types", ())


def deployed_stages(endpoint: Endpoint) -> list[dict[str, str]]:
    """Give every API's stages with their URLs."""
    return [
        {
            "api": api["name"],
            "id": api["id"],
            "stage": stage["stageName"],
            "url": stage_url(endpoint.addresses, api["id"], stage["stageName"], is_private=is_private(api)),
        }
        for api in rest_apis(endpoint)
        for stage in endpoint.call("apigateway", "GetStages", restApiId=api["id"]).get("item", [])
    ]
