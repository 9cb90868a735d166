"""What lasts: records and items, each acknowledged only after it is durable."""
