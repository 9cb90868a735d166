"""What the gateway gets of user pools' domains: how to know one, and of a custom one its certificate and TLS terms.

Published under topic `POOL_DOMAIN`, key: the name. Prefixes are not published: their names say what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.operations import Change

PATH_PREFIX: Final = "/_aws/auth/"
AUTH_LABEL: Final = "auth"  # shop.auth.us-east-1.localhost
_PREFIX_HOSTS: Final = (".localhost", ".amazoncognito.com")
POOL_DOMAIN: Final = "pool_domain"
DEFAULT_SECURITY_POLICY: Final = "TLS_V1_2_2021"
# Cognito's names for what CloudFront calls TLSv1 …, by the policies that this platform's listeners know.
TLS_POLICIES: Final[Mapping[str, str]] = {
    "TLS_V1": "TLS_1_0",
    "TLS_V1_2_2021": "SecurityPolicy_TLS13_1_2_2021_06",
    "TLS_V1_3_2025": "SecurityPolicy_TLS13_1_3_2025_09",
}


def name_of_host(host: str) -> str:
    """Give a Host header's name in lower case, without its port."""
    name, _, port = host.rpartition(":")
    return (name if port.isdigit() else host).lower()


def is_prefix_host(name: str) -> bool:
    """Say whether a name is `{prefix}.auth.{region}.localhost`, or AWS's for the same."""
    labels = name.split(".", 2)
    return len(labels) == 3 and labels[1] == AUTH_LABEL and name.endswith(_PREFIX_HOSTS)


@dataclass(frozen=True, slots=True)
class PublishedPoolDomain:
    """A custom domain as the gateway serves it. `security_policy` is a name of `security.tls_contexts`."""

    name: str
    certificate_arn: str
    security_policy: str

    def change(self) -> Change:
        """Give what is published."""
        return Change(
            POOL_DOMAIN, self.name, {"certificate_arn": self.certificate_arn, "security_policy": self.security_policy}
        )

    @classmethod
    def from_json(cls, name: str, value: Mapping[str, Any]) -> PublishedPoolDomain:
        """Read what was published under a name. Raises: KeyError."""
        return cls(name, value["certificate_arn"], value["security_policy"])
