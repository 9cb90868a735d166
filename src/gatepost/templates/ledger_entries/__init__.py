"""The ledger's entries, one module per service; `templates.registry` puts them together."""
