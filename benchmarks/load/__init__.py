"""What makes load: wrk for throughput, our own fixed-rate client for latency."""
