"""Node.js on this machine, where there is one: tests of Node functions are skipped without."""

from __future__ import annotations

import pytest

from gatepost.services.lambda_.runner.nodes import NO_NODE, find_nodes

NODES = find_nodes()
RUNTIME = f"nodejs{NODES[-1].major}.x" if NODES else "nodejs20.x"
needs_node = pytest.mark.skipif(not NODES, reason=NO_NODE)
