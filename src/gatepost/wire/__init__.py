"""Bytes on sockets: HTTP/1.1 server and pooled client. Knows nothing of AWS."""
