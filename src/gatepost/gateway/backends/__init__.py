"""Backends: each is one way to answer a request."""
