"""CloudWatch metrics: what is counted, kept and read back."""
