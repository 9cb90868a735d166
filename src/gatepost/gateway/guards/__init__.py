"""Guards: each has one reason to refuse a request."""
