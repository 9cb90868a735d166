"""The gatepost command: a client of the AWS endpoint, and the supervisor that starts the platform."""
