"""A mapping from a table's stream to a function, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

MAPPING: Final = "event_source_mapping"  # kind of record
POSITION: Final = "event_source_position"  # kind of record: where a mapping's lanes are


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """One event source mapping. -1 for retries and age: as long as the stream holds the records."""

    uuid: str
    arn: str
    function_arn: str  # with the qualifier that was given
    source_arn: str
    created_at_ms: int
    modified_at_ms: int
    is_enabled: bool = True
    batch_size: int = 100
    window_s: int = 0
    lanes: int = 1  # AWS: ParallelizationFactor
    starting_position: str = "LATEST"
    starting_at_ms: int = 0
    does_bisect: bool = False
    retries_max: int = -1
    age_s_max: int = -1
    reports_failures: bool = False
    filters: Sequence[str] = ()
    on_failure: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StreamMapping:
        """Read what `to_json` gave."""
        return cls(**value)
