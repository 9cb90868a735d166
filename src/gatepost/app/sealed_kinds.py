"""Which records are sealed at rest: those that hold what their owners keep secret."""

from __future__ import annotations

from typing import Final

from gatepost.services.cloudformation.model import CHANGE_SET, EVENT, RESOURCE, STACK
from gatepost.services.lambda_.events import EVENT as FUNCTION_EVENT
from gatepost.services.lambda_.model import FUNCTION, VERSION

# Functions with their environment, events that wait for them; stacks and change sets with their parameters, NoEcho
# ones among them, and with the properties that came of them.
SEALED_KINDS: Final = frozenset((FUNCTION, VERSION, FUNCTION_EVENT, STACK, RESOURCE, CHANGE_SET, EVENT))
