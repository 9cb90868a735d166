"""Amazon DynamoDB: tables and items."""
