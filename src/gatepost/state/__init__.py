"""What is shared between gateway processes and expires: token buckets, quotas, leases, caches, messages."""
