"""Secrets Manager: secrets with versions and stages, sealed at rest, rotated by functions."""
