"""Amazon API Gateway V2: what REST APIs need of it. HTTP and WebSocket APIs are not here."""
