"""The ground that everything stands on: clocks, ids, ARNs, errors, limits, ports and tasks (stdlib only)."""
