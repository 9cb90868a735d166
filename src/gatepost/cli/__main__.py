"""Lets `python -m gatepost.cli` be the `gatepost` command."""

from gatepost.cli.main import main

main()
