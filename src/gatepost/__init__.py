"""Gatepost runs AWS-style APIs anywhere and enforces every line of the template that declares them."""

__version__ = "0.1.0"
