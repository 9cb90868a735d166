"""The query language of CloudWatch Logs Insights: read, and run over log events."""
