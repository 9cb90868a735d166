"""AWS IAM: users, access keys, roles and policies."""
