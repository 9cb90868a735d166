"""Between the two roles: a snapshot, numbered changes, acknowledgements, invocations and telemetry."""
