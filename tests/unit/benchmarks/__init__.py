"""Tests of the benchmark harness: the report alone, no servers."""
