"""Amazon Resource Names: taken apart and put together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN's six parts; `resource` holds everything after the fifth colon, colons included."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"


def parse_arn(text: str) -> Arn | None:
    """Take `text` apart, or give None when it is no ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        return None
    return Arn(parts[1], parts[2], parts[3], parts[4], parts[5])


def arn(service: str, region: str, account_id: str, resource: str) -> str:
    """Put an ARN of the `aws` partition together. Global services have an empty region."""
    return f"arn:aws:{service}:{region}:{account_id}:{resource}"
