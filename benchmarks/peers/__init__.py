"""The servers that are measured: Gatepost and its peers, each installed, configured and started here."""
