"""AWS STS: sessions of roles."""
