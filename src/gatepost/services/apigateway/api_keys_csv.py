"""API keys from a CSV file: what its lines say, and what is wrong with them.

Columns, in any order and case: `Name`, `key` (the value), and optionally `Description`, `Enabled`, `UsagePlanIds`
(several between quotes, divided by commas). Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html ("Name,key,description,Enabled,
usageplanIds"; "the headers […] case-insensitive"). The sentences of the warnings are ours (unverified).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gatepost.services.apigateway.model import BadRequestException

BYTES_MAX: Final = 6 * 1024 * 1024  # unverified
ROWS_MAX: Final = 50_000  # unverified
FIELD_CHARACTERS_MAX: Final = 16_384
_COLUMNS: Final = ("name", "key", "description", "enabled", "usageplanids")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key of a file. `line` is where it stands."""

    line: int
    name: str
    value: str = field(repr=False)
    description: str = ""
    is_enabled: bool = False
    plan_ids: tuple[str, ...] = ()


def parse_key_rows(body: bytes) -> tuple[list[KeyRow], list[str]]:
    """Give the rows that can be read, and a warning for each that cannot. Raises: BadRequestException."""
    if len(body) > BYTES_MAX:
        raise BadRequestException(f"The API keys file must have at most {BYTES_MAX} bytes")
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text), skipinitialspace=True, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequestException(f"Failed to parse the API keys file: {type(error).__name__}: {error}") from None
    if len(lines) > ROWS_MAX + 1:
        raise BadRequestException(f"At most {ROWS_MAX} API keys are allowed in a file")
    header = [name.strip().lower() for name in lines[0]] if lines else []
    unknown = [name for name in header if name not in _COLUMNS]
    if "name" not in header or "key" not in header or unknown or len(set(header)) < len(header):
        raise BadRequestException(
            "The API keys file needs a header with Name and key, and knows Description, Enabled and UsagePlanIds"
        )
    rows: list[KeyRow] = []
    warnings: list[str] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        row = _row(number, header, cells)
        if isinstance(row, str):
            warnings.append(row)
        else:
            rows.append(row)
    return rows, warnings


def _row(number: int, header: Sequence[str], cells: Sequence[str]) -> KeyRow | str:
    if len(cells) != len(header):
        return f"Line {number}: {len(cells)} columns, the header has {len(header)}"
    given = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    enabled = given.get("enabled", "").lower()
    if enabled not in ("", "true", "false"):
        return f"Line {number}: Enabled must be TRUE or FALSE"
    plans = tuple(dict.fromkeys(each.strip() for each in given.get("usageplanids", "").split(",") if each.strip()))
    if any(len(cell) > FIELD_CHARACTERS_MAX for cell in cells):
        return f"Line {number}: a field has more than {FIELD_CHARACTERS_MAX} characters"
    return KeyRow(number, given["name"], given["key"], given.get("description", ""), enabled == "true", plans)
