"""What a user pool's domain answers: the OAuth 2.0 endpoints and the pages for signing in, server-rendered."""
