"""How operators use AWS operations: one endpoint for every service, driven by botocore's models as data."""
