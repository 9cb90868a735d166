"""Every setting of the platform, read once: unit, default, bound and a sentence for each field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

Durability = Literal["full", "process"]

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DOMAIN: Final = re.compile(r"(?=.{3,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_SERVER: Final = r"(?:\[[0-9a-fA-F:.]+\]|[^@/\s:,\[\]]+)(?::\d{1,5})?"
_STATE_URL: Final = re.compile(rf"valkeys?://(?:[^@/\s]*@)?{_SERVER}(?:,{_SERVER}){{0,15}}(?:/\d{{0,3}})?")
_ISSUER: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~/-]*)?", re.ASCII)
_VPC_ENDPOINT: Final = re.compile(r"vpce-[0-9a-z]{1,32}(?:=vpc-[0-9a-z]{1,32})?")
_REGION: Final = re.compile(r"[a-z0-9-]{1,64}")  # as signatures spell it


@dataclass(frozen=True, slots=True)
class Settings:
    """How one platform runs. Defaults are AWS's where AWS has one."""

    data_dir: Path = Path(".gatepost")  # everything that lasts; owned by one platform at a time
    host: str = "127.0.0.1"  # the address that every listener binds
    port: int = 8080  # the gateway's public listener; 0 picks a free port
    private_port: int = 8081  # the gateway's listener for private APIs, plain and over TLS
    vpc_endpoints: tuple[str, ...] = ()  # --vpc-endpoint VPCE[=VPC][,NETWORK…]: for which that listener stands
    aws_port: int = 4566  # the AWS endpoint
    tls_port: int | None = None  # the public listener over TLS; None: 8443, or a free port where that is taken
    tls_names: tuple[str, ...] = ()  # domains, beside localhost, that the local certificate authority may speak for
    region: str = "us-east-1"  # of everything that templates create
    account_id: str = "000000000000"  # 12 digits, a string from flag to ARN
    durability: Durability = "full"  # "process" survives kill -9 but not power loss
    is_ephemeral: bool = False  # nothing is kept; allows POST /_gatepost/reset
    is_lenient: bool = False  # what cannot be enforced is a warning, not a refusal
    any_credentials: bool = False  # unknown access keys are the administrator; loopback only
    drain_ms: int = 3_000  # how long running requests may finish at a stop; 0 to 60000
    service_endpoints: tuple[tuple[str, str], ...] = ()  # --service NAME=URL
    quotas: tuple[tuple[str, str], ...] = ()  # --quota NAME=N: what REST APIs may hold, where it is not AWS's number
    tables_url: str = ""  # --tables: where table traffic goes; empty: tables are ours
    tables_throttled: bool = True  # provisioned tables refuse what exceeds their units
    account_throttle_rate: float = 10_000.0  # requests a second of all APIs together; AWS's default
    account_throttle_burst: int = 5_000  # requests at once
    state_url: str = ""  # --state: what gateways share; empty: this process's memory
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For names the client, for limits by address
    workers: int = 1  # --workers: gateway processes that share the listeners and the state; 1 to 64
    concurrency: int = 1_000  # --concurrency: executions of all functions together; 1 to 100000
    concurrency_scaling: int = 1_000  # --concurrency-scaling: by how many a function may grow in ten seconds
    debug_function: str = ""  # --debug: name or logical id of the function whose worker listens for a debugger
    debug_port: int = 0  # where; 0: 5678 for Python, 9229 for Node.js
    issuer: str = ""  # --issuer: what user pools' tokens name; empty: http://localhost:PORT; "aws": AWS's form
    smtp_url: str = ""  # --smtp: where e-mails go out; empty: into the outbox only
    password_memory_kib: int = 19 * 1024  # of one Argon2id hash; 8192 (7 MiB is OWASP's least) to 1048576
    password_passes: int = 2  # of one Argon2id hash; 1 to 20
    parameters: tuple[tuple[str, str], ...] = ()  # --parameter K=V for the templates of `up`
    templates: tuple[Path, ...] = field(default=())

    def problems(self) -> list[str]:
        """Say what is wrong with these settings, one sentence each, with what would be right."""
        found = []
        ports = (
            ("port", self.port),
            ("private-port", self.private_port),
            ("aws-port", self.aws_port),
            ("tls-port", self.tls_port or 0),
            ("debug-port", self.debug_port),
        )
        for name, port in ports:
            if not 0 <= port <= 65_535:
                found.append(f"--{name} is {port}: use 0 to 65535 (0 picks a free port)")
        if not (len(self.account_id) == 12 and self.account_id.isascii() and self.account_id.isdigit()):
            found.append(f"--account-id is {self.account_id!r}: use 12 digits")
        found.extend(
            f"--tls-name is {name!r}: use a domain of two labels or more, such as shop.test"
            for name in self.tls_names
            if not _DOMAIN.fullmatch(name)
        )
        if not _REGION.fullmatch(self.region):
            found.append(f"--region is {self.region!r}: use a name such as us-east-1")
        if self.any_credentials and self.host not in LOOPBACK_HOSTS:
            found.append(f"--any-credentials with --host {self.host}: it is refused on anything but a loopback address")
        for name, count in (("concurrency", self.concurrency), ("concurrency-scaling", self.concurrency_scaling)):
            if not 1 <= count <= 100_000:
                found.append(f"--{name} is {count}: use 1 to 100000")
        if not 1 <= self.workers <= 64:
            found.append(f"--workers is {self.workers}: use 1 to 64, such as the number of cores")
        if self.workers > 1 and self.debug_function:
            found.append("--debug needs --workers 1: a debugger attaches to one gateway's worker")
        if not 0 <= self.drain_ms <= 60_000:
            found.append(f"drain_ms is {self.drain_ms}: use 0 to 60000")
        found.extend(
            f"--vpc-endpoint is {each!r}: use vpce-ID=vpc-ID, and the networks of its callers: vpce-1=vpc-1,10.0.0.0/8"
            for each in self.vpc_endpoints
            if not _is_vpc_endpoint(each)
        )
        found.extend(self._limit_problems())
        found.extend(self._user_pool_problems())
        return found

    def _user_pool_problems(self) -> list[str]:
        found = []
        if self.issuer and self.issuer != "aws" and not _ISSUER.fullmatch(self.issuer):
            found.append(f"--issuer is {self.issuer!r}: use aws, or an address such as https://login.example.com")
        if not 8_192 <= self.password_memory_kib <= 1_048_576:
            found.append(f"--password-memory-kib is {self.password_memory_kib}: use 8192 to 1048576")
        if not 1 <= self.password_passes <= 20:
            found.append(f"--password-passes is {self.password_passes}: use 1 to 20")
        return found

    def _limit_problems(self) -> list[str]:
        found = []
        if not 0 < self.account_throttle_rate <= 1e9:
            found.append(f"--account-throttle-rate is {self.account_throttle_rate}: use a number up to 1000000000")
        if not 1 <= self.account_throttle_burst <= 2**31 - 1:
            found.append(f"--account-throttle-burst is {self.account_throttle_burst}: use 1 to {2**31 - 1}")
        if self.state_url and not _STATE_URL.fullmatch(self.state_url):
            found.append("--state: use valkey://HOST[:PORT][,HOST[:PORT]…][/DATABASE] (or valkeys:// for TLS)")
        for network in self.trusted_proxies:
            try:
                ip_network(network)
            except ValueError as error:
                found.append(f"--trusted-proxy is {network!r}: {error}; use an address or a network, 10.0.0.0/8")
        return found


def _is_vpc_endpoint(text: str) -> bool:
    names, *networks = text.split(",")
    try:
        for network in networks:
            ip_network(network)
    except ValueError:
        return False
    return _VPC_ENDPOINT.fullmatch(names) is not None


def ledger_settings(*, tables_url: str, tables_throttled: bool) -> frozenset[str]:
    """Give the settings under which the ledger says something else of tables (`templates.ledger.Entry.under`)."""
    names = {"tables-elsewhere": bool(tables_url), "tables-unthrottled": not tables_throttled}
    return frozenset(name for name, is_so in names.items() if is_so)
