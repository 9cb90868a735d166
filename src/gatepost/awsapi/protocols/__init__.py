"""AWS's wire protocols: bytes to parameters and results to bytes."""
