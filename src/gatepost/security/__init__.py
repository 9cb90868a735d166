"""Signatures, tokens, passwords and sealing: pure functions over bytes."""
