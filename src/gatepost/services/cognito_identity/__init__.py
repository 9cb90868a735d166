"""Cognito identity pools: identities of signed-in users and guests, and the roles whose credentials they get."""
