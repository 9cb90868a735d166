"""Text to tree to value, pure: IAM policies, item expressions, mapping templates."""
