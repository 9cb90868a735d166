"""A physical resource that is to be deleted."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost.services.cloudformation.model import Incarnation


@dataclass(frozen=True, slots=True)
class Doomed:
    """One physical resource to be deleted."""

    logical_id: str
    type: str
    incarnation: Incarnation
