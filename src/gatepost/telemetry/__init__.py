"""What happened: logs, metrics and usage, in bounded queues and batched writes."""
