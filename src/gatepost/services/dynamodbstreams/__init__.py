"""Amazon DynamoDB Streams: what changed in tables, in order."""
